//! `files`: the regular files below a folder that the operator allowed.
//!
//! Nothing outside the root is ever read: every open goes through a handle of the root and follows no symbolic link
//! (see [`beneath`]), so a link that is put there in the middle of a run yields no content either. Files are read on
//! blocking threads, a few at a time; dropping the future ends the walk after the chunk in progress.
//!
//! Binary files hold nothing to search in: they are counted and left out, by content and not by name.
//!
//! A file or folder that can't be read is counted, and what is known of it stays until it can: only what the folder
//! doesn't list any more is gone. If the root itself can't be read the run fails.
//!
//! Memory is bounded, for all jobs together (see [`memory`]): of a file's text the first MiB is searched (`truncated`
//! says so), larger files than the blob limit are read no further than that, and a folder of more than a million names
//! counts as unreadable.
//!
//! Not guaranteed: that a run sees one state of the folder. A file that changes while it is read yields a mixture, and
//! the next run mends it, for its time of change was looked at before its content. A network file system that hangs
//! holds a thread until it answers.

use serde::Deserialize;

use self::beneath::{Beneath, PathProblem};
use self::patterns::Patterns;
use self::walk::Walk;
use super::{EntitySink, ReadSummary, SourceError, SourceLimits, memory};

mod beneath;
pub(super) mod content;
mod entity;
pub(super) mod kinds;
mod patterns;
#[cfg(test)]
mod tests;
mod walk;

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    path: Option<String>,
    include: Vec<String>,
    exclude: Vec<String>,
}

/// Which folder the owner may read.
#[derive(Debug, Deserialize)]
pub(super) struct Credentials {
    root: String,
}

/// Yields one entity per file, in the order of their paths.
pub(super) async fn read(
    config: Config,
    credentials: Credentials,
    limits: &SourceLimits,
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    let root = credentials.root;
    let folder = limits
        .file_roots
        .get(&root)
        .cloned()
        .ok_or_else(|| SourceError::Misconfigured(format!("root '{root}' is not allowed on this worker")))?;
    let max_blob_bytes = limits.max_blob_bytes;

    let mut walk = blocking(move || {
        let patterns = Patterns::new(&config.include, &config.exclude)?;
        // The folder's path stays on this machine.
        let handle = Beneath::open_root(&folder)
            .map_err(|error| SourceError::Misconfigured(format!("root '{root}' cannot be opened: {error}")))?;
        let path = config.path.unwrap_or_default();
        let (start, prefix) = handle.descend(&path).map_err(|problem| wrong_path(&path, &problem))?;
        Ok(Walk::new(start, prefix, root, patterns, max_blob_bytes))
    })
    .await?;

    loop {
        let mut room = tokio::select! {
            room = memory::reserve(walk.chunk_bytes()) => room,
            () = sink.closed() => return Err(SourceError::Stopped),
        };
        let (walked, entities) = blocking(move || {
            let entities = walk.next_chunk(&mut room)?;
            Ok((walk, entities))
        })
        .await?;
        walk = walked;
        if entities.is_empty() && walk.is_done() {
            return Ok(walk.into_summary());
        }
        if sink.is_closed() {
            return Err(SourceError::Stopped);
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
