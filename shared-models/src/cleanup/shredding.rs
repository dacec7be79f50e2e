//! Shredding: what became of the key that a deleted sync's blobs were encrypted with.

use chrono::{DateTime, Utc};

/// What is known of the key of a deleted sync's blobs, and of blobs that it never covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shredding {
    /// When the key went, with the sync's row; `None` if there was none.
    pub key_destroyed_at: Option<DateTime<Utc>>,
    /// Whether blobs may have been written without encryption, at any time.
    pub has_plain_blobs: bool,
}

impl Shredding {
    /// Whether nothing that an object store still keeps of the sync can be read any more. Only then may anybody say so.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        self.key_destroyed_at.is_some() && !self.has_plain_blobs
    }

    /// What the object store may keep out of reach of a purge, and whether it can be read. A purge reaches earlier
    /// versions if they were removed, too.
    pub(super) fn out_of_reach(self, are_versions_removed: bool) -> String {
        let copies = if are_versions_removed {
            "Copies that the object store keeps elsewhere, such as replicas in other buckets"
        } else {
            "Earlier versions and soft-deleted copies that the object store keeps by its bucket settings"
        };
        let readable = match (self.key_destroyed_at, self.has_plain_blobs) {
            (Some(_), false) => {
                "encrypted, and unreadable since their key went, but for whoever has both an older backup of PostgreSQL \
                 and its key ring."
            }
            (Some(_), true) => {
                "those that were written without encryption may be readable, those that were encrypted are not."
            }
            (None, _) => "they may be readable.",
        };
        format!("{copies}: {readable}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_called_unreadable_only_if_all_were_encrypted_and_the_key_is_gone() {
        for key_destroyed_at in [None, Some(DateTime::UNIX_EPOCH)] {
            for has_plain_blobs in [false, true] {
                for are_versions_removed in [false, true] {
                    let shredding = Shredding { key_destroyed_at, has_plain_blobs };
                    let text = shredding.out_of_reach(are_versions_removed);
                    assert_eq!(shredding.is_complete(), key_destroyed_at.is_some() && !has_plain_blobs);
                    assert_eq!(text.contains("may be readable"), !shredding.is_complete(), "{text}");
                    assert_eq!(text.contains("unreadable"), shredding.is_complete(), "{text}");
                    assert_eq!(text.contains("Earlier versions"), !are_versions_removed, "{text}");
                }
            }
        }
    }
}
