//! A page of a bucket's list, as S3 tells it.

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// `ListBucketResult`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    #[serde(default, rename = "Contents")]
    objects: Vec<Entry>,
    /// Every list has it: without it an answer of something else would look like an empty bucket.
    is_truncated: bool,
    next_continuation_token: Option<String>,
    encoding_type: Option<String>,
}

/// What is told of one object. All as text: an entry that is odd must not cost the page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    size: Option<String>,
    #[serde(rename = "ETag")]
    e_tag: Option<String>,
    last_modified: Option<String>,
    storage_class: Option<String>,
}

/// An object of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    /// Unknown if it isn't a number.
    pub(super) size: Option<u64>,
    pub(super) mark: Mark,
    pub(super) modified: Option<DateTime<Utc>>,
    pub(super) is_archived: bool,
}

/// What changes when the content does: the tag, or the time where a service lists no tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    Tag(String),
    Time(String),
}

/// Classes whose objects must be brought back before they can be read.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

impl Page {
    /// Reads the XML.
    pub(super) fn parse(xml: &str) -> Result<Self, quick_xml::DeError> {
        quick_xml::de::from_str(xml)
    }

    /// Where the list goes on, if it does.
    pub(super) fn next(&self) -> Option<&str> {
        self.next_continuation_token.as_deref().filter(|token| self.is_truncated && !token.is_empty())
    }

    /// Whether it says that there is more without saying where.
    pub(super) fn is_cut(&self) -> bool {
        self.is_truncated && self.next().is_none()
    }

    pub(super) fn into_objects(self) -> impl Iterator<Item = Listed> {
        let is_encoded = self.encoding_type.is_some_and(|kind| kind.eq_ignore_ascii_case("url"));
        self.objects.into_iter().map(move |entry| entry.listed(is_encoded))
    }
}

impl Entry {
    fn listed(self, is_encoded: bool) -> Listed {
        let modified = self.last_modified.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        Listed {
            key: if is_encoded { decoded(&self.key) } else { self.key },
            size: self.size.and_then(|size| size.parse().ok()),
            mark: match self.e_tag.filter(|tag| !tag.is_empty()) {
                Some(tag) => Mark::Tag(tag),
                None => Mark::Time(self.last_modified.unwrap_or_default()),
            },
            modified: modified.map(|time| time.to_utc()),
            is_archived: self.storage_class.is_some_and(|class| ARCHIVES.contains(&class.as_str())),
        }
    }
}

/// A key as it was before the encoding of forms, in which a blank is a plus. Some services say that they encode and
/// don't: what holds more than such an encoding has is the key itself.
fn decoded(key: &str) -> String {
    if !key.bytes().all(|letter| letter.is_ascii_graphic()) {
        return key.to_owned();
    }
    percent_decode_str(&key.replace('+', "%20")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_and_an_odd_entry_costs_nothing_else() {
        let page = Page::parse(
            r#"<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
            <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t/1=</NextContinuationToken>
            <Contents><Key>a+b%2Bc%00</Key><Size>5</Size><ETag>&quot;x&quot;</ETag>
              <LastModified>2026-01-02T03:04:05.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>
            <KeyCount>2</KeyCount>
            <Contents><Key>odd</Key><Size>many</Size><LastModified>then</LastModified><StorageClass>GLACIER</StorageClass>
              <Owner><ID>o</ID></Owner></Contents></ListBucketResult>"#,
        )
        .unwrap();
        assert_eq!((page.next(), page.is_cut()), (Some("t/1="), false));
        let objects: Vec<Listed> = page.into_objects().collect();
        assert_eq!((objects[0].key.as_str(), objects[0].size), ("a b+c\0", Some(5)));
        assert_eq!((&objects[0].mark, objects[0].is_archived), (&Mark::Tag("\"x\"".to_owned()), false));
        assert!(objects[0].modified.is_some());
        assert_eq!((objects[1].size, objects[1].modified, objects[1].is_archived), (None, None, true));
        assert_eq!(objects[1].mark, Mark::Time("then".to_owned()));
    }

    #[test]
    fn an_empty_bucket_has_a_page_without_objects() {
        let page = Page::parse("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>").unwrap();
        assert_eq!((page.next(), page.is_cut()), (None, false));
        assert_eq!(page.into_objects().count(), 0);
        for other in ["<html>log in", "<html></html>", "<Error><Code>login</Code></Error>", ""] {
            assert!(Page::parse(other).is_err(), "{other}");
        }
    }
}
