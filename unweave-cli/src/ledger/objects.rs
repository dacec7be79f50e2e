//! What lies in a ledger's store, read with the bounds that it has by its form.

use bytes::Bytes;
use serde_json::{Value, json};
pub use shared_ledger::files::{AT_ONCE, nodes, object, tile};
use shared_models::ledger::{Checkpoint, SignedCheckpoint, TrustedKeys, read_checkpoint};
use shared_stores::LedgerStore;

use crate::failure::Failure;

/// The newest checkpoint, as it was written.
///
/// # Errors
/// Nothing is published, or the store is away.
pub async fn newest_note(store: &LedgerStore) -> Result<String, Failure> {
    let note = store.get_checkpoint().await?;
    note.ok_or_else(|| Failure::Unchecked("there is no checkpoint: nothing is published there".to_owned()))
}

/// The note of a checkpoint that is kept beside the log's other files, if there is one of this size.
///
/// # Errors
/// The store is away, or it holds something else there.
pub async fn kept_note(store: &LedgerStore, size: u64) -> Result<Option<Bytes>, Failure> {
    Ok(store.get_at_most(&kept_name(size), shared_stores::ledger::MAX_CHECKPOINT_BYTES).await?)
}

/// The name of the note of the checkpoint of this size.
pub fn kept_name(size: u64) -> String {
    format!("checkpoints/{size}")
}

/// What a note says, if a trusted key of its log signed it.
///
/// # Errors
/// None did.
pub fn signed(note: &str, keys: &TrustedKeys) -> Result<SignedCheckpoint, Failure> {
    read_checkpoint(note, keys).map_err(|error| Failure::refused("checkpoint", error.to_string()))
}

/// A checkpoint in a line.
pub fn shown(checkpoint: &Checkpoint) -> String {
    format!("{}, {} entries, root {}", checkpoint.origin, checkpoint.size, checkpoint.root)
}

/// A signed checkpoint, for programs.
pub fn described(signed: &SignedCheckpoint) -> Value {
    let checkpoint = &signed.checkpoint;
    json!({
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root,
        "signed_by": signed.signed_by.name(),
    })
}
