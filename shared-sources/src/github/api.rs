//! The questions that are asked of the API.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use url::Url;

use super::client::{Answer, AnswerSize, ApiClient, Failure};
use super::name::RepositoryName;
use super::wire::{Branch, BranchName, Repository, Sha, Tree};
use crate::SourceError;

const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";
/// GitHub cuts trees at 7 MB of its own count.
const MAX_JSON_BYTES: usize = 64 << 20;
/// Names in the text about a branch that isn't there.
const MAX_BRANCH_NAMES: usize = 20;
/// Pages of names that are asked for: a server that gives no name may still say that there is a next page.
const MAX_BRANCH_PAGES: usize = 10;

/// One repository at one API.
#[derive(Debug)]
pub(super) struct Api {
    client: ApiClient,
    /// As the connection's owner wrote it.
    asked: RepositoryName,
    /// As GitHub calls it now.
    current: RepositoryName,
}

/// What a branch points to.
#[derive(Debug)]
pub(super) enum Head {
    /// A commit.
    At(Branch),
    /// Nothing: the repository has no commit yet.
    Empty,
}

impl Api {
    /// Asks for the repository, so that it is known to be there.
    pub(super) async fn open(client: ApiClient, asked: RepositoryName) -> Result<(Self, Repository), SourceError> {
        let mut api = Self { client, current: asked.clone(), asked };
        let repository = api.repository().await?;
        // A renamed repository would be redirected to with every request.
        api.current = repository.full_name.clone();
        Ok((api, repository))
    }

    async fn repository(&self) -> Result<Repository, SourceError> {
        let answer = self.json::<Repository>(&self.url(&[])).await;
        let (repository, _) = answer.map_err(|failure| {
            failure.or_missing(|_| {
                SourceError::Misconfigured(format!(
                    "GitHub at {} has no repository '{}', or the personal access token may not read it",
                    self.client.host, self.asked
                ))
            })
        })?;
        Ok(repository)
    }

    /// Where `branch` is; without a name, the default branch of `repository`.
    pub(super) async fn head(&self, branch: Option<&str>, repository: &Repository) -> Result<Head, SourceError> {
        let name = branch.unwrap_or(&repository.default_branch);
        if matches!(name, "." | "..") {
            return Err(SourceError::Misconfigured(format!("'{name}' is not the name of a branch")));
        }
        match self.json::<Branch>(&self.url(&["branches", name])).await {
            Ok((branch, _)) => Ok(Head::At(branch)),
            Err(Failure::Source(error)) => Err(error),
            Err(Failure::Missing(_) | Failure::Empty) => {
                let names = self.branch_names().await?;
                if names.is_empty() && branch.is_none() {
                    return self.empty(repository);
                }
                Err(SourceError::Misconfigured(format!(
                    "the repository '{}' has no branch '{}'; it has {}",
                    self.asked,
                    self.shown(name),
                    self.listed(&names)
                )))
            }
        }
    }

    /// An empty repository means that everything in it is gone, so all that GitHub says of it must fit together.
    fn empty(&self, repository: &Repository) -> Result<Head, SourceError> {
        let said = match repository.size {
            Some(0) => return Ok(Head::Empty),
            Some(_) => "has content but no branch",
            None => "has no branch, but not that it is empty",
        };
        Err(SourceError::Unreachable(format!(
            "GitHub at {} says that the repository '{}' {said}; nothing is taken for removed",
            self.client.host, self.asked
        )))
    }

    /// The names of all branches, page by page; more than can be shown aren't asked for.
    /// None means that there are none.
    async fn branch_names(&self) -> Result<Vec<String>, SourceError> {
        let mut url = self.url(&["branches"]);
        url.set_query(Some("per_page=100"));
        let mut names = Vec::new();
        for _ in 0..MAX_BRANCH_PAGES {
            let (branches, answer) = match self.json::<Vec<BranchName>>(&url).await {
                Ok(page) => page,
                Err(Failure::Empty) => return Ok(Vec::new()),
                Err(failure) => return Err(failure.or_missing(|said| self.lost(said))),
            };
            names.extend(branches.into_iter().map(|branch| branch.name));
            match next_page(&answer, &url) {
                Some(next) if names.len() <= MAX_BRANCH_NAMES => url = next,
                Some(_) | None => return Ok(names),
            }
        }
        if names.is_empty() {
            let text = format!("GitHub at {} lists the branches of '{}' without end", self.client.host, self.asked);
            return Err(SourceError::Failed(text));
        }
        Ok(names)
    }

