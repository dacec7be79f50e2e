//! Which repository is read, and what its parts are called: ids, and the pages where people see them.

use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `owner/name`, made of nothing that has a meaning in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct RepositoryName {
    pub(super) owner: String,
    pub(super) name: String,
}

impl RepositoryName {
    /// The id of a file or folder of this repository: of the name that the connection was made with, so that a rename
    /// on GitHub changes no id.
    pub(super) fn id_of(&self, path: &str) -> String {
        format!("{self}/{path}")
    }
}

impl FromStr for RepositoryName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |part: &str, others: &str| {
            let mut characters = part.chars();
            !part.is_empty() && characters.all(|one| one.is_ascii_alphanumeric() || others.contains(one))
        };
        match text.trim().split_once('/') {
            Some((owner, name)) if is_plain(owner, "-_") && is_plain(name, "-_.") && !matches!(name, "." | "..") => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err("a repository is named owner/repo"),
        }
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// The page of a folder (`tree`) or file (`blob`) of the repository whose page is `repository`.
pub(super) fn page(repository: &str, kind: &str, branch: &str, path: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, IN_URL);
    format!("{repository}/{kind}/{}/{}", encoded(branch), encoded(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_reach_another_path() {
        let name: RepositoryName = "rust-lang/crates.io".parse().unwrap();
        assert_eq!(name.to_string(), "rust-lang/crates.io");
        for wrong in ["", "x", "x/", "/x", "a/b/c", "a/..", "a/.", "../a", "a/b?c", "a/b#c", "a/b%2fc", "a b/c"] {
            assert!(wrong.parse::<RepositoryName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn pages_are_encoded() {
        let page = page("https://github.com/o/r", "blob", "fix/a#1", "a b/ü?.rs");
        assert_eq!(page, "https://github.com/o/r/blob/fix/a%231/a%20b/%C3%BC%3F.rs");
    }
}
