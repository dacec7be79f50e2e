//! What is in the ledger: small facts, each in its one text (RFC 8785), of at most 16 KiB.
//!
//! Ids, times and counts only, never a name, an address or content: entries may lie in storage that nobody can delete
//! from. PostgreSQL writes them, in the transaction of their fact. DEL-10 rests on `deleted`, which has all that is
//! needed to write a lost cleanup again; DEL-11 on `receipt`, which is made again from the receipt alone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::json::{self, JsonError};
use super::stamp;
use super::tile::MAX_ENTRY_BYTES;
use crate::cleanup::WriterEnd;
use crate::ids::{ApiKeyId, CleanupId, CollectionId, OrganizationId, ReceiptId, RequestId, SourceConnectionId, SyncId};
use crate::receipt::reference::ReferenceHash;
use crate::text_enum::text_enum;

/// The form of every kind of entry, so far.
pub const FORM: u32 = 1;

/// An entry of a form that this version knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A connection was deleted.
    Deleted(Deleted),
    /// A cleanup ended with this receipt.
    Receipt(ReceiptEntry),
    /// A receipt no longer holds.
    Superseded(Superseded),
    /// Somebody changed something.
    Audit(Audit),
}

/// A connection's rows are gone: written in the transaction that deletes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deleted {
    /// [`FORM`].
    pub form: u32,
    /// Whose it was.
    pub organization_id: OrganizationId,
    /// The collection that it was in.
    pub collection_id: CollectionId,
    /// The deleted connection.
    pub source_connection_id: SourceConnectionId,
    /// The sync whose id every document and blob carries.
    pub sync_id: SyncId,
    /// The cleanup that removes them.
    pub cleanup_id: CleanupId,
    /// When the deletion was accepted.
    #[serde(with = "stamp")]
    pub deletion_requested_at: DateTime<Utc>,
    /// When the rows and credentials were gone.
    #[serde(with = "stamp")]
    pub rows_deleted_at: DateTime<Utc>,
    /// The API key that asked, if there was one.
    pub requested_by: Option<ApiKeyId>,
    /// The request that asked.
    pub request_id: Option<RequestId>,
    /// The caller's reference of the deletion, which the receipt's file opens.
    pub reference_hash: Option<ReferenceHash>,
    /// Entity rows that went with the connection.
    pub entity_rows_deleted: u64,
    /// How the writers ended.
    pub writer_end: WriterEnd,
    /// The purge targets of the cleanup, as its row names them: a later version may know more.
    pub targets: Vec<String>,
    /// When the key was gone that the blobs were encrypted with; null if there was none.
    #[serde(with = "stamp::option")]
    pub blob_key_destroyed_at: Option<DateTime<Utc>>,
    /// Whether blobs may have been written without encryption.
    pub has_plain_blobs: bool,
}

/// A receipt's content, whole. Nothing else is here, so that whoever has the receipt makes the entry again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptEntry {
    /// [`FORM`], of the entry; the receipt has its own.
    pub form: u32,
    /// The receipt, as it was signed.
    pub receipt: Value,
}

/// A receipt that no longer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Superseded {
    /// [`FORM`].
    pub form: u32,
    /// Which.
    pub receipt_id: ReceiptId,
    /// The cleanup that it was of.
    pub cleanup_id: CleanupId,
    /// Whose it was.
    pub organization_id: OrganizationId,
    /// Since when.
    #[serde(with = "stamp")]
    pub superseded_at: DateTime<Utc>,
    /// Why.
    pub reason: SupersededReason,
}

text_enum! {
    /// Why a receipt no longer holds.
    SupersededReason, "reason", {
        /// A worker found that a write of its own may have come after the purge.
        LateWrite = "late_write",
        /// The later check that the receipt named was due.
        LaterCheck = "later_check",
        /// A sweep found something of the sync in a store.
        FoundAgain = "found_again",
        /// The cleanup was open again; why wasn't kept then.
        Reopened = "reopened",
        /// A restore brought back what it had removed.
        Restored = "restored",
    }
}

/// Somebody changed something that an auditor may ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// [`FORM`].
    pub form: u32,
    /// When.
    #[serde(with = "stamp")]
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// In whose organization; null if in none.
    pub organization_id: Option<OrganizationId>,
    /// What was done.
    pub action: Action,
    /// To which object; null if to none or to many.
    pub object_id: Option<Uuid>,
}

/// Who did something: `{"api_key_id": "…"}` or `"operator"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Whoever has this API key.
    ApiKeyId(ApiKeyId),
    /// Whoever runs the installation.
    Operator,
}

