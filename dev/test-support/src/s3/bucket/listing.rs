//! Lists of objects, page by page.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use s3s::dto::{CommonPrefix, EncodingType, ListObjectsV2Input, ListObjectsV2Output, Object, Timestamp};

/// Keys in an answer of a list, as Amazon has it.
const PAGE: usize = 1_000;

/// What is below a prefix, after a key or a token.
pub(super) fn list(objects: &BTreeMap<String, Vec<u8>>, input: &ListObjectsV2Input) -> ListObjectsV2Output {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = input.continuation_token.as_deref().or(input.start_after.as_deref()).unwrap_or_default();
    let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
    let below = objects.range::<str, _>((from, Bound::Unbounded));
    let below = below.take_while(|(key, _)| key.starts_with(prefix));
    let (mut contents, mut prefixes, mut last, mut is_truncated) = (Vec::new(), BTreeSet::new(), None, false);
    let is_encoded = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
    let written = |key: &str| if is_encoded { encoded(key) } else { key.to_owned() };
    for (key, content) in below {
        let folder = input.delimiter.as_deref().and_then(|delimiter| {
            let end = key[prefix.len()..].find(delimiter)?;
            Some(key[..prefix.len() + end + delimiter.len()].to_owned())
        });
        let is_known = folder.as_ref().is_some_and(|folder| prefixes.contains(folder) || after.starts_with(folder));
        if !is_known && contents.len() + prefixes.len() == PAGE {
            is_truncated = true;
            break;
        }
        last = Some(key.clone());
        match folder {
            Some(_) if is_known => {}
            Some(folder) => drop(prefixes.insert(folder)),
            None => contents.push(Object {
                key: Some(written(key)),
                size: i64::try_from(content.len()).ok(),
                last_modified: Some(Timestamp::from(std::time::UNIX_EPOCH)),
                ..Object::default()
            }),
        }
    }
    let prefixes = prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(written(&prefix)) });
    ListObjectsV2Output {
        contents: Some(contents),
        common_prefixes: Some(prefixes.collect()),
        is_truncated: Some(is_truncated),
        encoding_type: input.encoding_type.clone(),
        prefix: Some(written(prefix)),
        next_continuation_token: last.filter(|_| is_truncated),
        ..ListObjectsV2Output::default()
    }
}

/// As Amazon writes keys when it is asked to: as in forms, but for the slashes.
fn encoded(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
}
