//! Finishes deletions that nobody waits for any more: their gateway died between D1 and D3, or gave up at the bound.
//!
//! Runs in every gateway and takes no input but the rows (DEL-5): what one tick can't commit, the next one tries again.

use std::time::Duration;

use shared_database::DatabaseError;
use shared_database::deletion::{Commit, InProgress, Subject};

use super::Deletions;

impl Deletions {
    /// One tick: watches every deletion in progress, and commits those requested longer than `age` ago.
    pub(super) async fn finish(&self, age: Duration) -> Result<(), DatabaseError> {
        let parts = &self.parts;
        let in_progress = parts.database.in_progress().await?;
        let seen: Vec<Subject> = in_progress.iter().map(|deletion| deletion.subject).collect();
        parts.watch.retain(&seen);
        for InProgress { subject, age: requested_ago } in in_progress {
            // Watched from the first sight on, so that the wait for silent writers runs while others still try.
            let watched_since = parts.watch.observe(subject);
            if requested_ago < age {
                continue;
            }
            match parts.try_commit(subject, watched_since).await {
                Ok(Commit::Done(cleanups)) => {
                    tracing::warn!(%subject, ?cleanups, "finished a deletion that nobody waited for");
                    metrics::counter!("unweave_deletions_total", "result" => "finished").increment(1);
                    parts.watch.forget(subject);
                    parts.relay.ring();
                }
                Ok(Commit::NotYet) => tracing::info!(%subject, "deletion can't be finished yet"),
                Ok(Commit::AlreadyGone) => parts.watch.forget(subject),
                Err(error) => tracing::warn!(%subject, %error, "deletion could not be finished; next tick"),
            }
        }
        Ok(())
    }
}
