//! The hashes of the Merkle tree, as RFC 6962 defines them: leaves and inner nodes are told apart by their first byte.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// How many bytes a hash has.
pub const HASH_BYTES: usize = 32;

/// The root of a log without entries: the SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash(tlog_tiles::EMPTY_HASH.0);

/// A SHA-256: of an entry, of a node of the tree, of its root. People and JSON see standard base64, as checkpoints do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; HASH_BYTES]);

/// The text isn't the standard base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is the standard base64 of 32 bytes")]
pub struct MalformedHash;

/// The hash of an entry as a leaf of the tree.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    tlog_tiles::record_hash(entry).into()
}

/// The hash of an inner node.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    tlog_tiles::node_hash((*left).into(), (*right).into()).into()
}

impl From<tlog_tiles::Hash> for Hash {
    fn from(hash: tlog_tiles::Hash) -> Self {
        Self(hash.0)
    }
}

impl From<Hash> for tlog_tiles::Hash {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = MalformedHash;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = STANDARD.decode(text).map_err(|_| MalformedHash)?;
        bytes.try_into().map(Self).map_err(|_| MalformedHash)
    }
}

impl TryFrom<String> for Hash {
    type Error = MalformedHash;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_nodes_and_the_empty_root_are_those_of_rfc_6962() {
        let hex = |hash: Hash| hex::encode(hash.0);
        assert_eq!(hex(EMPTY_ROOT), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(leaf_hash(b"L123456")), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
        let node = tlog_tiles::node_hash(tlog_tiles::Hash([1; 32]), tlog_tiles::Hash([2; 32]));
        assert_eq!(node_hash(&Hash([1; 32]), &Hash([2; 32])), node.into());
    }

    #[test]
    fn a_hash_is_read_from_its_own_text_only() {
        let text = EMPTY_ROOT.to_string();
        assert_eq!(text, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(text.parse(), Ok(EMPTY_ROOT));
        for other in ["", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV="]
        {
            assert_eq!(other.parse::<Hash>(), Err(MalformedHash), "{other}");
        }
    }
}