/// What was done, in words with points between them, such as `api_key.created`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Action(String);

/// The text isn't an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an action is lower-case words with points between them, at most 64 characters")]
pub struct MalformedAction;

impl Action {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Action {
    type Err = MalformedAction;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_letter = |letter: u8| letter.is_ascii_lowercase() || letter == b'_';
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_letter);
        if text.len() <= 64 && text.split('.').all(is_word) { Ok(Self(text.to_owned())) } else { Err(MalformedAction) }
    }
}

impl TryFrom<String> for Action {
    type Error = MalformedAction;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Action> for String {
    fn from(action: Action) -> Self {
        action.0
    }
}

/// An entry as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadEntry {
    /// One of a form that this version knows.
    Known(Entry),
    /// One that a later version wrote: it counts in the tree, and nothing else is known of it.
    Unknown {
        /// Its kind.
        kind: String,
        /// Its form.
        form: u64,
    },
}

/// Why something can't be an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// More bytes than an entry has.
    #[error("an entry of {0} bytes, at most {MAX_ENTRY_BYTES} are allowed")]
    TooLarge(usize),
    /// No JSON that all readers understand alike.
    #[error("malformed entry: {0}")]
    Json(#[source] JsonError),
    /// Not in its one text.
    #[error("an entry that isn't in canonical form")]
    NotCanonical,
    /// Not what an entry of its kind and form says.
    #[error("malformed entry: {0}")]
    Form(String),
}

/// The text of an entry, from the value that PostgreSQL wrote. Kinds and forms of later versions are kept as they are.
///
/// # Errors
/// It is no entry, or too large for one.
pub fn canonical(value: &Value) -> Result<Vec<u8>, EntryError> {
    let bytes = json::canonical(value).map_err(EntryError::Json)?;
    if bytes.len() > MAX_ENTRY_BYTES {
        return Err(EntryError::TooLarge(bytes.len()));
    }
    known(value, &bytes)?;
    Ok(bytes)
}

impl Entry {
    /// The entry of a receipt: of what was signed, whatever its form.
    #[must_use]
    pub const fn of_receipt(receipt: Value) -> Self {
        Self::Receipt(ReceiptEntry { form: FORM, receipt })
    }

    /// Its text.
    ///
    /// # Errors
    /// It is too large.
    pub fn canonical(&self) -> Result<Vec<u8>, EntryError> {
        canonical(&serde_json::to_value(self).map_err(|error| EntryError::Form(error.to_string()))?)
    }

    /// Reads an entry's text, as it is in a bundle.
    ///
    /// # Errors
    /// It isn't the one text of an entry.
    pub fn read(bytes: &[u8]) -> Result<ReadEntry, EntryError> {
        let value = json::read(bytes, MAX_ENTRY_BYTES).map_err(|error| match error {
            JsonError::TooLarge { bytes, .. } => EntryError::TooLarge(bytes),
            error @ (JsonError::Malformed(_) | JsonError::Number | JsonError::Depth) => EntryError::Json(error),
        })?;
        if json::canonical(&value).map_err(EntryError::Json)? != bytes {
            return Err(EntryError::NotCanonical);
        }
        known(&value, bytes)
    }
}

/// Of a value and its text: what kind it is. One of a known form must be exactly what this version would write.
fn known(value: &Value, bytes: &[u8]) -> Result<ReadEntry, EntryError> {
    let kind = value.get("kind").and_then(Value::as_str).filter(|kind| !kind.is_empty());
    let kind = kind.ok_or_else(|| EntryError::Form("no kind".to_owned()))?;
    let form = value.get("form").and_then(Value::as_u64).filter(|form| *form > 0);
    let form = form.ok_or_else(|| EntryError::Form("no form".to_owned()))?;
    if !["deleted", "receipt", "superseded", "audit"].contains(&kind) || form > u64::from(FORM) {
        return Ok(ReadEntry::Unknown { kind: kind.to_owned(), form });
    }
    let entry = Entry::deserialize(value).map_err(|error| EntryError::Form(format!("{kind}: {error}")))?;
    if let Entry::Receipt(ReceiptEntry { receipt, .. }) = &entry
        && !receipt.is_object()
    {
        return Err(EntryError::Form("receipt: no object".to_owned()));
    }
    let written = serde_json::to_value(&entry).ok().and_then(|value| json::canonical(&value).ok());
    if written.as_deref() != Some(bytes) {
        return Err(EntryError::Form(format!("{kind}: written in another way")));
    }
    Ok(ReadEntry::Known(entry))
}
