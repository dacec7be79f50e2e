//! Puts that say what they expect to find.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use s3s::dto::{ETag, PutObjectInput};
use s3s::{S3Result, s3_error};

/// What becomes of `If-None-Match: *` and `If-Match` of a put.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Conditions {
    /// They are kept.
    #[default]
    Kept,
    /// They are overlooked, as by stores that don't know them.
    Ignored,
    /// They are refused, as by stores that say that they don't know them.
    Refused,
}

impl Conditions {
    /// Whether a put of an object, of which that is there, may be done.
    pub(super) fn may_put(self, there: Option<&[u8]>, input: &PutObjectInput) -> S3Result<()> {
        let is_met = match (&input.if_none_match, &input.if_match) {
            (None, None) => return Ok(()),
            (Some(_), _) => there.is_none(),
            (None, Some(expected)) => {
                there.is_some_and(|content| expected.as_etag().is_some_and(|expected| *expected == e_tag(content)))
            }
        };
        match self {
            Self::Kept if !is_met => Err(s3_error!(PreconditionFailed)),
            Self::Refused => Err(s3_error!(NotImplemented)),
            Self::Kept | Self::Ignored => Ok(()),
        }
    }
}

/// Another one for other content.
pub(super) fn e_tag(content: &[u8]) -> ETag {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    ETag::Strong(format!("{:016x}", hasher.finish()))
}
