//! The URLs of one bucket.

use std::fmt::Write as _;

use percent_encoding::utf8_percent_encode;
use url::{Host, Url};

use crate::tools::url as encoding;

/// Keys of a page. S3 gives no more than this itself.
const PAGE_KEYS: &str = "1000";

/// Where a bucket is: a URL with a slash at its end.
#[derive(Debug)]
pub(super) struct Address(Url);

impl Address {
    /// The bucket at `endpoint`, in the path or before the host; `None` if the endpoint can't have it there.
    pub(super) fn of(endpoint: &Url, bucket: &str, path_style: bool) -> Option<Self> {
        let mut url = endpoint.clone();
        if path_style {
            url.set_path(&format!("/{bucket}/"));
        } else {
            // An address has no names below it.
            let Host::Domain(domain) = endpoint.host()? else { return None };
            url.set_host(Some(&format!("{bucket}.{domain}"))).ok()?;
        }
        Some(Self(url))
    }

    /// The page of the list of what begins with `prefix`, from `token` on.
    pub(super) fn page(&self, prefix: &str, token: Option<&str>) -> Url {
        let mut query = format!("list-type=2&encoding-type=url&max-keys={PAGE_KEYS}");
        for (name, value) in [("prefix", Some(prefix)), ("continuation-token", token)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let _ = write!(query, "&{name}={}", utf8_percent_encode(value, encoding::PART));
            }
        }
        let mut url = self.0.clone();
        url.set_query(Some(&query));
        url
    }

    /// The object of a key; `None` if no URL means just this key, as none does with `.` or `..` as a part of its path.
    pub(super) fn object(&self, key: &str) -> Option<Url> {
        let wanted = format!("{}{}", self.0.path(), utf8_percent_encode(key, encoding::PATH));
        let mut url = self.0.clone();
        url.set_path(&wanted);
        (url.path() == wanted).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_stands_in_the_path_or_before_the_host() {
        let endpoint: Url = "https://s3.example.com:9000".parse().unwrap();
        let at = |path_style| Address::of(&endpoint, "b.c", path_style).unwrap().0.to_string();
        assert_eq!(at(true), "https://s3.example.com:9000/b.c/");
        assert_eq!(at(false), "https://b.c.s3.example.com:9000/");
        assert!(Address::of(&"http://127.0.0.1:9000".parse().unwrap(), "abc", false).is_none());
    }

    #[test]
    fn a_key_means_itself_or_is_not_asked_for() {
        let address = Address("http://h/b/".parse().unwrap());
        let url = |key: &str| address.object(key).map(|url| url.to_string());
        assert_eq!(url("a b/ü?#%/c+d"), Some("http://h/b/a%20b/%C3%BC%3F%23%25/c%2Bd".to_owned()));
        assert_eq!(url("a//b"), Some("http://h/b/a//b".to_owned()));
        for odd in ["a/../b", "./a", "..", "a/."] {
            assert_eq!(url(odd), None, "{odd}");
        }
    }

    #[test]
    fn prefix_and_token_are_told_whatever_they_hold() {
        let address = Address("http://h/b/".parse().unwrap());
        let query = "list-type=2&encoding-type=url&max-keys=1000";
        assert_eq!(address.page("", None).query(), Some(query));
        let both = format!("{query}&prefix=a%2Fb%26c&continuation-token=t%2F1%3D");
        assert_eq!(address.page("a/b&c", Some("t/1=")).query(), Some(both.as_str()));
    }
}
