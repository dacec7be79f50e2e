//! Which files are taken: text that isn't too large. The rest is told by name before it costs a request, or by content.

use bytes::Bytes;

use crate::sources::files::content::Content;
use crate::sources::files::kinds::NameFacts;
use crate::sources::text::MAX_TEXT_BYTES;

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

/// Extensions that never name a text.
fn is_binary(extension: &str) -> bool {
    matches!(
        extension,
        "png"
            | "jpg"
            | "jpeg"
            | "gif"
            | "bmp"
            | "ico"
            | "icns"
            | "webp"
            | "avif"
            | "tif"
            | "tiff"
            | "psd"
            | "mp3"
            | "wav"
            | "flac"
            | "ogg"
            | "m4a"
            | "mp4"
            | "mov"
            | "avi"
            | "mkv"
            | "webm"
            | "zip"
            | "gz"
            | "tgz"
            | "bz2"
            | "xz"
            | "zst"
            | "7z"
            | "rar"
            | "jar"
            | "war"
            | "whl"
            | "exe"
            | "dll"
            | "so"
            | "dylib"
            | "o"
            | "a"
            | "class"
            | "pyc"
            | "wasm"
            | "woff"
            | "woff2"
            | "ttf"
            | "otf"
            | "eot"
            | "pdf"
            | "doc"
            | "docx"
            | "xls"
            | "xlsx"
            | "ppt"
            | "pptx"
            | "parquet"
            | "npy"
            | "npz"
            | "h5"
            | "onnx"
            | "safetensors"
            | "sqlite"
    )
}

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
    fn content_decides_about_the_rest() {
        let pointer = Bytes::from_static(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
        assert_eq!(text(&pointer), Err(Skip::LfsPointer));
        assert_eq!(text(&Bytes::from_static(b"ELF\0\0\x01")), Err(Skip::Binary));
        assert_eq!(text(&Bytes::from_static(b"\xff\xfeK\0\xe4\0")).as_deref(), Ok("Kä"));
    }
}
