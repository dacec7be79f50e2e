//! The text of API keys: 32 random bytes as URL-safe base64, 43 characters. Only its SHA-256 is stored: so many random
//! bytes need no salt and no slow hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a key's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

/// A new key.
#[must_use]
pub fn generate() -> SecretString {
    SecretString::from(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// Whether the text has the form of a key.
#[must_use]
pub fn is_well_formed(key: &SecretString) -> bool {
    URL_SAFE_NO_PAD.decode(key.expose_secret()).is_ok_and(|bytes| bytes.len() == 32)
}

/// What is stored of a key.
#[must_use]
pub fn hash(key: &str) -> KeyHash {
    KeyHash(Sha256::digest(key.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_well_formed_and_new() {
        let (one, two) = (generate(), generate());
        assert!(is_well_formed(&one));
        assert_eq!(one.expose_secret().len(), 43);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }
}
