//! Tells the workers that a job is to stop: the one place that publishes `CancelSync`.
//!
//! The row is the truth. A message that is lost costs time: the worker stops when its lease can't be renewed (DEL-2).

use shared_messaging::Publisher;
use shared_models::{Envelope, Message, RequestId, SyncJobId};
use shared_service::Tasks;

/// Publishes beside the caller, who never waits for the broker: it may be down or slow.
pub fn announce(tasks: &Tasks, publisher: &Publisher, job_id: SyncJobId, request: RequestId) {
    let publisher = publisher.clone();
    drop(tasks.spawn("publish CancelSync", async move {
        let envelope = Envelope::new(Message::CancelSync { job_id }, Some(request));
        if let Err(error) = publisher.publish(&envelope).await {
            tracing::warn!(%job_id, %error, "CancelSync not published; the refused lease renewal stops the job");
        }
    }));
}
