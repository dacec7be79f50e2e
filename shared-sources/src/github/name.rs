//! The name of a repository: checked when a connection is made, and again before a URL is built of it.

use std::str::FromStr;

use serde::Deserialize;

/// `owner/name` of a repository, made of nothing that has a meaning in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RepositoryName {
    /// The user or organization that it belongs to.
    pub owner: String,
    /// Its name among theirs.
    pub name: String,
}

/// The text names no repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("String should match pattern '^[a-zA-Z0-9_-]+/[a-zA-Z0-9_.-]+$'")]
pub(crate) struct NotARepository;

impl FromStr for RepositoryName {
    type Err = NotARepository;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |part: &str, others: &str| {
            !part.is_empty() && part.chars().all(|one| one.is_ascii_alphanumeric() || others.contains(one))
        };
        match text.split_once('/') {
            // A path would lose these two.
            Some((_, "." | "..")) | None => Err(NotARepository),
            Some((owner, name)) if is_plain(owner, "-_") && is_plain(name, "-_.") => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            Some(_) => Err(NotARepository),
        }
    }
}

/// Why `text` is no name, if it is none.
pub(super) fn problem(text: &str) -> Option<String> {
    text.parse::<RepositoryName>().err().map(|error| error.to_string())
}

impl TryFrom<String> for RepositoryName {
    type Error = NotARepository;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[test]
    fn a_name_cannot_reach_another_path() {
        let name: RepositoryName = "rust-lang/crates.io".parse().unwrap();
        assert_eq!(name.to_string(), "rust-lang/crates.io");
        for wrong in ["", "x", "x/", "/x", "a/b/c", "a/..", "a/.", "../a", "a/b?c", "a/b#c", "a/b%2fc", "a b/c", "a/ü"]
        {
            assert_eq!(wrong.parse::<RepositoryName>(), Err(NotARepository), "{wrong}");
        }
    }

    #[test]
    fn the_form_takes_a_repository_and_perhaps_a_branch() {
        let check = |config: serde_json::Value| {
            Source::Github.check_config(config.as_object().unwrap(), None).map(serde_json::Value::Object)
        };
        let valid = check(serde_json::json!({"repo_name": "octo/spoon", "branch": ""}));
        assert_eq!(
            valid,
            Ok(serde_json::json!({"repo_name": "octo/spoon", "branch": null, "sync_pull_requests": false}))
        );
        let refused = check(serde_json::json!({"repo_name": "spoon"})).unwrap_err().to_string();
        assert!(refused.starts_with("repo_name: String should match pattern"), "{refused}");
        assert_eq!(check(serde_json::json!({})).unwrap_err().to_string(), "repo_name: Field required");
    }
}
