//! The deletion ledger: a Merkle log of small entries that outlives PostgreSQL's history, and is evidence also against
//! those who run the service (DEL-10 and DEL-11).
//!
//! Everything here is computed from what the caller has: nothing is read, stored or sent. Hashing and proofs are those
//! of RFC 6962, the files those of C2SP tlog-tiles, the checkpoints those of C2SP tlog-checkpoint and signed-note; so
//! tools that know nothing of this project can check a log. What is read here may come from anybody: sizes are bounded
//! before anything is computed, and nothing panics.

mod append;
mod copy;
pub(crate) mod entry;
mod frontier;
pub(crate) mod hash;
pub mod json;
pub(crate) mod keys;
pub(crate) mod note;
pub(crate) mod proof;
pub mod stamp;
mod tile;
mod tree;
mod verify;

#[cfg(test)]
mod tests;

pub use append::{AppendError, Appended, append};
pub use copy::{CopyError, Duplicate, EntriesOfBundle, EntryCounts, LogCopy};
pub use entry::{
    Action, Actor, Audit, Deleted, Entry, EntryError, MalformedAction, ReadEntry, ReceiptEntry, Superseded,
    SupersededReason, canonical,
};
pub use frontier::{Frontier, Tile};
pub use hash::{EMPTY_ROOT, HASH_BYTES, Hash, MalformedHash, leaf_hash, node_hash};
pub use keys::{KeyError, LedgerSigner, Origin, TrustedKeys, VerifierKey};
pub use note::{Checkpoint, MAX_NOTE_BYTES, NoteError, SignedCheckpoint, read_checkpoint, read_unverified_checkpoint};
pub use proof::{
    MAX_PROOF_HASHES, check_consistency, check_inclusion, consistency_proof, inclusion_proof, needed_for_consistency,
    needed_for_inclusion,
};
pub use tile::{
    BundleId, MAX_BUNDLE_BYTES, MAX_ENTRY_BYTES, TILE_WIDTH, TileError, TileId, bundles_between, read_bundle,
    read_tile, tiles_between, write_bundle, write_tile,
};
pub use tree::{MAX_SIZE, NodeId, Nodes, TreeError, needed_for_root, root};
pub use verify::{Checked, Expectation, InLedger, Refusal, SupersededReceipts, Verified, verify_receipt};
