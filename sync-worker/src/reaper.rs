//! Ends jobs whose worker was lost: their lease ended longer ago than the guard, so none of their writes can be open.
//!
//! Every worker runs it, also for others' jobs. Keeps DEL-5: no job stays running for ever.

use std::time::Duration;

use shared_database::{Database, DatabaseError};
use shared_messaging::Publisher;
use shared_models::{Envelope, Message};
use shared_service::{Driver, Periodic};

/// Starts the reaper.
pub fn start(database: Database, publisher: Publisher, guard: Duration, interval: Duration, driver: &Driver) {
    driver.start(Periodic::every("reaper", interval), move |_| reap(database.clone(), publisher.clone(), guard));
}

async fn reap(database: Database, publisher: Publisher, guard: Duration) -> Result<(), DatabaseError> {
    for reaped in database.reap_jobs(guard).await? {
        tracing::warn!(job_id = %reaped.job_id, status = %reaped.status, "a job's worker was lost");
        metrics::counter!("unweave_sync_jobs_total", "outcome" => "lost").increment(1);
        let stopped = Envelope::new(Message::JobStopped { job_id: reaped.job_id }, None);
        if let Err(error) = publisher.publish(&stopped).await {
            tracing::debug!(%error, "the end of a lost job was not announced; whoever waits polls");
        }
    }
    Ok(())
}
