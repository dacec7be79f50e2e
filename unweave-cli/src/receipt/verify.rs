//! `unweave receipt verify`: whether a receipt is evidence, and of what.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use shared_models::ledger::{
    Checked, CopyError, Entry, Expectation, Hash, Refusal, TrustedKeys, Verified, leaf_hash, stamp, verify_receipt,
};
use shared_models::receipt::{MAX_FILE_BYTES, Receipt, ReceiptFile};
use shared_models::{CleanupId, SourceConnectionId};

use crate::failure::Failure;
use crate::input;
use crate::keys::Keys;
use crate::ledger::copy::{self, Newest, Whole};
use crate::ledger::growth;
use crate::ledger::objects::{described, shown};
use crate::output::{Answer, Output, checked, told};
use crate::place::Place;

const EXAMPLES: &str = "Examples:
  By a key that the operator published, for the connection that you deleted:
    unweave receipt verify receipt.json --key 'unweave.example.org/ledger+0f450807+Aepk…' \\
      --connection 5f0c8a52-6f0e-4b7c-9d43-2f1f0b3c9a11
  As the API answers it, by keys in a file:
    curl -sS -H \"x-api-key: $UNWEAVE_API_KEY\" \"$UNWEAVE_URL/cleanups/$ID/receipt\" \\
      | unweave receipt verify - --keys keys.txt
  Also that nothing later in the ledger ends it:
    unweave receipt verify receipt.json --keys keys.txt --ledger ./copy";

/// What `receipt verify` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// The receipt's file; - is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// The receipt must be of the deletion of this connection
    #[arg(long, value_name = "ID", conflicts_with = "cleanup")]
    connection: Option<SourceConnectionId>,
    /// The receipt must be of this cleanup
    #[arg(long, value_name = "ID")]
    cleanup: Option<CleanupId>,
    /// A copy of the whole ledger, a folder or the URL of its store: it must continue the receipt's checkpoint, and
    /// nothing in it may end the receipt
    #[arg(long, value_name = "URL|FOLDER")]
    ledger: Option<Place>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Verify {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let keys = self.keys.trusted()?;
        let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        let file = ReceiptFile::read(&input::read(&self.file, most)?).map_err(Refusal::from)?;
        let expected = self.expected();
        let verified = verify_receipt(&file, &keys, expected, None)?;
        let Some(place) = &self.ledger else { return Ok(answer(&verified, None)) };
        let looked = look(place, &keys, &verified, &file).await?;
        let verified = verify_receipt(&file, &keys, expected, Some(looked.whole.copy.superseded()))?;
        Ok(answer(&verified, Some(&looked)))
    }

    fn expected(&self) -> Expectation {
        match (self.connection, self.cleanup) {
            (Some(connection), _) => Expectation::Connection(connection),
            (None, Some(cleanup)) => Expectation::Cleanup(cleanup),
            (None, None) => Expectation::Anything,
        }
    }
}

/// A copy that was looked at.
struct Looked {
    newest: Newest,
    whole: Whole,
}

impl Looked {
    /// Where the receipt's entry is in the copy.
    fn index(&self) -> Option<u64> {
        self.whole.found.values().next().copied()
    }
}

/// Reads the copy. It must continue the checkpoint of the receipt, else what it doesn't say proves nothing.
async fn look(place: &Place, keys: &TrustedKeys, verified: &Verified, file: &ReceiptFile) -> Result<Looked, Failure> {
    let store = place.open()?;
    let newest = Newest::read(&store, keys).await?;
    let of_receipt = verified.in_ledger.as_ref().map(|in_ledger| &in_ledger.checkpoint.checkpoint);
    if let Some(of_receipt) = of_receipt {
        growth::check(of_receipt, &newest.signed.checkpoint)?;
    }
    let watched = of_receipt.map(|checkpoint| checkpoint.size);
    let whole = copy::verify(&store, &newest.signed.checkpoint, watched, Some(leaf(file)?)).await?;
    if let Some(of_receipt) = of_receipt {
        let forked = |error: CopyError| Failure::refused("forked", error.to_string());
        whole.copy.check_continues(of_receipt).map_err(forked)?;
    }
    Ok(Looked { newest, whole })
}

