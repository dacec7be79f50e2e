//! Which files are taken: text that isn't too large. The rest is told by name before it costs a request, or by content.

use bytes::Bytes;

use crate::tools::content::Content;
use crate::tools::kinds::NameFacts;
use crate::tools::text::MAX_TEXT_BYTES;

/// Largest file that is read, bytes; the search covers its first [`MAX_TEXT_BYTES`].
pub(super) const MAX_FILE_BYTES: u64 = 10 << 20;

/// Longest path that is taken, bytes: the longest that a file system has.
pub(super) const MAX_PATH_BYTES: usize = 4095;

/// How the files begin that stand for content in Git LFS.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const MAX_LFS_POINTER_BYTES: usize = 1024;

/// Why a file isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// A path of more than [`MAX_PATH_BYTES`].
    LongPath,
    /// Pictures, archives, programs.
    Binary,
    /// More than [`MAX_FILE_BYTES`].
    TooLarge,
    /// The content isn't in the repository.
    LfsPointer,
}

impl Skip {
    /// As its owner is told.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::LongPath => "its path is too long",
            Self::Binary => "it holds no text",
            Self::TooLarge => "it is larger than 10 MiB",
            Self::LfsPointer => "its content is in Git LFS",
        }
    }
}

/// Whether the file need not be read to be left out.
pub(super) fn skipped_unread(facts: &NameFacts, size: u64) -> Option<Skip> {
    if facts.extension.as_deref().is_some_and(is_binary) {
        return Some(Skip::Binary);
    }
    (size > MAX_FILE_BYTES).then_some(Skip::TooLarge)
}

/// The text of a file.
///
/// # Errors
/// Why it isn't taken.
pub(super) fn text(bytes: &Bytes) -> Result<String, Skip> {
    if bytes.len() <= MAX_LFS_POINTER_BYTES && bytes.starts_with(LFS_POINTER) {
        return Err(Skip::LfsPointer);
    }
    match Content::of(bytes.get(..MAX_TEXT_BYTES).unwrap_or(bytes)) {
        Content::Text(text) => Ok(text),
        Content::Binary(_) => Err(Skip::Binary),
    }
}

fn is_binary(extension: &str) -> bool {
    BINARY_EXTENSIONS.binary_search(&extension).is_ok()
}

/// Extensions that never name a text, sorted.
const BINARY_EXTENSIONS: &[&str] = &[
    "7z",
    "a",
    "avi",
    "avif",
    "bmp",
    "bz2",
    "class",
    "dll",
    "doc",
    "docx",
    "dylib",
    "eot",
    "exe",
    "flac",
    "gif",
    "gz",
    "h5",
    "icns",
    "ico",
    "jar",
    "jpeg",
    "jpg",
    "m4a",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "npy",
    "npz",
    "o",
    "ogg",
    "onnx",
    "otf",
    "parquet",
    "pdf",
    "png",
    "ppt",
    "pptx",
    "psd",
    "pyc",
    "rar",
    "safetensors",
    "so",
    "sqlite",
    "tgz",
    "tif",
    "tiff",
    "ttf",
    "war",
    "wasm",
    "wav",
    "webm",
    "webp",
    "whl",
    "woff",
    "woff2",
    "xls",
    "xlsx",
    "xz",
    "zip",
    "zst",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_name_or_a_size_saves_the_request() {
        let skipped = |path: &str, size| skipped_unread(&NameFacts::of(Path::new(path)), size);
        assert_eq!(skipped("logo.PNG", 10), Some(Skip::Binary));
        assert_eq!(skipped("huge.csv", MAX_FILE_BYTES + 1), Some(Skip::TooLarge));
        assert_eq!(skipped("logo.svg", MAX_FILE_BYTES), None);
        assert_eq!(skipped("Makefile", 10), None);
    }

    #[test]
    fn every_extension_is_found() {
        assert!(BINARY_EXTENSIONS.is_sorted() && BINARY_EXTENSIONS.iter().all(|extension| is_binary(extension)));
    }

    #[test]
    fn content_decides_about_the_rest() {
        let pointer = Bytes::from_static(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
        assert_eq!(text(&pointer), Err(Skip::LfsPointer));
        assert_eq!(text(&Bytes::from_static(b"ELF\0\0\x01")), Err(Skip::Binary));
        assert_eq!(text(&Bytes::from_static(b"\xff\xfeK\0\xe4\0")).as_deref(), Ok("Kä"));
    }
}
