//! Document types and ids in Vespa, and the key by which an entity is known inside its sync.
//!
//! Document ids are scoped by sync, so that connections never overwrite each other, and carry a hash instead of the
//! entity's id, under a key of the sync ([`crate::EntityKeys`]): Vespa keeps the id of a removed document for two weeks
//! by default, and an entity id can be personal data, which an unkeyed hash lets anybody guess.

use sha2::{Digest, Sha256};

use crate::ids::SyncId;
use crate::text_enum::text_enum;

text_enum! {
    /// An indexed document type. Naming a parent never includes its children, so all five are always named.
    DocumentType, "document type", {
        /// Rows, records, containers.
        Base = "base_entity",
        /// Files.
        File = "file_entity",
        /// Source code.
        CodeFile = "code_file_entity",
        /// Mail.
        Email = "email_entity",
        /// Pages.
        Web = "web_entity",
    }
}

/// Vespa's document namespace.
pub const NAMESPACE: &str = "airweave";

/// Keyed hash of an entity's class and id: its identity inside one sync, in rows, document ids and names of blobs. Made
/// by [`crate::EntityKeys`], or read from a row. 32 lower-case hex digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityKey(pub [u8; 16]);

impl EntityKey {
    /// The key by which versions before blob keys knew the entity: whoever guesses class and id finds it. To be looked
    /// up, so that what has it is moved; never to be written.
    #[must_use]
    pub fn unkeyed(class: &str, entity_id: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(class.as_bytes());
        hasher.update([0]);
        hasher.update(entity_id.as_bytes());
        let digest = hasher.finalize();
        let mut key = [0_u8; 16];
        for (to, from) in key.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        Self(key)
    }
}

impl std::fmt::Display for EntityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A full Vespa document id, `id:airweave:{type}::{specific}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentId {
    /// The document's type.
    pub document_type: DocumentType,
    /// The part after `::`.
    pub specific: String,
}

impl DocumentId {
    /// The id of one chunk of an entity.
    #[must_use]
    pub fn chunk(document_type: DocumentType, sync: SyncId, key: EntityKey, chunk: u32) -> Self {
        Self { document_type, specific: format!("{sync}.{key}.{chunk}") }
    }
}

impl std::fmt::Display for DocumentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "id:{NAMESPACE}:{}::{}", self.document_type, self.specific)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_two_syncs_never_share_an_id() {
        let key = EntityKey::unkeyed("FileEntity", "a.txt");
        let one = DocumentId::chunk(DocumentType::File, SyncId::random(), key, 0);
        let two = DocumentId::chunk(DocumentType::File, SyncId::random(), key, 0);
        assert_ne!(one, two);
    }

    #[test]
    fn class_and_id_cannot_be_shifted_into_each_other() {
        assert_ne!(EntityKey::unkeyed("ab", "c"), EntityKey::unkeyed("a", "bc"));
    }
}
