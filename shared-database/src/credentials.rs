//! Credentials, encrypted at rest.
//!
//! ChaCha20-Poly1305 under a key of the operator's key ring. The connection's id is authenticated with the text, so a
//! ciphertext moved to another connection doesn't decrypt. The row dies with its connection (DEL-1).

use chacha20poly1305::Nonce;
use chacha20poly1305::aead::{Aead as _, Generate as _, Payload};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};
use shared_models::{CredentialId, SourceConnectionId};

use crate::cipher::RowCipher;
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::schema::credential;
use crate::session::Session;

const WHAT: &str = "credentials";

fn undecryptable(why: &'static str) -> DatabaseError {
    DatabaseError::Undecryptable { what: WHAT, why }
}

/// Nonce and text.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
}

impl Sealed {
    /// By the first key of the ring.
    fn seal(cipher: &RowCipher, connection: SourceConnectionId, plain: &[u8]) -> Result<Self> {
        let (nonce, key) = (Nonce::generate(), cipher.active());
        let text = key.credentials.encrypt(&nonce, Payload { msg: plain, aad: connection.0.as_bytes() });
        let ciphertext = text.map_err(|_| undecryptable("can't be encrypted"))?;
        Ok(Self { key_id: key.id.clone(), nonce: nonce.to_vec(), ciphertext })
    }

    /// By the key that it names.
    fn open(&self, cipher: &RowCipher, connection: SourceConnectionId) -> Result<Vec<u8>> {
        let key = cipher.named(&self.key_id, WHAT)?;
        let nonce: [u8; 12] = self.nonce.as_slice().try_into().map_err(|_| undecryptable("malformed nonce"))?;
        let sealed = Payload { msg: &self.ciphertext, aad: connection.0.as_bytes() };
        let plain = key.credentials.decrypt(&Nonce::from(nonce), sealed);
        plain.map_err(|_| undecryptable("key or row is not the right one"))
    }

    /// The same credentials by the first key of the ring.
    pub(crate) fn sealed_anew(&self, cipher: &RowCipher, connection: SourceConnectionId) -> Result<Self> {
        Self::seal(cipher, connection, &self.open(cipher, connection)?)
    }
}

#[derive(Queryable)]
struct Row {
    key_id: String,
    nonce: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// Stores a connection's credentials, in place of earlier ones, in the transaction that `db` is in.
///
/// # Errors
/// Any database error; [`DatabaseError::ForeignKey`] if the connection is gone.
pub async fn store(
    db: &mut Session,
    cipher: &RowCipher,
    connection: SourceConnectionId,
    credentials: &Map<String, Value>,
) -> Result<()> {
    let plain = serde_json::to_vec(credentials).map_err(|_| undecryptable("not JSON"))?;
    let Sealed { key_id, nonce, ciphertext } = Sealed::seal(cipher, connection, &plain)?;
    let values = (
        credential::key_id.eq(key_id),
        credential::nonce.eq(nonce),
        credential::ciphertext.eq(ciphertext),
        // As late as can be: a job that started before it is taken to have read the old ones.
        credential::modified_at.eq(sql::<sql_types::Timestamptz>("clock_timestamp()")),
    );
    diesel::insert_into(credential::table)
        .values((
            credential::id.eq(CredentialId::random()),
            credential::source_connection_id.eq(connection),
            values.clone(),
        ))
        .on_conflict(credential::source_connection_id)
        .do_update()
        .set(values)
        .execute(db)
        .await?;
    Ok(())
}

impl Database {
    /// The credentials of a connection; `None` if it has none or is gone.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::Undecryptable`] if the key ring lacks the key.
    pub async fn credentials(
        &self,
        cipher: &RowCipher,
        connection: SourceConnectionId,
    ) -> Result<Option<Map<String, Value>>> {
        let row: Option<Row> = credential::table
            .filter(credential::source_connection_id.eq(connection))
            .select((credential::key_id, credential::nonce, credential::ciphertext))
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        let Some(Row { key_id, nonce, ciphertext }) = row else { return Ok(None) };
        let plain = Sealed { key_id, nonce, ciphertext }.open(cipher, connection)?;
        serde_json::from_slice(&plain).map(Some).map_err(|_| undecryptable("not JSON"))
    }
}
