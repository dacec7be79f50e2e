//! What runs beside the deletions of a gateway: the consumer of stop events, the poll that covers lost ones, the finisher.

use std::sync::Arc;
use std::time::Duration;

use shared_messaging::{Broker, ConsumerHandle, Delivery, Outcome, Subscription};
use shared_models::Message;
use shared_service::periodic::periodic;

use super::Deletions;
use super::stops::POLL_INTERVAL;

/// When the finisher looks, and how old a deletion must be for it.
#[derive(Debug, Clone, Copy)]
pub struct FinisherTimes {
    /// Time between two looks.
    pub interval: Duration,
    /// Age from which nobody is assumed to wait any more: longer than the cancel wait.
    pub age: Duration,
}

impl Deletions {
    /// Starts everything; it ends at shutdown, the poll when the last deletion has ended.
    pub fn start_background(&self, broker: &Broker, finisher: FinisherTimes) -> ConsumerHandle {
        let tasks = self.parts.tasks.clone();
        tasks.spawn("stop poll", self.clone().poll_stops());
        let deletions = self.clone();
        let finishing = periodic("finisher", finisher.interval, Arc::default(), tasks.shutdown().clone(), move || {
            let deletions = deletions.clone();
            async move { deletions.finish(finisher.age).await }
        });
        tasks.spawn("finisher", finishing);
        let stops = self.parts.stops.clone();
        let on_event = move |delivery: Delivery| {
            if let Message::JobStopped { job_id } = delivery.envelope.message {
                stops.stopped(job_id);
            }
            std::future::ready(Outcome::Done)
        };
        broker.consume(Subscription::Events { pattern: "job.stopped.#" }, &self.parts.publisher, on_event)
    }

    async fn poll_stops(self) {
        let parts = &self.parts;
        while !(parts.tasks.shutdown().is_cancelled() && parts.stops.is_idle()) {
            if let Err(error) = parts.stops.poll(&parts.database).await {
                tracing::warn!(%error, "stopped jobs not looked up; next poll");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
