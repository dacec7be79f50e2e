//! What S3 answers to a list of objects, or of their versions.
//!
//! An answer of something else would look like an empty store (DEL-7), so an answer has to be of the kind that was
//! asked for, say whether it is all, and hold nothing that might be an object and isn't read.

use percent_encoding::percent_decode_str;

use super::xml::{self, Element, Unreadable};
use crate::arf::bucket::object::{Object, Page, PageToken};

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::arf::bucket) enum Kind {
    /// Objects as they are now.
    Objects,
    /// All versions of them, and delete markers.
    Versions,
}

/// The elements that stand for an object in any kind of list.
const ENTRIES: [&str; 3] = ["Contents", "Version", "DeleteMarker"];

impl Kind {
    const fn root(self) -> &'static str {
        match self {
            Self::Objects => "ListBucketResult",
            Self::Versions => "ListVersionsResult",
        }
    }

    /// The elements that stand for an object in this kind of list.
    const fn entries(self) -> &'static [&'static str] {
        match self {
            Self::Objects => &["Contents"],
            Self::Versions => &["Version", "DeleteMarker"],
        }
    }
}

/// A page, and of which prefix it says to be.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) page: Page,
    /// As it was written, and as that is read: not every server encodes it.
    prefix: Option<[String; 2]>,
}

impl Listed {
    /// Whether it says to be of this prefix, or doesn't say.
    pub(super) fn may_be_of(&self, prefix: &str) -> bool {
        self.prefix.as_ref().is_none_or(|said| said.iter().any(|said| said == prefix))
    }
}

/// The page that the answer is.
///
/// # Errors
/// [`Unreadable`].
pub(super) fn page(answer: &[u8], kind: Kind) -> Result<Listed, Unreadable> {
    let list = xml::read(answer)?;
    if list.name != kind.root() || !list.text.trim().is_empty() {
        return Err(Unreadable);
    }
    let encoding = Encoding::of(&list)?;
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for child in &list.children {
        match child.name.as_str() {
            name if kind.entries().contains(&name) => objects.push(object(child, kind, encoding)?),
            "CommonPrefixes" => prefixes.extend(prefixes_in(child, encoding)?),
            // Servers have elements of their own, with a word or a number. Others might hold objects.
            name if ENTRIES.contains(&name) || !child.children.is_empty() => return Err(Unreadable),
            _ => {}
        }
    }
    let said = list.text_of("Prefix")?.map(|said| Ok([said.to_owned(), encoding.plain(said)?])).transpose()?;
    Ok(Listed { page: Page { objects, prefixes, next: next(&list, kind, encoding)? }, prefix: said })
}

fn object(entry: &Element, kind: Kind, encoding: Encoding) -> Result<Object, Unreadable> {
    let key = encoding.plain(entry.text_of("Key")?.ok_or(Unreadable)?)?;
    let version = match kind {
        Kind::Objects => None,
        // Without it a removal would be that of the object, which adds a delete marker.
        Kind::Versions => Some(entry.text_of("VersionId")?.ok_or(Unreadable)?.to_owned()),
    };
    Ok(Object { key, version })
}

/// What stands before the next delimiter, without it.
fn prefixes_in(common: &Element, encoding: Encoding) -> Result<Vec<String>, Unreadable> {
    if common.children.is_empty() {
        return Err(Unreadable);
    }
    let of = |child: &Element| {
        let is_prefix = child.name == "Prefix" && child.children.is_empty();
        let prefix = encoding.plain(&child.text)?;
        prefix.strip_suffix('/').filter(|_| is_prefix).map(str::to_owned).ok_or(Unreadable)
    };
    common.children.iter().map(of).collect()
}

/// Where it goes on. A list that is cut off has to say it.
fn next(list: &Element, kind: Kind, encoding: Encoding) -> Result<Option<PageToken>, Unreadable> {
    match list.text_of("IsTruncated")?.ok_or(Unreadable)?.trim() {
        "false" => return Ok(None),
        "true" => {}
        _ => return Err(Unreadable),
    }
    let token = match kind {
        Kind::Objects => {
            let token = list.text_of("NextContinuationToken")?.ok_or(Unreadable)?.to_owned();
            PageToken { token, version: None }
        }
        Kind::Versions => PageToken {
            token: encoding.plain(list.text_of("NextKeyMarker")?.ok_or(Unreadable)?)?,
            version: list.text_of("NextVersionIdMarker")?.map(str::to_owned),
        },
    };
    Ok(Some(token))
}

/// How keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// As they are: the server knows no other way.
    Plain,
    /// As in forms: `+` is a space.
    Url,
}

impl Encoding {
    fn of(list: &Element) -> Result<Self, Unreadable> {
        match list.text_of("EncodingType")? {
            None => Ok(Self::Plain),
            Some(kind) if kind.trim().eq_ignore_ascii_case("url") => Ok(Self::Url),
            Some(_) => Err(Unreadable),
        }
    }

    fn plain(self, key: &str) -> Result<String, Unreadable> {
        match self {
            Self::Plain => Ok(key.to_owned()),
            Self::Url => {
                let spaced = key.replace('+', " ");
                percent_decode_str(&spaced).decode_utf8().map(Into::into).map_err(|_| Unreadable)
            }
        }
    }
}
