//! `unweave receipt verify-summary`: whether the summary of an organization's deletion is evidence, and of what.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use shared_models::ledger::{Expectation, Refusal, SupersededReason, TrustedKeys, verify_receipt};
use shared_models::receipt::summary::MAX_SUMMARY_BYTES;
use shared_models::receipt::{
    DeletionSummary, MAX_FILE_BYTES, ReceiptError, ReceiptFile, SummarizedReceipt, SummaryFile,
};
use shared_models::{OrganizationId, ReceiptId};

use crate::failure::Failure;
use crate::input;
use crate::keys::Keys;
use crate::ledger::copy::{self, Newest};
use crate::output::{Answer, Output, checked, told};
use crate::place::Place;

const EXAMPLES: &str = "Examples:
  By a key that the operator published:
    unweave receipt verify-summary acme.json --key 'unweave.example.org/ledger+0f450807+Aepk…'
  With each receipt that it names, from the archive that unweave receipt export makes, and a copy of the ledger:
    unzip acme.zip -d acme
    unweave receipt verify-summary acme.json --keys keys.txt --receipts acme/receipts --ledger ./copy";

/// What `receipt verify-summary` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifySummary {
    /// The summary's file; - is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// The summary must be of the deletion of this organization
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// The folder with the receipts, each called by its id and .json: every one that the summary names is verified
    #[arg(long, value_name = "FOLDER")]
    receipts: Option<PathBuf>,
    /// A copy of the whole ledger, a folder or the URL of its store: it must have every receipt, and end none
    #[arg(long, value_name = "URL|FOLDER")]
    ledger: Option<Place>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl VerifySummary {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let keys = self.keys.trusted()?;
        let most = u64::try_from(MAX_SUMMARY_BYTES).unwrap_or(u64::MAX);
        let file = SummaryFile::read(&input::read(&self.file, most)?).map_err(refused)?;
        let (summary, signed_by) = file.verify(&keys).map_err(refused)?;
        if let Some(expected) = self.organization.filter(|expected| *expected != summary.organization_id) {
            let text = format!("it is of organization {}, not of {expected}", summary.organization_id);
            return Err(Failure::refused("other_deletion", text));
        }
        let count = summary.receipts.len();
        let mut lines = vec![
            told("summary", format!("of organization {}, form {}", summary.organization_id, summary.form)),
            checked("signature", format!("by {}", signed_by.name())),
        ];
        if let Some(folder) = &self.receipts {
            verify_each(folder, &summary, &keys)?;
            lines.push(checked("receipts", format!("all {count} are there, and each is evidence")));
        }
        if let Some(place) = &self.ledger {
            let Looked { size, followed } = look(place, &keys, &summary).await?;
            lines.push(checked(
                "copy",
                format!("of {size} entries: it has all {count}, and nothing ends what they say"),
            ));
            if followed > 0 {
                let text = format!("{followed} were checked once more since, and have newer receipts");
                lines.push(told("later check", text));
            }
        }
        if self.receipts.is_none() && self.ledger.is_none() {
            lines.push(told("receipts", format!("{count}, which were not looked at: --receipts and --ledger do")));
        }
        lines.push("verified".to_owned());
        let json = json!({
            "verdict": "verified",
            "organization_id": summary.organization_id,
            "signed_by": signed_by.name(),
            "receipts": count,
            "receipts_verified": self.receipts.is_some(),
            "in_copy": self.ledger.is_some(),
        });
        Ok(Answer { lines, json })
    }
}

/// Every receipt that it names: there, evidence, and the very one.
fn verify_each(folder: &Path, summary: &DeletionSummary, keys: &TrustedKeys) -> Result<(), Failure> {
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    for named in &summary.receipts {
        let path = folder.join(format!("{}.json", named.receipt_id));
        if !path.exists() {
            return Err(Failure::refused("missing", format!("receipt {} isn't there", named.receipt_id)));
        }
        let file = ReceiptFile::read(&input::read(&path, most)?).map_err(Refusal::from)?;
        let about = |id: ReceiptId, failure: Failure| match failure {
            Failure::Refused { reason, text } => Failure::refused(reason, format!("receipt {id}: {text}")),
            failure => failure,
        };
        verify_receipt(&file, keys, Expectation::Cleanup(named.cleanup_id), None)
            .map_err(|refusal| about(named.receipt_id, refusal.into()))?;
        let is_theirs = file.receipt.get("organization_id") == Some(&json!(summary.organization_id));
        if !is_theirs || SummarizedReceipt::of(&file.receipt).map_err(refused)? != *named {
            return Err(Failure::refused(
                "altered",
                format!("receipt {} isn't the one that is named", named.receipt_id),
            ));
        }
    }
    Ok(())
}

/// What a copy says of the receipts: it has each, under the very hash.
struct Looked {
    size: u64,
    /// Receipts that a later check has followed: what they say stands, and a newer one says more.
    followed: usize,
}

async fn look(place: &Place, keys: &TrustedKeys, summary: &DeletionSummary) -> Result<Looked, Failure> {
    let store = place.open()?;
    let newest = Newest::read(&store, keys).await?;
    let wanted = summary.receipts.iter().map(|named| named.leaf_hash);
    let whole = copy::verify(&store, &newest.signed.checkpoint, None, wanted).await?;
    let mut followed = 0;
    for SummarizedReceipt { receipt_id, leaf_hash, .. } in &summary.receipts {
        match whole.copy.superseded().get(receipt_id) {
            Some(ended) if ended.reason == SupersededReason::LaterCheck => followed += 1,
            Some(ended) => return Err(Refusal::Superseded(ended.clone()).into()),
            None => {}
        }
        if !whole.found.contains_key(leaf_hash) {
            return Err(Failure::refused("not_in_ledger", format!("the copy has no such receipt {receipt_id}")));
        }
    }
    Ok(Looked { size: newest.signed.checkpoint.size, followed })
}

fn refused(error: ReceiptError) -> Failure {
    let reason = match error {
        ReceiptError::UnknownKey(_) => "unknown_key",
        ReceiptError::Mismatch => "altered",
        ReceiptError::UnknownForm(_) => "unknown_form",
        ReceiptError::NoEntry(_) => "no_entry",
        ReceiptError::Canonical(_) | ReceiptError::Receipt(_) | ReceiptError::Malformed(_) | ReceiptError::Fault(_) => {
            "malformed"
        }
    };
    Failure::refused(reason, error.to_string())
}
