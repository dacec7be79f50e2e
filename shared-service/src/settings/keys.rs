//! Secret keys with ids.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretBox};

/// A key setting can't be read. The text never quotes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// A part isn't `id:key`.
    #[error("not of the form id:base64-of-32-bytes")]
    Form,
    /// An id is empty or too long, or has other characters than letters, digits, `-`, `_` and `.`.
    #[error("a key id is not 1 to 64 letters, digits, '-', '_' or '.'")]
    Id,
    /// A key isn't base64.
    #[error("a key is not base64")]
    Base64,
    /// A key has another length.
    #[error("a key is not 32 bytes long")]
    Length,
    /// Two keys have one id.
    #[error("two keys have the same id")]
    Duplicate,
}

/// One key of 32 secret bytes.
#[derive(Clone)]
pub struct NamedKey {
    id: String,
    secret: Arc<SecretBox<[u8; 32]>>,
}

impl NamedKey {
    /// The key's id; public.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret bytes.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl FromStr for NamedKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let (id, key) = text.trim().split_once(':').ok_or(BadKey::Form)?;
        let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if id.is_empty() || id.len() > 64 || !id.chars().all(usual) {
            return Err(BadKey::Id);
        }
        let bytes = STANDARD.decode(key).map_err(|_| BadKey::Base64)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BadKey::Length)?;
        Ok(Self { id: id.to_owned(), secret: Arc::new(SecretBox::new(Box::new(bytes))) })
    }
}

/// Keys of which the first is used for new things and all for old ones.
#[derive(Debug, Clone)]
pub struct KeyRing {
    active: NamedKey,
    others: Vec<NamedKey>,
}

impl KeyRing {
    /// Every key, the active one first.
    fn keys(&self) -> impl Iterator<Item = &NamedKey> {
        std::iter::once(&self.active).chain(&self.others)
    }

    /// Every key's id and secret bytes, the active one first.
    pub fn secrets(&self) -> impl Iterator<Item = (String, [u8; 32])> {
        self.keys().map(|key| (key.id().to_owned(), *key.secret()))
    }
}

impl FromStr for KeyRing {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut keys = text.split(',').map(NamedKey::from_str);
        let active = keys.next().ok_or(BadKey::Form)??;
        let others: Vec<NamedKey> = keys.collect::<Result<_, _>>()?;
        let ring = Self { active, others };
        let ids: BTreeSet<&str> = ring.keys().map(NamedKey::id).collect();
        if ids.len() != ring.others.len() + 1 {
            return Err(BadKey::Duplicate);
        }
        Ok(ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn the_first_key_is_the_active_one() {
        let ring: KeyRing = format!("2026-b:{},2026-a:{}", key(2), key(1)).parse().unwrap();
        let keys: Vec<(String, [u8; 32])> = ring.secrets().collect();
        assert_eq!(keys, [("2026-b".to_owned(), [2; 32]), ("2026-a".to_owned(), [1; 32])]);
    }

    #[test]
    fn a_ring_that_cannot_be_read_says_why() {
        let cases = [
            (String::new(), BadKey::Form),
            (key(1), BadKey::Form),
            (format!(":{}", key(1)), BadKey::Id),
            (format!("a b:{}", key(1)), BadKey::Id),
            ("a:###".to_owned(), BadKey::Base64),
            (format!("a:{}", STANDARD.encode([1; 31])), BadKey::Length),
            (format!("a:{},a:{}", key(1), key(2)), BadKey::Duplicate),
            (format!("a:{},", key(1)), BadKey::Form),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<KeyRing>().unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let ring: KeyRing = format!("a:{}", key(7)).parse().unwrap();
        let shown = format!("{ring:?}");
        assert!(shown.contains("\"a\""));
        assert!(!shown.contains(&key(7)) && !shown.contains("7, 7"));
    }
}
