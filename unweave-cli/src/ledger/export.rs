//! `unweave ledger export`: a whole ledger into a folder that can be verified.
//!
//! What a log has under a name never changes, so what is there already is left as it is, and an export that was
//! interrupted goes on. The folder's `checkpoint` is replaced last, and only if what was copied leads from the old one
//! to the new one: nobody who keeps a folder loses the evidence that a ledger forked. Signatures aren't looked at:
//! `ledger verify` of the folder does that.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use shared_models::ledger::{
    BundleId, Checkpoint, MAX_SIZE, NoteError, TileId, bundles_between, needed_for_root, read_unverified_checkpoint,
    root, tiles_between,
};
use shared_stores::LedgerStore;
use shared_stores::ledger::{MAX_OBJECT_BYTES, Put};

use super::growth;
use super::objects::{AT_ONCE, kept_name, kept_note, newest_note, nodes, shown};
use crate::failure::Failure;
use crate::output::{Answer, Output, checked, told};
use crate::place::{self, Place};
use crate::progress::Progress;

const EXAMPLES: &str = "Examples:
  Everything, and later what is new:
    unweave ledger export s3://ledger-bucket/ledger ./copy
  Then verify it, by keys that you have from elsewhere:
    unweave ledger verify ./copy --keys keys.txt

Nothing in the folder is overwritten but `checkpoint`, and that only if the ledger continues the old one.";

/// What `ledger export` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// The ledger: file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, or a folder
    #[arg(value_name = "URL|FOLDER")]
    from: Place,
    /// The folder; it is made if it isn't there
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Export {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let from = self.from.open()?;
        let note = newest_note(&from).await?;
        let newest = unverified(&note)?;
        let to = place::make(&self.to)?;
        let before = to.get_checkpoint().await?.as_deref().map(unverified).transpose()?;
        if let Some(before) = &before {
            growth::check(before, &newest)?;
        }
        let copied = copy(&from, &to, newest.size).await?;
        if let Some(before) = &before {
            check_root(&to, newest.size, before, "forked").await?;
        }
        check_root(&to, newest.size, &newest, "root").await?;
        if to.get(&kept_name(newest.size)).await?.is_none() {
            let kept = kept_note(&from, newest.size).await?;
            to.put_if_absent(&kept_name(newest.size), kept.unwrap_or_else(|| note.clone().into())).await?;
        }
        to.put_checkpoint(&note).await?;
        Ok(answer(&newest, before.as_ref(), copied))
    }
}

fn unverified(note: &str) -> Result<Checkpoint, Failure> {
    let checkpoint = read_unverified_checkpoint(note);
    checkpoint.map_err(|error: NoteError| Failure::refused("checkpoint", error.to_string()))
}

/// How many objects were copied, and how many were there.
#[derive(Debug, Clone, Copy, Default)]
struct Copied {
    new: u64,
    there: u64,
}

/// Copies the files of a log of this size.
async fn copy(from: &LedgerStore, to: &LedgerStore, size: u64) -> Result<Copied, Failure> {
    let names = bundles_between(0, size).map(BundleId::path).chain(tiles_between(0, size).map(TileId::path));
    let progress = Progress::new("files", files(size));
    let mut copies = stream::iter(names).map(|name| copy_one(from, to, name)).buffer_unordered(AT_ONCE);
    let mut copied = Copied::default();
    while let Some(is_new) = copies.try_next().await? {
        if is_new {
            copied.new += 1;
        } else {
            copied.there += 1;
        }
        progress.at(copied.new.saturating_add(copied.there));
    }
    Ok(copied)
}

/// Bundles and tiles of a log of this size, for the progress bar.
fn files(size: u64) -> u64 {
    let levels = (1..=7).map(|level| size.min(MAX_SIZE).div_ceil(256_u64.saturating_pow(level)));
    levels.fold(size.div_ceil(256), u64::saturating_add)
}

/// Whether it wasn't there.
async fn copy_one(from: &LedgerStore, to: &LedgerStore, name: String) -> Result<bool, Failure> {
    if to.get(&name).await?.is_some() {
        return Ok(false);
    }
    let content: Option<Bytes> = from.get_at_most(&name, MAX_OBJECT_BYTES).await?;
    let content = content.ok_or_else(|| Failure::refused("missing", format!("{name} is missing")))?;
    Ok(to.put_if_absent(&name, content).await? == Put::New)
}

/// Whether the tiles of the folder, which are those of a log of `size` entries, lead to a checkpoint's root.
async fn check_root(to: &LedgerStore, size: u64, of: &Checkpoint, reason: &'static str) -> Result<(), Failure> {
    let no_log = |error: shared_models::ledger::TreeError| Failure::refused("size", error.to_string());
    let needed = needed_for_root(of.size).map_err(no_log)?;
    let found = root(of.size, &nodes(to, size, &needed).await?).map_err(no_log)?;
    if found == of.root {
        return Ok(());
    }
    Err(Failure::refused(reason, format!("the tiles' root at {} entries is {found}, not {}", of.size, of.root)))
}

fn answer(newest: &Checkpoint, before: Option<&Checkpoint>, Copied { new, there }: Copied) -> Answer {
    let mut lines = vec![checked("checkpoint", shown(newest))];
    lines.extend(before.map(|before| checked("before", format!("continues the copy of {} entries", before.size))));
    lines.push(checked("files", format!("{new} copied, {there} were there and are left as they are")));
    lines.push(told("next", "signatures and entries weren't looked at: unweave ledger verify FOLDER --key …"));
    let json = json!({
        "verdict": "copied",
        "checkpoint": { "origin": newest.origin, "size": newest.size, "root": newest.root },
        "before": before.map(|before| before.size),
        "copied": new,
        "were_there": there,
    });
    Answer { lines, json }
}