    /// What is in a folder, or with `is_recursive` in it and below it.
    pub(super) async fn tree(&self, sha: &Sha, is_recursive: bool) -> Result<Tree, SourceError> {
        let mut url = self.url(&["git", "trees", sha.as_str()]);
        if is_recursive {
            url.set_query(Some("recursive=1"));
        }
        let (tree, _) = self.json(&url).await.map_err(|failure| failure.or_missing(|said| self.lost(said)))?;
        Ok(tree)
    }

    /// The content of a file of `size` bytes; `None` if it isn't there although its repository is.
    pub(super) async fn blob(&self, sha: &Sha, size: usize) -> Result<Option<Bytes>, SourceError> {
        let url = self.url(&["git", "blobs", sha.as_str()]);
        match self.client.get(&url, RAW, AnswerSize::Exactly(size)).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(Failure::Source(error)) => Err(error),
            // A token that may no longer read the repository hears the same of every file.
            Err(Failure::Missing(_) | Failure::Empty) => self.repository().await.map(|_| None),
        }
    }

    /// Something that belongs to the commit isn't there: never a reason to take it for removed.
    fn lost(&self, said: &str) -> SourceError {
        SourceError::Unreachable(format!("the repository '{}' lost a part while it was read: {said}", self.asked))
    }

    async fn json<T: DeserializeOwned>(&self, url: &Url) -> Result<(T, Answer), Failure> {
        let answer = self.client.get(url, JSON, AnswerSize::AtMost(MAX_JSON_BYTES)).await?;
        let value = serde_json::from_slice(&answer.body).map_err(|error| {
            // The parser's own text would quote what the server sent.
            let text = format!(
                "an answer of GitHub at {} can't be understood (line {}, column {})",
                self.client.host,
                error.line(),
                error.column()
            );
            Failure::Source(SourceError::Failed(text))
        })?;
        Ok((value, answer))
    }

    /// A name or path of the server as it may be shown.
    pub(super) fn shown(&self, name: &str) -> String {
        self.client.shown(name)
    }

    fn listed(&self, names: &[String]) -> String {
        let shown: Vec<String> = names.iter().take(MAX_BRANCH_NAMES).map(|name| self.shown(name)).collect();
        match names.len() {
            0 => "none yet".to_owned(),
            all if all <= MAX_BRANCH_NAMES => shown.join(", "),
            _ => format!("{} and others", shown.join(", ")),
        }
    }

    /// The URL of `parts` below the repository.
    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.client.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["repos", &self.current.owner, &self.current.name]).extend(parts);
        }
        url
    }
}

/// Where the list goes on, if it does, and at the same host.
fn next_page(answer: &Answer, here: &Url) -> Option<Url> {
    let links = answer.headers.get(reqwest::header::LINK)?.to_str().ok()?;
    let next = links.split(',').find_map(|link| {
        let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        parameters.split(';').any(|one| one.trim() == "rel=\"next\"").then_some(url)
    })?;
    here.join(next).ok().filter(|next| next.origin() == here.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(link: &'static str) -> Option<String> {
        let headers = [(reqwest::header::LINK, reqwest::header::HeaderValue::from_static(link))];
        let answer = Answer { headers: headers.into_iter().collect(), body: Bytes::new() };
        next_page(&answer, &"https://api.test/repos/o/r/branches".parse().unwrap()).map(Into::into)
    }

    #[test]
    fn the_next_page_is_found_at_the_same_host_only() {
        let link = "<https://api.test/x?page=1>; rel=\"prev\", <https://api.test/x?page=3>; rel=\"next\"";
        assert_eq!(next(link).as_deref(), Some("https://api.test/x?page=3"));
        assert_eq!(next("<https://api.test/x?page=9>; rel=\"last\""), None);
        assert_eq!(next("<https://evil.test/x?page=3>; rel=\"next\""), None);
        assert_eq!(next("nonsense"), None);
    }
}
