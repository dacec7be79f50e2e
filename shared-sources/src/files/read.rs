//! Reads files chunk by chunk, on blocking threads.

use super::Files;
use super::beneath::{Beneath, PathProblem};
use super::walk::Walk;
use crate::connector::Given;
use crate::tools::memory;
use crate::tools::patterns::Patterns;
use crate::{ReadSummary, SourceError};

/// Yields one entity per file, in the order of their paths.
pub(super) async fn read(given: Given<'_, Files>) -> Result<ReadSummary, SourceError> {
    let Given { config, credentials, access, sink, .. } = given;
    let root = credentials.root;
    let folder = access
        .settings
        .files
        .roots
        .folder(&root)
        .ok_or_else(|| SourceError::Misconfigured(format!("root '{root}' is not allowed on this worker")))?;
    let max_blob_bytes = access.max_blob_bytes;

    let mut walk = blocking(move || {
        let patterns = Patterns::new(&config.include, &config.exclude)
            .map_err(|error| SourceError::Misconfigured(error.to_string()))?;
        // The folder's path stays on this machine.
        let handle = Beneath::open_root(&folder)
            .map_err(|error| SourceError::Misconfigured(format!("root '{root}' cannot be opened: {error}")))?;
        let path = config.path.unwrap_or_default();
        let (start, prefix) = handle.descend(&path).map_err(|problem| wrong_path(&path, &problem))?;
        Ok(Walk::new(start, prefix, root, patterns, max_blob_bytes))
    })
    .await?;

    loop {
        let mut room = memory::reserve(walk.chunk_bytes()).await;
        let (walked, entities) = blocking(move || {
            let entities = walk.next_chunk(&mut room)?;
            Ok((walk, entities))
        })
        .await?;
        walk = walked;
        if entities.is_empty() && walk.is_done() {
            return Ok(walk.into_summary());
        }
        for entity in entities {
            sink.send(entity).await?;
        }
    }
}

fn wrong_path(path: &str, problem: &PathProblem) -> SourceError {
    SourceError::Misconfigured(match problem {
        PathProblem::Outside => format!("path '{path}' is outside of its root"),
        PathProblem::Link => format!("path '{path}' leads over a symbolic link; links are not followed"),
        PathProblem::Other(error) => format!("path '{path}' cannot be opened: {error}"),
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.map_err(|error| SourceError::Failed(format!("reading files broke off: {error}")))?
}
