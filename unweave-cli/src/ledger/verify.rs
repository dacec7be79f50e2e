//! `unweave ledger verify`: a whole copy, and whether it continues a checkpoint that somebody kept.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use shared_models::ledger::{CopyError, EntryCounts, LogCopy, SignedCheckpoint, Superseded, stamp};

use super::copy::{self, Newest};
use super::growth;
use super::objects::{described, shown};
use crate::failure::Failure;
use crate::input::read_kept_checkpoint;
use crate::keys::Keys;
use crate::output::{Answer, Output, checked, told};
use crate::place::Place;

/// Of what may be long, people see so much.
const SHOWN: usize = 20;

const EXAMPLES: &str = "Examples:
  A copy in a folder, by a key that the operator published:
    unweave ledger verify ./copy --key 'unweave.example.org/ledger+0f450807+Aepk…'
  The ledger in its store, by keys in a file:
    unweave ledger verify s3://ledger-bucket/ledger --keys keys.txt
  What an auditor runs again and again: it must only have grown, and then the new checkpoint is kept:
    unweave ledger verify s3://ledger-bucket/ledger --keys keys.txt --since kept --keep kept";

/// What `ledger verify` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// The copy: a folder with `checkpoint` and `log`, or file:///folder, s3://bucket/prefix, gs://bucket/prefix or
    /// az://container/prefix
    #[arg(value_name = "URL|FOLDER")]
    place: Place,
    #[command(flatten)]
    keys: Keys,
    /// A checkpoint that you kept: the ledger must continue it
    #[arg(long, value_name = "CHECKPOINT_FILE")]
    since: Option<PathBuf>,
    /// Where to keep the checkpoint once it is verified; what is there is replaced
    #[arg(long, value_name = "CHECKPOINT_FILE")]
    keep: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Verify {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let keys = self.keys.trusted()?;
        let since = self.since.as_deref().map(|path| read_kept_checkpoint(path, &keys)).transpose()?;
        let store = self.place.open()?;
        let newest = Newest::read(&store, &keys).await?;
        if let Some(since) = &since {
            growth::check(&since.checkpoint, &newest.signed.checkpoint)?;
        }
        let watched = since.iter().map(|since| since.checkpoint.size);
        let whole = copy::verify(&store, &newest.signed.checkpoint, watched, None).await?;
        if let Some(since) = &since {
            let forked = |error: CopyError| Failure::refused("forked", error.to_string());
            whole.copy.check_continues(&since.checkpoint).map_err(forked)?;
        }
        if let Some(path) = &self.keep {
            keep(path, &newest.note)?;
        }
        Ok(answer(&newest, &whole.copy, since.as_ref()))
    }
}

/// Writes it beside first, so that a checkpoint is kept whatever happens meanwhile.
fn keep(path: &Path, note: &str) -> Result<(), Failure> {
    let unwritten = |error| Failure::Unchecked(format!("verified, but keep {}: {error}", path.display()));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = std::fs::File::create(&beside).map_err(unwritten)?;
    file.write_all(note.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritten)?;
    std::fs::rename(&beside, path).map_err(unwritten)
}

fn answer(Newest { signed: newest, is_kept, .. }: &Newest, copy: &LogCopy, since: Option<&SignedCheckpoint>) -> Answer {
    let counts = copy.counts();
    let mut lines = vec![
        checked("checkpoint", format!("{}, signed by {}", shown(&newest.checkpoint), newest.signed_by.name())),
        checked("entries", counted(counts)),
        checked("tiles", "each is of these entries"),
        checked("root", "the entries are those that were signed"),
    ];
    if let Some(since) = since {
        let by = since.signed_by.name();
        lines.push(checked(
            "since",
            format!("continues the kept checkpoint of {} entries by {by}", since.checkpoint.size),
        ));
    }
    if !is_kept {
        lines.push(told("checkpoints", format!("log/checkpoints/{} isn't there", newest.checkpoint.size)));
    }
    let twice = copy.duplicates();
    lines.extend(twice.iter().take(SHOWN).map(|twice| {
        told("duplicate", format!("receipt {} is there again, as entry {}", twice.receipt_id, twice.index))
    }));
    lines.extend(more(twice.len(), "duplicate"));
    lines.extend(copy.superseded().values().take(SHOWN).map(|superseded| told("superseded", ended(superseded))));
    lines.extend(more(copy.superseded().len(), "superseded"));
    lines.push("verified".to_owned());
    let superseded: Vec<_> = copy.superseded().values().map(|superseded| json!(superseded)).collect();
    let duplicates = twice.iter().map(|twice| json!({ "receipt_id": twice.receipt_id, "index": twice.index }));
    let json = json!({
        "verdict": "verified",
        "checkpoint": described(newest),
        "since": since.map(described),
        "entries": {
            "deleted": counts.deleted,
            "receipt": counts.receipt,
            "superseded": counts.superseded,
            "audit": counts.audit,
            "unknown": counts.unknown,
        },
        "checkpoint_is_kept": is_kept,
        "superseded": superseded,
        "duplicates": duplicates.collect::<Vec<_>>(),
    });
    Answer { lines, json }
}

fn more(all: usize, what: &str) -> Option<String> {
    let left = all.checked_sub(SHOWN).filter(|left| *left > 0)?;
    Some(told(what, format!("and {left} more; --output json names them")))
}

fn counted(counts: EntryCounts) -> String {
    let EntryCounts { deleted, receipt, superseded, audit, unknown } = counts;
    format!("{deleted} deleted, {receipt} receipt, {superseded} superseded, {audit} audit, {unknown} of later versions")
}

fn ended(superseded: &Superseded) -> String {
    let since = stamp::text(superseded.superseded_at);
    format!("receipt {} no longer holds since {since}: {}", superseded.receipt_id, superseded.reason)
}
