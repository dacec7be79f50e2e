//! `unweave ledger status`: what a ledger is now, by a few of its files.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;
use shared_models::ledger::{
    Checkpoint, Entry, Frontier, MAX_BUNDLE_BYTES, ReadEntry, bundles_between, leaf_hash, needed_for_root, read_bundle,
    stamp,
};
use shared_stores::LedgerStore;

use super::copy::Newest;
use super::objects::{described, nodes, object, shown};
use crate::failure::Failure;
use crate::keys::Keys;
use crate::output::{Answer, Output, checked, told};
use crate::place::Place;

const EXAMPLES: &str = "Examples:
    unweave ledger status s3://ledger-bucket/ledger --key 'unweave.example.org/ledger+0f450807+Aepk…'
    unweave ledger status ./copy --keys keys.txt --output json

It reads the checkpoint, the newest entries and the tiles that lead from them to the signed root. `ledger verify` reads
everything.";

/// What `ledger status` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    /// The ledger: file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, or a folder
    #[arg(value_name = "URL|FOLDER")]
    place: Place,
    #[command(flatten)]
    keys: Keys,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Status {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let keys = self.keys.trusted()?;
        let store = self.place.open()?;
        let newest = Newest::read(&store, &keys).await?;
        let entry = newest_entry(&store, &newest.signed.checkpoint).await?;
        Ok(answer(&newest, entry.as_ref()))
    }
}

/// The last entry of a ledger.
struct NewestEntry {
    index: u64,
    kind: String,
    /// Entries of later versions tell no time.
    at: Option<DateTime<Utc>>,
}

/// The last entry, if there is one. It counts only if its bundle leads to the signed root, with what is before it.
async fn newest_entry(store: &LedgerStore, checkpoint: &Checkpoint) -> Result<Option<NewestEntry>, Failure> {
    let size = checkpoint.size;
    let Some(bundle) = bundles_between(size.saturating_sub(1), size).last() else {
        return check_root(&Frontier::new(), checkpoint).map(|()| None);
    };
    let refused = |text: String| Failure::refused("bundle", format!("{}: {text}", bundle.path()));
    let content = object(store, &bundle.path(), MAX_BUNDLE_BYTES).await?;
    let entries = read_bundle(&content, bundle.width).map_err(|error| refused(error.to_string()))?;
    let before = bundle.first_entry();
    let no_log = |error: shared_models::ledger::TreeError| Failure::refused("size", error.to_string());
    let known = nodes(store, size, &needed_for_root(before).map_err(no_log)?).await?;
    let mut log = Frontier::resume(before, &known).map_err(no_log)?;
    for entry in &entries {
        log.append(leaf_hash(entry)).map_err(no_log)?;
    }
    check_root(&log, checkpoint)?;
    let Some(last) = entries.last() else { return Ok(None) };
    let read = Entry::read(last).map_err(|error| refused(error.to_string()))?;
    let (kind, at) = described_entry(read);
    Ok(Some(NewestEntry { index: size.saturating_sub(1), kind, at }))
}

fn check_root(log: &Frontier, checkpoint: &Checkpoint) -> Result<(), Failure> {
    if log.root() == checkpoint.root {
        return Ok(());
    }
    Err(Failure::refused("root", "the newest entries and tiles don't lead to the signed root"))
}

/// Kind and time.
fn described_entry(entry: ReadEntry) -> (String, Option<DateTime<Utc>>) {
    match entry {
        ReadEntry::Known(Entry::Deleted(deleted)) => ("deleted".to_owned(), Some(deleted.rows_deleted_at)),
        ReadEntry::Known(Entry::Superseded(superseded)) => ("superseded".to_owned(), Some(superseded.superseded_at)),
        ReadEntry::Known(Entry::Audit(audit)) => ("audit".to_owned(), Some(audit.at)),
        ReadEntry::Known(Entry::Receipt(entry)) => {
            let issued = entry.receipt.get("issued_at").and_then(|at| at.as_str()).and_then(|at| at.parse().ok());
            ("receipt".to_owned(), issued)
        }
        ReadEntry::Unknown { kind, .. } => (kind, None),
    }
}

fn answer(newest: &Newest, entry: Option<&NewestEntry>) -> Answer {
    let signed = &newest.signed;
    let mut lines = vec![
        checked("checkpoint", shown(&signed.checkpoint)),
        checked("signed", format!("by {}", signed.signed_by.name())),
    ];
    lines.push(match entry {
        Some(NewestEntry { index, kind, at }) => {
            let when = at.map_or_else(|| "it tells no time".to_owned(), stamp::text);
            checked("newest", format!("entry {index}, {kind}, {when}; it leads to the signed root"))
        }
        None => told("newest", "no entries yet"),
    });
    let entry = entry.map(|entry| json!({ "index": entry.index, "kind": entry.kind, "at": entry.at.map(stamp::text) }));
    let json = json!({ "verdict": "verified", "checkpoint": described(signed), "newest_entry": entry });
    Answer { lines, json }
}
