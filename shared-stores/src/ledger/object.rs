//! What the store holds, and what becomes of it.

use bytes::Bytes;

/// Largest object, in bytes: a bundle of 256 entries of 16 KiB is half of it.
pub const MAX_OBJECT_BYTES: u64 = 8 << 20;

/// Largest checkpoint, in bytes.
pub const MAX_CHECKPOINT_BYTES: u64 = 64 << 10;

/// What lies at `log/check`. It must stay as it is for ever: in a locked bucket it can't be written again.
pub(super) const WRITTEN_ONCE: Bytes = Bytes::from_static(b"The ledger can be written here.\n");

/// What became of an object that is written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It wasn't there, and now is.
    New,
    /// It was there already, with the same bytes.
    Same,
}
