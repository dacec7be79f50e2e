//! The operator's key ring, which encrypts what is secret in rows: credentials, and the keys of blobs.
//!
//! Each row names the key that it needs. New rows are encrypted with the first key.

use std::sync::Arc;

use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit as _, XChaCha20Poly1305};
use secrecy::ExposeSecret as _;
use shared_models::derived_key;

use crate::error::{DatabaseError, Result};

/// What the keys that wrap blob keys are derived for.
const BLOB_KEYS: &[u8] = b"unweave wrap blob keys 1";

/// The keys that encrypt rows: new ones with the first key, old ones with whichever they name. Cheap to clone.
#[derive(Clone)]
pub struct RowCipher {
    active: Arc<RowKey>,
    others: Arc<[RowKey]>,
}

/// One key of the ring.
pub(crate) struct RowKey {
    /// The operator's name of it.
    pub(crate) id: String,
    /// Encrypts credentials.
    pub(crate) credentials: ChaCha20Poly1305,
    /// Wraps blob keys. A key of its own: the two ciphers are of one family and must not share one.
    pub(crate) blob_keys: XChaCha20Poly1305,
}

impl RowKey {
    fn new((id, secret): (String, [u8; 32])) -> Self {
        let credentials = ChaCha20Poly1305::new(&Key::from(secret));
        let blob_keys = XChaCha20Poly1305::new(derived_key(&secret, BLOB_KEYS).expose_secret().into());
        Self { id, credentials, blob_keys }
    }
}

impl RowCipher {
    /// A cipher from key ids and their 32 secret bytes; the first is used for encrypting. `None` if there is no key.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (String, [u8; 32])>) -> Option<Self> {
        let mut keys = keys.into_iter().map(RowKey::new);
        let active = Arc::new(keys.next()?);
        Some(Self { active, others: keys.collect() })
    }

    /// The key that encrypts new rows.
    pub(crate) fn active(&self) -> &RowKey {
        &self.active
    }

    /// The key of this id. `what` is what is to be decrypted, for the error.
    pub(crate) fn named(&self, id: &str, what: &'static str) -> Result<&RowKey> {
        let mut keys = std::iter::once(&*self.active).chain(&*self.others);
        let why = "no key of that id in CREDENTIALS_KEYS";
        keys.find(|key| key.id == id).ok_or(DatabaseError::Undecryptable { what, why })
    }
}
