//! Reads one commit.

use bytes::Bytes;
use futures::stream::{self, TryStreamExt as _};

use super::api::{Api, Head};
use super::client::ApiClient;
use super::content::{self, MAX_PATH_BYTES, Skip};
use super::entity::{self, Origin};
use super::tree::{Found, Step, Walk};
use super::wire::{Commit, EntryKind};
use super::{Github, GithubSettings};
use crate::connector::Given;
use crate::left_out::LeftOut;
use crate::{EntitySink, ReadSummary, SourceEntity, SourceError};

/// Files that are read at the same time; each may be as large as [`content::MAX_FILE_BYTES`].
const READS_IN_FLIGHT: usize = 4;

/// Yields the repository, its folders and its text files.
pub(super) async fn read(given: Given<'_, Github>) -> Result<ReadSummary, SourceError> {
    let Given { config, credentials, access, sink, .. } = given;
    let settings = &access.settings.github;
    let asked = config.repo_name;
    let client =
        ApiClient::new(base(credentials.api_url.as_deref(), settings)?, &credentials.personal_access_token, settings)?;
    let (api, repository) = Api::open(client, asked.clone()).await?;
    let branch = config.branch.as_deref().map(str::trim).filter(|branch| !branch.is_empty());
    let (branch, commit) = match api.head(branch, &repository).await? {
        Head::At(branch) => (branch.name, Some(branch.commit)),
        Head::Empty => (repository.default_branch.clone(), None),
    };
    let reading = Reading { api, origin: Origin { asked, repository, branch }, sink, left_out: LeftOut::default() };
    if config.sync_pull_requests {
        reading.left_out.warn("sync_pull_requests: pull requests are not read here");
    }
    sink.send(reading.origin.repository()).await?;
    if let Some(commit) = commit {
        reading.read_commit(commit).await?;
    }
    Ok(reading.left_out.into_summary())
}

fn base<'a>(named: Option<&str>, settings: &'a GithubSettings) -> Result<&'a url::Url, SourceError> {
    settings.apis.find(named).ok_or_else(|| {
        SourceError::Misconfigured(named.map_or_else(
            || "no GitHub API is allowed on this worker".to_owned(),
            |_| "the api_url of the credentials is not allowed on this worker".to_owned(),
        ))
    })
}

/// One run.
struct Reading<'a> {
    api: Api,
    origin: Origin,
    sink: &'a EntitySink,
    left_out: LeftOut,
}

impl Reading<'_> {
    async fn read_commit(&self, commit: Commit) -> Result<(), SourceError> {
        let walk = Walk::new(&self.api, commit.content.tree.sha);
        let steps = stream::try_unfold(walk, |mut walk| async {
            let step = walk.next().await?;
            Ok(step.map(|step| (step, walk)))
        });
        // Each is read and handed on by itself, so a read goes on while another one waits for the pipeline.
        steps.try_for_each_concurrent(READS_IN_FLIGHT, |step| self.take(step)).await
    }

    async fn take(&self, step: Step) -> Result<(), SourceError> {
        match step {
            Step::Entry(found) => self.take_entry(found).await,
            Step::CutFolder(path) => {
                let id = if path.is_empty() { self.origin.asked.to_string() } else { self.origin.id_of(&path) };
                self.left_out.gap_with_all_below(&id, "it has more entries than GitHub lists");
                Ok(())
            }
        }
    }

    async fn take_entry(&self, found: Found) -> Result<(), SourceError> {
        let entity = match found.kind {
            EntryKind::Link | EntryKind::Submodule => None,
            EntryKind::Folder | EntryKind::File if found.path.len() > MAX_PATH_BYTES => {
                self.skip(&found, Skip::LongPath);
                None
            }
            EntryKind::Folder => Some(self.origin.directory(&found.path)),
            EntryKind::File => self.file(&found).await?,
            EntryKind::Untold => {
                self.left_out.gap_with_all_below(&self.origin.id_of(&found.path), "what it is could not be told");
                None
            }
        };
        match entity {
            Some(entity) => self.sink.send(entity).await,
            None => Ok(()),
        }
    }

    /// The entity of a file; `None` if it isn't taken.
    async fn file(&self, found: &Found) -> Result<Option<SourceEntity>, SourceError> {
        let facts = entity::facts(&found.path);
        let Some(size) = found.size else {
            self.left_out.gap(&self.origin.id_of(&found.path), "its size is not told");
            return Ok(None);
        };
        let skip = match content::skipped_unread(&facts, size) {
            Some(skip) => skip,
            None => {
                let Some(bytes) = self.content(found, size).await? else {
                    self.left_out.gap(&self.origin.id_of(&found.path), "it is listed but not there");
                    return Ok(None);
                };
                match content::text(&bytes) {
                    Ok(text) => return Ok(Some(self.origin.file(found, &facts, text, bytes))),
                    Err(skip) => skip,
                }
            }
        };
        self.skip(found, skip);
        Ok(None)
    }

    fn skip(&self, found: &Found, skip: Skip) {
        self.left_out.unusable(&self.origin.id_of(&found.path), skip.reason());
    }

    /// The content of a file; `None` if it alone isn't there.
    async fn content(&self, found: &Found, size: u64) -> Result<Option<Bytes>, SourceError> {
        match usize::try_from(size) {
            Ok(0) => Ok(Some(Bytes::new())),
            Ok(size) => self.api.blob(&found.sha, size).await,
            Err(_) => Err(SourceError::Failed("a file is too large for this machine".to_owned())),
        }
    }
}
