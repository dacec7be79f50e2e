//! The consumer of `cleanup.requests`. A message is a bell: it is acknowledged at once, whatever becomes of it.
//!
//! While PostgreSQL is down nothing is consumed: the bells stay in their queue, and none is requeued. Losing one costs
//! at most the poll interval.

use shared_database::Database;
use shared_messaging::{Handler, Outcome};
use shared_models::{Envelope, Message};
use shared_service::periodic::{LastRun, RunOutcome};
use shared_service::{Bell, Driver};

use crate::{looks, slots};

/// Handles the messages of `cleanup.requests`.
pub struct BellHandler {
    /// What to ring.
    pub bell: Bell,
    /// What knows how the last look for cleanups went.
    pub driver: Driver,
    /// What must answer before consuming goes on.
    pub database: Database,
}

impl Handler for BellHandler {
    async fn handle(&self, envelope: Envelope) -> Outcome {
        match envelope.message {
            Message::CleanupRequested { cleanup_id } => {
                tracing::debug!(%cleanup_id, "asked to look for due cleanups");
                self.bell.ring();
            }
            Message::RunSync { .. }
            | Message::CancelSync { .. }
            | Message::JobStopped { .. }
            | Message::SourceConnectionDeleted { .. }
            | Message::CleanupCompleted { .. } => {
                tracing::warn!(kind = envelope.message.kind(), "message of another queue, ignored");
            }
        }
        if is_database_down(&self.driver) { Outcome::DoneAndPause } else { Outcome::Done }
    }

    async fn ready(&self) -> bool {
        self.database.ping().await.is_ok()
    }
}

/// Whether PostgreSQL failed to answer those who look for work.
fn is_database_down(driver: &Driver) -> bool {
    let last = driver.last_runs();
    let has_failed = |task| matches!(last.get(task), Some(Some(LastRun { outcome: RunOutcome::Failed, .. })));
    [looks::TASK, slots::TASK].into_iter().any(has_failed)
}
