//! Names of blobs. Whatever a source calls its files, a name stays one path segment of bounded length (DEL-4).

use sha2::{Digest, Sha256};
use shared_models::{EntityKey, SyncId};

/// The folder of all syncs.
pub(super) const RAW: &str = "raw";

/// The manifest's name inside its sync's prefix.
pub(super) const MANIFEST: &str = "manifest.json";

/// Longest safe form of a file's own name, in bytes. With key and staging suffix it stays below every store's 255.
const MAX_NAME_BYTES: usize = 120;
const MAX_EXTENSION_BYTES: usize = 12;

/// What of an entity a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlobKind {
    /// What is known of it, as JSON; the raw file's name is in there.
    Capture,
    /// Its raw file.
    File,
}

/// The prefix of a sync, without a slash at its end.
pub(super) fn prefix(sync: SyncId) -> String {
    format!("{RAW}/{sync}")
}

/// The sync whose prefix has this name: no other way of writing a UUID leads to it.
pub(super) fn sync_of(name: &str) -> Option<SyncId> {
    name.parse().ok().filter(|sync: &SyncId| sync.to_string() == name)
}

/// The name of a blob inside its sync's prefix. It tells nothing of what is in it.
pub(super) fn blob(key: EntityKey, kind: BlobKind) -> String {
    match kind {
        BlobKind::Capture => format!("entities/{key}.json"),
        BlobKind::File => format!("files/{key}"),
    }
}

/// The name that versions before blob keys gave a file inside its sync's prefix.
pub(super) fn named_file(key: EntityKey, name: &str) -> String {
    format!("files/{key}_{}", safe(name))
}

/// `name` if it is harmless, else a harmless form of it with a hash, so that two names never become one.
fn safe(name: &str) -> String {
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(is_harmless) {
        return name.to_owned();
    }
    let hash: String = hex::encode(Sha256::digest(name.as_bytes())).chars().take(16).collect();
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, end)) if end.len() <= MAX_EXTENSION_BYTES && end.chars().all(|c| c.is_ascii_alphanumeric()) => {
            (stem, format!(".{end}"))
        }
        Some(_) | None => (name, String::new()),
    };
    let room = MAX_NAME_BYTES - MAX_EXTENSION_BYTES - 20;
    let stem: String = stem.chars().map(|c| if is_harmless(c) { c } else { '_' }).take(room).collect();
    format!("{stem}-{hash}{extension}")
}

/// Whether this is what a local write leaves when it is killed half-way: `{name}#{digits}`.
pub(super) fn is_staging(name: &str) -> bool {
    let digits = name.rsplit_once('#').map(|(_, digits)| digits);
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_names_stay() {
        assert_eq!(safe("report-1.final.pdf"), "report-1.final.pdf");
    }

    #[test]
    fn every_other_name_becomes_one_short_segment() {
        let long = "x".repeat(5000);
        for name in
            ["", "../../etc/passwd", "a/b", "a\\b", "é.txt", "x#1", "a b", "\0", "日本語.pdf", "a.b/c", long.as_str()]
        {
            let safe = safe(name);
            assert!(safe.len() <= MAX_NAME_BYTES, "{safe}");
            assert!(safe.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{safe}");
            assert!(!is_staging(&safe), "{safe}");
        }
    }

    #[test]
    fn names_that_look_alike_when_made_safe_stay_apart() {
        assert_ne!(safe("a/b.txt"), safe("a_b.txt"));
        assert_ne!(safe("a/b.txt"), safe("a:b.txt"));
        assert!(safe("a/b.txt").ends_with(".txt"));
    }
}
