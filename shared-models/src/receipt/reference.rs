//! The caller's reference of a deletion: in ledger and receipt only as a hash with a random salt, from which nobody can
//! guess it; the receipt's file, which its organization alone gets, opens it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes of the salt.
pub const SALT_BYTES: usize = 16;

/// SHA-256 of salt and reference, in lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReferenceHash(pub [u8; 32]);

/// What opens a [`ReferenceHash`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// 16 random bytes, in lower-case hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub salt: Salt,
    /// The reference, as the caller gave it.
    pub reference: String,
}

/// The salt of one reference.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt(pub [u8; SALT_BYTES]);

/// The text isn't lower-case hexadecimal digits of the right number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not lower-case hexadecimal digits of the right number")]
pub struct MalformedHex;

impl Opening {
    /// Opens it by a new salt.
    #[must_use]
    pub fn new(reference: String) -> Self {
        Self { salt: Salt::random(), reference }
    }

    /// The hash that it opens.
    #[must_use]
    pub fn hash(&self) -> ReferenceHash {
        ReferenceHash(Sha256::new().chain_update(self.salt.0).chain_update(&self.reference).finalize().into())
    }
}

impl Salt {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }
}

macro_rules! hex_text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedHex;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                let bytes = hex::decode(&text).ok().and_then(|bytes| bytes.try_into().ok()).map(Self);
                bytes.filter(|bytes| bytes.to_string() == text).ok_or(MalformedHex)
            }
        }

        impl From<$name> for String {
            fn from(bytes: $name) -> Self {
                bytes.to_string()
            }
        }
    )+};
}

hex_text!(ReferenceHash, Salt);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_opened_by_its_salt_and_reference_only() {
        let opening: Opening =
            serde_json::from_str(r#"{"salt":"000102030405060708090a0b0c0d0e0f","reference":"GDPR-42"}"#).unwrap();
        let expected = "9b80aa5892751ce49b4ada1a005ff6d16de2c3643091c2d95a1763518512025c";
        assert_eq!(opening.hash().to_string(), expected);
        assert_ne!(opening.hash(), Opening { reference: "GDPR-43".to_owned(), ..opening.clone() }.hash());
        assert_ne!(opening.hash(), Opening::new("GDPR-42".to_owned()).hash());
    }

    #[test]
    fn a_hash_has_one_text() {
        let text = "ab".repeat(32);
        assert_eq!(ReferenceHash::try_from(text.clone()).unwrap().to_string(), text);
        for other in [text.to_uppercase(), "ab".repeat(31), "zz".repeat(32), String::new()] {
            assert_eq!(ReferenceHash::try_from(other), Err(MalformedHex));
        }
    }
}
