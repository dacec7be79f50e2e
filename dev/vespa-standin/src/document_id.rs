//! Document ids, `id:{namespace}:{type}:{key/values}:{specific}`, and the bucket into which an id falls.

use std::fmt;

/// Eight distribution bits: what Vespa uses for a cluster of one to four nodes.
pub const BUCKETS: u16 = 256;

/// What groups a document with others: the part of the id between the third and the fourth colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Nothing: the usual form.
    None,
    /// `n=…`
    Number(u64),
    /// `g=…`
    Group(String),
}

/// A document id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentId {
    /// The namespace.
    pub namespace: String,
    /// The name of the document type; it need not exist.
    pub doc_type: String,
    /// The number or group.
    pub location: Location,
    /// The part that the writer chose.
    pub specific: String,
}

impl DocumentId {
    /// Takes a full id apart.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, ':');
        let (scheme, namespace, doc_type, location, specific) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if scheme != "id" || namespace.is_empty() || doc_type.is_empty() {
            return None;
        }
        let location = match location.split_once('=') {
            None if location.is_empty() => Location::None,
            Some(("n", number)) => Location::Number(number.parse().ok()?),
            Some(("g", group)) => Location::Group(group.to_owned()),
            _ => return None,
        };
        Some(Self {
            namespace: namespace.to_owned(),
            doc_type: doc_type.to_owned(),
            location,
            specific: specific.to_owned(),
        })
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id:{}:{}:", self.namespace, self.doc_type)?;
        match &self.location {
            Location::None => {}
            Location::Number(number) => write!(f, "n={number}")?,
            Location::Group(group) => write!(f, "g={group}")?,
        }
        write!(f, ":{}", self.specific)
    }
}

/// The bucket of an id: the order of a visit is the order of the buckets, arbitrary as seen from the ids.
pub fn bucket(id: &str) -> u8 {
    let hash =
        id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash.to_be_bytes().into_iter().fold(0, |folded, byte| folded ^ byte)
}
