//! Files that the caller names: read up to a bound, for they may be anything.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use shared_models::ledger::{NoteError, SignedCheckpoint, TrustedKeys, read_checkpoint};

use crate::failure::Failure;

/// No note and no list of keys is larger.
const MOST_TEXT: u64 = 64 * 1024;

/// The content of a file, or of standard input if it is called `-`. One byte more than `most` is read, so that what is
/// larger is seen to be so.
///
/// # Errors
/// It can't be read.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| Failure::Unchecked(format!("read {}: {error}", path.display()));
    let mut content = Vec::new();
    if path == Path::new("-") {
        take(io::stdin().lock(), most, &mut content).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        take(file, most, &mut content).map_err(unreadable)?;
    }
    Ok(content)
}

fn take(from: impl Read, most: u64, to: &mut Vec<u8>) -> io::Result<()> {
    from.take(most.saturating_add(1)).read_to_end(to).map(drop)
}

/// The same of a short text.
///
/// # Errors
/// It can't be read, or is no text.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(read(path, MOST_TEXT)?).ok();
    let text = text.filter(|text| u64::try_from(text.len()).is_ok_and(|length| length <= MOST_TEXT));
    text.ok_or_else(|| Failure::Unchecked(format!("read {}: no text of at most {MOST_TEXT} bytes", path.display())))
}

/// A checkpoint that the caller kept.
///
/// # Errors
/// It can't be read, or no known key signed it.
pub fn read_kept_checkpoint(path: &Path, keys: &TrustedKeys) -> Result<SignedCheckpoint, Failure> {
    read_checkpoint(&read_text(path)?, keys)
        .map_err(|error: NoteError| Failure::refused("kept_checkpoint", format!("{}: {error}", path.display())))
}
