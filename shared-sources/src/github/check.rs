//! What of a config and of credentials `github` accepts: the definition's fields say it all.

use serde::Deserialize;

use super::name::RepositoryName;

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    pub(super) repo_name: RepositoryName,
    pub(super) branch: Option<String>,
    #[serde(default)]
    pub(super) sync_pull_requests: bool,
}

/// Who reads, and where. The API stands beside the token: whoever changes one must know the other, so a stored token
/// is never sent to where its owner didn't mean it to go. No `Debug`: it holds the token.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(super) personal_access_token: String,
    pub(super) api_url: Option<String>,
}
