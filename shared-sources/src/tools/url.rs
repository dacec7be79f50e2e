//! What is encoded in the URLs that entities are found at.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// In one part of a path: everything but what is never special.
pub(crate) const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// In a whole path: the same, but for the slashes.
pub(crate) const PATH: &AsciiSet = &PART.remove(b'/');