/// The hash of the receipt's entry.
fn leaf(file: &ReceiptFile) -> Result<Hash, Failure> {
    let entry = Entry::of_receipt(file.receipt.clone()).canonical().map_err(Refusal::NoEntry)?;
    Ok(leaf_hash(&entry))
}

fn answer(verified: &Verified, looked: Option<&Looked>) -> Answer {
    let receipt = &verified.receipt;
    let mut lines = vec![told("receipt", format!("{} of form {}", receipt.receipt_id, receipt.form))];
    lines.extend(verified.checked.iter().map(|what| line(*what, verified, looked)));
    if verified.in_ledger.is_none() {
        lines.push(match looked.and_then(Looked::index) {
            Some(index) => checked("ledger", format!("the file doesn't show it, but it is entry {index} of the copy")),
            None => told("ledger", "signed, not in the log yet"),
        });
    }
    lines.push("verified".to_owned());
    Answer { lines, json: for_programs(verified, looked) }
}

fn line(what: Checked, verified: &Verified, looked: Option<&Looked>) -> String {
    let receipt = &verified.receipt;
    match what {
        Checked::Signature => checked("signature", format!("by {}", verified.signed_by.name())),
        Checked::Deletion => {
            let (connection, cleanup) = (receipt.source_connection_id, receipt.cleanup_id);
            checked("deletion", format!("of connection {connection}, cleanup {cleanup}"))
        }
        Checked::Targets => checked("targets", targets(receipt)),
        Checked::Reference => checked("reference", format!("{:?}", verified.reference.as_deref().unwrap_or_default())),
        Checked::Inclusion => checked(
            "ledger",
            verified.in_ledger.as_ref().map_or_else(String::new, |found| {
                let by = found.checkpoint.signed_by.name();
                format!("entry {} of {}, signed by {by}", found.index, shown(&found.checkpoint.checkpoint))
            }),
        ),
        Checked::NotSuperseded => checked(
            "copy",
            looked.map_or_else(String::new, |looked| {
                let signed = &looked.newest.signed;
                format!("of {} entries, signed by {}: nothing ends it", signed.checkpoint.size, signed.signed_by.name())
            }),
        ),
    }
}

/// Each target with its last verification.
fn targets(receipt: &Receipt) -> String {
    let target = receipt.targets.iter().map(|(target, of)| {
        let (at, times) = (stamp::text(of.verified_empty_at), of.verifications.len());
        let times = if times > 1 { format!(", {times} times") } else { String::new() };
        format!("{target} verified empty at {at} by {}{times}", of.verified_by)
    });
    target.collect::<Vec<_>>().join("; ")
}

fn for_programs(verified: &Verified, looked: Option<&Looked>) -> Value {
    let receipt = &verified.receipt;
    json!({
        "verdict": "verified",
        "receipt_id": receipt.receipt_id,
        "form": receipt.form,
        "cleanup_id": receipt.cleanup_id,
        "source_connection_id": receipt.source_connection_id,
        "signed_by": verified.signed_by.name(),
        "checked": verified.checked.iter().map(|what| name(*what)).collect::<Vec<_>>(),
        "reference": verified.reference,
        "in_ledger": verified.in_ledger.as_ref().map(|found| json!({
            "index": found.index,
            "leaf": found.leaf,
            "checkpoint": described(&found.checkpoint),
        })),
        "copy": looked.map(|looked| json!({
            "checkpoint": described(&looked.newest.signed),
            "index": looked.index(),
        })),
    })
}

/// For programs.
const fn name(what: Checked) -> &'static str {
    match what {
        Checked::Signature => "signature",
        Checked::Deletion => "deletion",
        Checked::Targets => "targets",
        Checked::Reference => "reference",
        Checked::Inclusion => "inclusion",
        Checked::NotSuperseded => "not_superseded",
    }
}
