//! The parts of GitHub's answers that are read here.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::name::RepositoryName;

/// The empty tree's name, by SHA-1 and by SHA-256.
const EMPTY_TREES: [&str; 2] =
    ["4b825dc642cb6eb9a060e54bf8d69288fbee4904", "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"];

/// The name of a git object: hexadecimal, so it can stand in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Sha(String);

impl Sha {
    /// Whether it names the folder without entries, which git knows without storing it: it can't be asked for.
    pub(super) fn is_empty_tree(&self) -> bool {
        EMPTY_TREES.contains(&self.0.as_str())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sha {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && (40..=64).contains(&text.len()) { Ok(Self(text)) } else { Err("not the name of a git object") }
    }
}

/// `GET /repos/{owner}/{repo}`.
#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) name: String,
    /// The name that it has now.
    pub(super) full_name: RepositoryName,
    pub(super) html_url: String,
    pub(super) default_branch: String,
    pub(super) description: Option<String>,
    pub(super) language: Option<String>,
    #[serde(default)]
    pub(super) fork: bool,
    pub(super) size: Option<u64>,
    pub(super) stargazers_count: Option<u64>,
    pub(super) watchers_count: Option<u64>,
    pub(super) forks_count: Option<u64>,
    pub(super) open_issues_count: Option<u64>,
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) updated_at: Option<DateTime<Utc>>,
}

/// `GET /repos/{owner}/{repo}/branches/{branch}`.
#[derive(Debug, Deserialize)]
pub(super) struct Branch {
    pub(super) name: String,
    pub(super) commit: Commit,
}

/// The newest commit of a branch.
#[derive(Debug, Deserialize)]
pub(super) struct Commit {
    #[serde(rename = "commit")]
    pub(super) content: CommitContent,
}

/// What git itself knows of a commit.
#[derive(Debug, Deserialize)]
pub(super) struct CommitContent {
    pub(super) tree: TreeName,
}

/// The root folder of a commit.
#[derive(Debug, Deserialize)]
pub(super) struct TreeName {
    pub(super) sha: Sha,
}

/// One of `GET /repos/{owner}/{repo}/branches`.
#[derive(Debug, Deserialize)]
pub(super) struct BranchName {
    pub(super) name: String,
}

/// `GET /repos/{owner}/{repo}/git/trees/{sha}`.
#[derive(Debug, Deserialize)]
pub(super) struct Tree {
    pub(super) tree: Vec<TreeEntry>,
    /// Whether something was left out.
    pub(super) truncated: bool,
}

/// One thing in a folder.
#[derive(Debug, Deserialize)]
pub(super) struct TreeEntry {
    /// Below the folder that was asked for.
    pub(super) path: String,
    mode: String,
    pub(super) sha: Sha,
    /// Of a file, bytes.
    pub(super) size: Option<u64>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Folder,
    File,
    /// Its content is a path; never followed.
    Link,
    /// A commit of another repository.
    Submodule,
    /// Of a mode that git doesn't have.
    Untold,
}

impl TreeEntry {
    /// What the entry is by its git mode.
    pub(super) fn kind(&self) -> EntryKind {
        match self.mode.as_str() {
            "040000" | "40000" => EntryKind::Folder,
            "120000" => EntryKind::Link,
            "160000" => EntryKind::Submodule,
            mode if mode.starts_with("100") => EntryKind::File,
            _ => EntryKind::Untold,
        }
    }
}

/// What comes with a refusal.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) message: String,
}
