//! What an encrypted blob looks like, and what a plain one.
//!
//! A sealed blob is 4 bytes of magic, a byte for the version, a nonce of 24 bytes, and XChaCha20-Poly1305 of the
//! content under the key of the blob's sync, with its tag of 16 bytes. Version, sync and the path below `raw/` are
//! authenticated with it: what is altered, cut, or moved to another path or sync doesn't decrypt.

use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut as _, Generate as _};
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use shared_models::{BlobKey, EntityKey, SyncId};

use super::blobs::Blob;
use super::name::{self, BlobKind};

/// The first byte is no text's.
const MAGIC: [u8; 4] = *b"\x93UWB";
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = MAGIC.len() + 1 + NONCE_BYTES;

/// By how many bytes a sealed blob is longer than its content.
pub const SEAL_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// A blob can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It isn't encrypted, in any version.
    #[error("the blob is not encrypted")]
    Plain,
    /// It is encrypted in a version that this build doesn't know.
    #[error("the blob is of version {0}, which this version can't read")]
    Version(u8),
    /// It is another sync's or another path's, was altered or cut, or its key is another one.
    #[error("the blob can't be decrypted: it was altered, moved, or is of another key")]
    Undecryptable,
}

/// Seals and opens the blobs of one sync. It forgets the key when it is dropped.
pub struct BlobCipher {
    sync: SyncId,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for BlobCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobCipher").field("sync", &self.sync).finish_non_exhaustive()
    }
}

impl BlobCipher {
    /// For the blobs of `sync`, whose key this is.
    #[must_use]
    pub fn new(sync: SyncId, key: &BlobKey) -> Self {
        Self { sync, cipher: XChaCha20Poly1305::new(key.secret().into()) }
    }

    /// Seals what will lie at `relative`, below the sync's prefix. The content is copied once and encrypted where it
    /// then is. `None` if it is larger than the cipher takes, 256 GiB.
    fn seal(&self, relative: &str, content: &[u8]) -> Option<Bytes> {
        let nonce = XNonce::generate();
        let mut sealed = Vec::with_capacity(content.len().saturating_add(SEAL_BYTES));
        sealed.extend_from_slice(&MAGIC);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(content);
        let text = sealed.get_mut(HEADER_BYTES..)?;
        let tag = self.cipher.encrypt_inout_detached(&nonce, &self.associated(relative), text.into()).ok()?;
        sealed.extend_from_slice(&tag);
        Some(sealed.into())
    }

    /// The content of the sealed blob that lies at `relative`, below the sync's prefix, e.g. `entities/{key}.json`.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(&self, relative: &str, blob: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let (version, rest) = blob.strip_prefix(&MAGIC).and_then(<[u8]>::split_first).ok_or(Unreadable::Plain)?;
        if *version != VERSION {
            return Err(Unreadable::Version(*version));
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Unreadable::Undecryptable)?;
        let (text, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(Unreadable::Undecryptable)?;
        let (nonce, tag) = (XNonce::from(*nonce), Tag::from(*tag));
        let mut content = text.to_vec();
        let opened =
            self.cipher.decrypt_inout_detached(&nonce, &self.associated(relative), content.as_mut_slice().into(), &tag);
        opened.map(|()| content).map_err(|_| Unreadable::Undecryptable)
    }

    /// The content of a blob of either form: what isn't encrypted is as it lies there. Only for a sync that has plain
    /// blobs: nothing vouches for those.
    ///
    /// # Errors
    /// [`Unreadable`], but not that it is plain.
    pub fn open_either(&self, relative: &str, blob: &[u8]) -> Result<Vec<u8>, Unreadable> {
        match self.open(relative, blob) {
            Err(Unreadable::Plain) => Ok(blob.to_vec()),
            opened => opened,
        }
    }

    /// What is authenticated with a blob. Only the path, the last part, has no fixed length.
    fn associated(&self, relative: &str) -> Vec<u8> {
        let path = format!("{}/{relative}", self.sync);
        [&[VERSION], self.sync.0.as_bytes().as_slice(), path.as_bytes()].concat()
    }
}

/// How a job writes blobs.
#[derive(Debug)]
pub enum BlobForm {
    /// Encrypted.
    Sealed(BlobCipher),
    /// As they are, for tools that read them themselves. The sync's row must say so before the first one is written.
    Plain,
}

impl BlobForm {
    /// An entity's capture.
    #[must_use]
    pub fn capture(&self, key: EntityKey, content: Bytes) -> Blob {
        self.blob(key, BlobKind::Capture, content)
    }

    /// An entity's raw file.
    #[must_use]
    pub fn file(&self, key: EntityKey, content: Bytes) -> Blob {
        self.blob(key, BlobKind::File, content)
    }

