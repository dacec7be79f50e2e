//! The keys of syncs' blobs, wrapped by the key ring in the syncs' rows.
//!
//! XChaCha20-Poly1305 under a key of the ring. What it is for, the ring key's id and the sync are authenticated with
//! it, so a wrapped key that is moved to another row doesn't unwrap. The row dies with its connection (DEL-1), and with
//! it the only thing that decrypts the sync's blobs.
//!
//! Two workers never make two keys of one sync: whoever changes the row says what it was before. If a key of the ring
//! is lost, nothing here makes another one in its place: that would leave what it named.

use chacha20poly1305::aead::{AeadInOut as _, Generate as _};
use chacha20poly1305::{Tag, XNonce};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{BlobEncryption, BlobKey, SyncId};

use crate::cipher::RowCipher;
use crate::entities::{EntityWriter, HELD};
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::schema::sync;
use crate::statement::sql_query;

const PURPOSE: &[u8] = b"unweave blob key 1";
const WHAT: &str = "the key of the sync's blobs";

/// A blob key as it stands in its row.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    /// The key of the ring that unwraps it.
    pub(crate) key_id: String,
    /// Nonce, ciphertext and tag.
    pub(crate) wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Wraps the key of `sync` with the first key of the ring.
    pub(crate) fn wrap(cipher: &RowCipher, sync: SyncId, key: &BlobKey) -> Result<Self> {
        let ring_key = cipher.active();
        let nonce = XNonce::generate();
        let mut text = *key.secret();
        let tag = ring_key
            .blob_keys
            .encrypt_inout_detached(&nonce, &associated(&ring_key.id, sync), text.as_mut_slice().into())
            .map_err(|_| undecryptable("it can't be wrapped"))?;
        Ok(Self { key_id: ring_key.id.clone(), wrapped: [nonce.as_slice(), &text, tag.as_slice()].concat() })
    }

    /// The same key by the first key of the ring.
    pub(crate) fn wrapped_anew(&self, cipher: &RowCipher, sync: SyncId) -> Result<Self> {
        Self::wrap(cipher, sync, &self.unwrap(cipher, sync)?)
    }

    /// The key, if this is the one of `sync` and the ring has the key that wrapped it.
    fn unwrap(&self, cipher: &RowCipher, sync: SyncId) -> Result<BlobKey> {
        let ring_key = cipher.named(&self.key_id, WHAT)?;
        let malformed = || undecryptable("it is malformed");
        let (nonce, sealed) = self.wrapped.split_first_chunk::<24>().ok_or_else(malformed)?;
        let (text, tag) = sealed.split_last_chunk::<16>().ok_or_else(malformed)?;
        let text: &[u8; 32] = text.try_into().map_err(|_| malformed())?;
        BlobKey::written_by(|key| {
            *key = *text;
            let (nonce, tag) = (XNonce::from(*nonce), Tag::from(*tag));
            let associated = associated(&self.key_id, sync);
            let unwrapped =
                ring_key.blob_keys.decrypt_inout_detached(&nonce, &associated, key.as_mut_slice().into(), &tag);
            unwrapped.map_err(|_| undecryptable("key or row is not the right one"))
        })
    }
}

fn undecryptable(why: &'static str) -> DatabaseError {
    DatabaseError::Undecryptable { what: WHAT, why }
}

/// What is authenticated with a wrapped key. The id comes last: it alone has no fixed length.
fn associated(ring_key_id: &str, sync: SyncId) -> Vec<u8> {
    [PURPOSE, sync.0.as_bytes(), ring_key_id.as_bytes()].concat()
}

#[derive(Queryable)]
struct Row {
    blob_key_id: Option<String>,
    blob_key: Option<Vec<u8>>,
    has_plain_blobs: bool,
}

impl Row {
    fn wrapped(&self) -> Option<WrappedKey> {
        Some(WrappedKey { key_id: self.blob_key_id.clone()?, wrapped: self.blob_key.clone()? })
    }
}

impl Database {
    /// Readies the row of the writer's sync for a job that writes blobs so: makes a key if there is none, wraps it anew
    /// if another key of the ring has become the first, and notes that blobs are written plain before the first one is.
    /// `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::Undecryptable`] if the ring lacks the key;
    /// [`DatabaseError::Conflict`] if the row was changed beside it: call it again.
    pub async fn ready_blob_key(
        &self,
        cipher: &RowCipher,
        writer: EntityWriter,
        encryption: BlobEncryption,
    ) -> Result<bool> {
        let Some(row) = self.blob_key_row(writer.sync).await? else { return Ok(false) };
        let before = row.wrapped();
        let key = before.as_ref().map(|wrapped| wrapped.unwrap(cipher, writer.sync)).transpose()?;
        let after = match before.as_ref() {
            Some(wrapped) if wrapped.key_id == cipher.active().id => wrapped.clone(),
            Some(_) | None => WrappedKey::wrap(cipher, writer.sync, &key.unwrap_or_else(BlobKey::random))?,
        };
        let writes_plain = match encryption {
            BlobEncryption::On => false,
            BlobEncryption::Off => true,
        };
        if before.as_ref() == Some(&after) && (row.has_plain_blobs || !writes_plain) {
            return Ok(true);
        }
        self.change_blob_key(writer, before, after, writes_plain).await
    }

    async fn change_blob_key(
        &self,
        writer: EntityWriter,
        before: Option<WrappedKey>,
        after: WrappedKey,
        writes_plain: bool,
    ) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Changed {
            #[diesel(sql_type = sql_types::Bool)]
            is_held: bool,
            #[diesel(sql_type = sql_types::Bool)]
            is_changed: bool,
        }
        let changed: Changed = sql_query(format!(
            "WITH changed AS (
                 UPDATE sync SET blob_key_id = $4, blob_key = $5, has_plain_blobs = has_plain_blobs OR $6
                 WHERE id = $3 AND blob_key IS NOT DISTINCT FROM $7 AND {HELD}
                 RETURNING id
             )
             SELECT {HELD} AS is_held, EXISTS (SELECT FROM changed) AS is_changed"
        ))
        .bind::<sql_types::Uuid, _>(writer.job)
        .bind::<sql_types::Uuid, _>(writer.owner)
        .bind::<sql_types::Uuid, _>(writer.sync)
        .bind::<sql_types::Text, _>(after.key_id)
        .bind::<sql_types::Bytea, _>(after.wrapped)
        .bind::<sql_types::Bool, _>(writes_plain)
        .bind::<sql_types::Nullable<sql_types::Bytea>, _>(before.map(|wrapped| wrapped.wrapped))
        .get_result(&mut self.connection().await?)
        .await?;
        match changed {
            Changed { is_held: false, .. } => Ok(false),
            Changed { is_changed: true, .. } => Ok(true),
            Changed { .. } => Err(DatabaseError::Conflict("the key of the sync was changed beside it".to_owned())),
        }
    }

    /// The key of a sync's blobs; `None` if it has none or is gone.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::Undecryptable`] if the ring lacks the key.
    pub async fn blob_key(&self, cipher: &RowCipher, sync: SyncId) -> Result<Option<BlobKey>> {
        let row = self.blob_key_row(sync).await?;
        row.and_then(|row| row.wrapped()).map(|wrapped| wrapped.unwrap(cipher, sync)).transpose()
    }

    async fn blob_key_row(&self, sync: SyncId) -> Result<Option<Row>> {
        let row = sync::table
            .filter(sync::id.eq(sync))
            .select((sync::blob_key_id, sync::blob_key, sync::has_plain_blobs))
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(row)
    }
}
