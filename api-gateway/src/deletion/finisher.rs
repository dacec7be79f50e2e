//! Finishes deletions that nobody waits for any more: their gateway died between D1 and D3, or gave up at the bound.
//!
//! Runs in every gateway and takes no input but the rows (DEL-5): what one tick can't commit, the next one tries again.

use std::time::Duration;

use shared_database::DatabaseError;
use shared_database::deletion::{Commit, InProgress, Subject};
use shared_models::invariant::facts::{Complete, Progress, Work};
use shared_service::invariants;

use super::Deletions;

/// When the finisher looks, and how old a deletion must be for it.
#[derive(Debug, Clone, Copy)]
pub struct FinisherTimes {
    /// Time between two looks.
    pub interval: Duration,
    /// Age from which nobody is assumed to wait any more: longer than the cancel wait.
    pub age: Duration,
}

impl Deletions {
    /// One tick: watches every deletion in progress, and commits those requested longer than `times.age` ago.
    pub(super) async fn finish(&self, times: FinisherTimes) -> Result<(), DatabaseError> {
        let parts = &self.parts;
        let in_progress = parts.database.in_progress().await?;
        let seen: Vec<Subject> = in_progress.iter().map(|deletion| deletion.subject).collect();
        parts.watch.retain(&seen);
        for InProgress { subject, age: requested_ago } in in_progress {
            // Watched from the first sight on, so that the wait for silent writers runs while others still try.
            let watched_since = parts.watch.observe(subject);
            if requested_ago < times.age {
                continue;
            }
            match parts.try_commit(subject, watched_since).await {
                Ok(Commit::Done(cleanups)) => {
                    tracing::warn!(%subject, ?cleanups, "finished a deletion that nobody waited for");
                    metrics::counter!("unweave_deletions_total", "result" => "finished").increment(1);
                    parts.watch.forget(subject);
                    parts.relay.ring();
                }
                Ok(Commit::NotYet) => {
                    tracing::info!(%subject, "deletion can't be finished yet");
                    self.judge_age(subject, times);
                }
                Ok(Commit::AlreadyGone) => parts.watch.forget(subject),
                Err(error) => {
                    tracing::warn!(%subject, %error, "deletion could not be finished; next tick");
                    if !error.is_retryable() {
                        self.judge_age(subject, times);
                    }
                }
            }
        }
        Ok(())
    }

    /// A deletion that this gateway could have finished by now, PostgreSQL answering, is overdue; that is told once.
    fn judge_age(&self, subject: Subject, times: FinisherTimes) {
        let bound = times.age.max(self.parts.times.silence_after()) + 2 * times.interval;
        if let Some(age) = self.parts.watch.untold_age(subject, bound) {
            invariants::judge(&Complete { work: Work::Deletion, progress: Progress::UnderWay { age, bound } });
        }
    }
}
