//! The secret key of a sync: it encrypts the sync's blobs, and names its entities.
//!
//! It is made with the sync, stands wrapped in its row and goes with that row: from then on nobody reads a blob of the
//! sync, nor tells from a name what it named. Nothing of it can be printed, and what is dropped is overwritten.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use secrecy::{ExposeSecret as _, ExposeSecretMut as _, SecretBox};
use sha2::Sha256;

use crate::document::EntityKey;
use crate::text_enum::text_enum;

/// What the key of names is derived for. Changing it renames every entity.
const ENTITY_KEYS: &[u8] = b"unweave entity keys 1";

text_enum! {
    /// Whether blobs are encrypted.
    BlobEncryption, "blob encryption", {
        /// With the key of their sync.
        On = "on",
        /// They are plain, for tools that read them themselves.
        Off = "off",
    }
}

/// 256 secret bits of one sync.
pub struct BlobKey(SecretBox<[u8; 32]>);

impl BlobKey {
    /// A new random key.
    #[must_use]
    pub fn random() -> Self {
        Self(SecretBox::init_with_mut(|key: &mut [u8; 32]| rand::fill(key)))
    }

    /// The key that `write` writes into it, as when one is unwrapped.
    ///
    /// # Errors
    /// That of `write`.
    pub fn written_by<E>(write: impl FnOnce(&mut [u8; 32]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = SecretBox::new(Box::new([0; 32]));
        write(key.expose_secret_mut())?;
        Ok(Self(key))
    }

    /// The secret bytes, for the cipher of blobs and for wrapping.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// What names the sync's entities.
    #[must_use]
    pub fn entity_keys(&self) -> EntityKeys {
        EntityKeys(hmac_of(derived_key(self.secret(), ENTITY_KEYS).expose_secret()))
    }
}

/// A key for one purpose, derived from one that has others: HMAC-SHA-256 of the purpose.
#[must_use]
pub fn derived_key(secret: &[u8; 32], purpose: &[u8]) -> SecretBox<[u8; 32]> {
    let mut mac = hmac_of(secret);
    mac.update(purpose);
    let mut digest = mac.finalize().into_bytes();
    let key = SecretBox::init_with_mut(|key: &mut [u8; 32]| key.copy_from_slice(&digest));
    digest.as_mut_slice().zeroize();
    key
}

/// HMAC under a key of 32 bytes, which it pads to its block.
fn hmac_of(secret: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(secret) {
        *to = *from;
    }
    Hmac::new((&*block).into())
}

impl std::fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlobKey(…)")
    }
}

/// Makes the keys of one sync's entities: HMAC-SHA-256 of class and id, cut to 16 bytes.
#[derive(Clone)]
pub struct EntityKeys(Hmac<Sha256>);

impl EntityKeys {
    /// The key of the entity `entity_id` of class `class`.
    #[must_use]
    pub fn key(&self, class: &str, entity_id: &str) -> EntityKey {
        let mut mac = self.0.clone();
        // The length first, so that class and id can't be shifted into each other.
        mac.update(&u64::try_from(class.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(class.as_bytes());
        mac.update(entity_id.as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut key = [0_u8; 16];
        for (to, from) in key.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        EntityKey(key)
    }
}

impl std::fmt::Debug for EntityKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EntityKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> BlobKey {
        BlobKey::written_by(|key| {
            *key = [byte; 32];
            Ok::<_, ()>(())
        })
        .unwrap()
    }

    /// Rows, document ids and names of blobs of every installation have them: of one form they must stay as they are.
    /// Computed by Python's hmac: `h(h(b"\x07" * 32, b"unweave entity keys 1"), len(class) + class + id)`.
    #[test]
    fn the_key_of_an_entity_is_that_of_its_form() {
        let key = key(7).entity_keys().key("FileEntity", "a.txt");
        assert_eq!(key.to_string(), "6137c3085f05ca2edd32854f0228da01");
    }

    #[test]
    fn an_entity_has_another_key_in_every_sync() {
        let of = |blob_key: BlobKey| blob_key.entity_keys().key("FileEntity", "a.txt");
        assert_eq!(of(key(1)), of(key(1)));
        assert_ne!(of(key(1)), of(key(2)));
        assert_ne!(of(BlobKey::random()), of(BlobKey::random()));
        assert_ne!(of(key(1)), EntityKey::unkeyed("FileEntity", "a.txt"));
    }

    #[test]
    fn class_and_id_cannot_be_shifted_into_each_other() {
        let keys = key(1).entity_keys();
        assert_ne!(keys.key("ab", "c"), keys.key("a", "bc"));
        assert_ne!(keys.key("a", "\0b"), keys.key("a\0", "b"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = key(7);
        let shown = format!("{key:?} {:#?} {:?}", key, key.entity_keys());
        assert!(!shown.contains('7') && !shown.contains("07"), "{shown}");
    }

    /// Does not compile for a type that leaves its key in memory.
    #[test]
    fn what_is_dropped_is_overwritten() {
        const fn is_overwritten<T: secrecy::zeroize::ZeroizeOnDrop>() {}
        is_overwritten::<SecretBox<[u8; 32]>>();
        // HMAC holds two of them, and nothing else.
        is_overwritten::<Sha256>();
    }
}