    fn blob(&self, key: EntityKey, kind: BlobKind, content: Bytes) -> Blob {
        let content_bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let stored = match self {
            Self::Plain => content,
            // What the cipher doesn't take is refused for its size, and never written.
            Self::Sealed(cipher) => cipher.seal(&name::blob(key, kind), &content).unwrap_or_default(),
        };
        Blob { key, kind, content_bytes, stored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "entities/00.json";

    fn cipher() -> BlobCipher {
        BlobCipher::new(SyncId::random(), &BlobKey::random())
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_and_nowhere_else() {
        let key = BlobKey::random();
        let cipher = BlobCipher::new(SyncId::random(), &key);
        let blob = cipher.seal(PATH, b"zebra").unwrap();
        assert_eq!(blob.len(), 5 + SEAL_BYTES);
        assert!(!blob.windows(5).any(|window| window == b"zebra"));
        assert_eq!(cipher.open(PATH, &blob).unwrap(), b"zebra");
        assert_eq!(cipher.open("entities/01.json", &blob), Err(Unreadable::Undecryptable));
        assert_eq!(cipher.open("files/00", &blob), Err(Unreadable::Undecryptable));
        let other_sync = BlobCipher::new(SyncId::random(), &key);
        assert_eq!(other_sync.open(PATH, &blob), Err(Unreadable::Undecryptable));
        let other_key = BlobCipher::new(cipher.sync, &BlobKey::random());
        assert_eq!(other_key.open(PATH, &blob), Err(Unreadable::Undecryptable));
    }

    #[test]
    fn one_bit_changed_anywhere_or_a_byte_cut_or_added_and_it_does_not_open() {
        let cipher = cipher();
        let blob = cipher.seal(PATH, b"the quick brown zebra").unwrap().to_vec();
        for bit in 0..blob.len() * 8 {
            let mut changed = blob.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(cipher.open(PATH, &changed).is_err(), "bit {bit}");
        }
        for length in 0..blob.len() {
            assert!(cipher.open(PATH, &blob[..length]).is_err(), "cut to {length}");
            assert!(cipher.open(PATH, &blob[blob.len() - length..]).is_err(), "its last {length}");
        }
        assert!(cipher.open(PATH, &[blob.as_slice(), b"x"].concat()).is_err());
        assert!(cipher.open(PATH, &blob).is_ok());
    }

    #[test]
    fn the_same_content_is_never_sealed_alike() {
        let cipher = cipher();
        assert_ne!(cipher.seal(PATH, b"zebra"), cipher.seal(PATH, b"zebra"));
    }

    #[test]
    fn plain_blobs_are_read_only_where_they_may_be() {
        let cipher = cipher();
        let plain = br#"{"name": "zebra"}"#;
        assert_eq!(cipher.open(PATH, plain), Err(Unreadable::Plain));
        assert_eq!(cipher.open_either(PATH, plain).unwrap(), plain);
        assert_eq!(cipher.open_either(PATH, b"").unwrap(), b"");
        let sealed = cipher.seal(PATH, b"zebra").unwrap();
        assert_eq!(cipher.open_either(PATH, &sealed).unwrap(), b"zebra");
        assert!(cipher.open_either("files/00", &sealed).is_err());
    }

    #[test]
    fn a_later_version_is_told_from_what_was_altered() {
        let cipher = cipher();
        let mut later = cipher.seal(PATH, b"zebra").unwrap().to_vec();
        later[4] = 2;
        assert_eq!(cipher.open(PATH, &later), Err(Unreadable::Version(2)));
    }

    /// Blobs of every installation have it: of one version it must stay as it is. Sealed by libsodium (PyNaCl) from
    /// the key 07…, the nonce 09…, and the associated data that the module says.
    #[test]
    fn the_form_is_that_of_its_version() {
        let key = BlobKey::written_by(|key| {
            *key = [7; 32];
            Ok::<_, ()>(())
        });
        let sync: SyncId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        let sealed = hex::decode(
            "9355574201090909090909090909090909090909090909090909090909c41780f81d07e8c2a1c4d6b24eb697300ee8e87112",
        )
        .unwrap();
        assert_eq!(BlobCipher::new(sync, &key.unwrap()).open(PATH, &sealed).unwrap(), b"zebra");
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = BlobKey::written_by(|key| {
            *key = [211; 32];
            Ok::<_, ()>(())
        });
        let form = BlobForm::Sealed(BlobCipher::new(SyncId::random(), &key.unwrap()));
        let shown = format!("{form:?} {:?}", form.capture(EntityKey([0; 16]), Bytes::from_static(b"zebra")));
        assert!(!shown.contains("211") && !shown.contains("d3d3") && !shown.contains("zebra"), "{shown}");
    }
}
