//! D2: waits until the jobs have stopped, at most for the cancel wait. No durable step:
//! whoever dies here loses nothing.
//!
//! The wait wakes on the job's stop event; one poll for all waits of this gateway covers lost events. At ttl + guard
//! the writers are known to be silent without any word of theirs (DEL-2, DEL-8).

use std::time::{Duration, Instant};

use metrics::histogram;
use shared_database::DatabaseError;
use shared_database::deletion::{Commit, Subject};
use shared_models::invariant::facts::Bounded;
use shared_models::{RequestId, SyncJobId};
use shared_service::invariants;

use super::{CASCADE_MARGIN, DeletionAnswer, Parts, owned};
use crate::cancel;

/// From when on a deletion counts its times.
#[derive(Clone, Copy)]
pub(super) struct Since {
    /// When the request came.
    pub(super) asked: Instant,
    /// When this process began to watch.
    pub(super) watched: Instant,
}

impl Parts {
    pub(super) async fn wait_and_commit(
        &self,
        subject: Subject,
        is_owner: bool,
        stopping: &[SyncJobId],
        Since { asked, watched }: Since,
        request: RequestId,
    ) -> Result<DeletionAnswer, DatabaseError> {
        let began = Instant::now();
        let silent_at = watched + self.times.silence_after();
        let bound = began + self.times.cancel_wait;
        let longest = self.times.cancel_wait + CASCADE_MARGIN;
        let wait = self.stops.register(stopping);
        stopping.iter().for_each(|&job| cancel::announce(&self.tasks, &self.publisher, job, request));
        loop {
            // At the bound the outcome is known by the clock; until then an event, or the poll, wakes.
            let until = if Instant::now() < silent_at { silent_at.min(bound) } else { bound };
            let timed_out = tokio::time::timeout_at(until.into(), wait.stopped()).await.is_err();
            let woken_after = began.elapsed();
            invariants::judge(&Bounded { waited: asked.elapsed(), bound: longest });
            let failure = match self.try_commit(subject, watched).await {
                Ok(Commit::Done(cleanups)) => {
                    if Instant::now() < silent_at {
                        histogram!("unweave_deletion_wait_seconds").record(woken_after);
                    }
                    return Ok(owned(is_owner, cleanups));
                }
                Ok(Commit::AlreadyGone) => {
                    let cleanups = if is_owner { self.cleanups_to_name(subject).await } else { vec![] };
                    return Ok(owned(is_owner, cleanups));
                }
                Ok(Commit::NotYet) => None,
                Err(error) if error.is_retryable() => Some(error),
                Err(error) => return Err(error),
            };
            if Instant::now() >= bound {
                return failure.map_or(Ok(DeletionAnswer::StillRunning), Err);
            }
            if timed_out || failure.is_some() {
                // Woken by the clock, or PostgreSQL failed: try again soon, without an event to wait for.
                tokio::time::sleep(RETRY.min(bound.saturating_duration_since(Instant::now()))).await;
                wait.again();
            }
        }
    }
}

const RETRY: Duration = Duration::from_millis(200);
