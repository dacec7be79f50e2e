//! What runs beside the deletions of a gateway: the consumer of stop events, the poll that covers lost ones,
//! the finisher.

use shared_messaging::{Broker, ConsumerHandle, Outcome, Subscription};
use shared_models::{Envelope, Message};
use shared_service::{Driver, Periodic};

use super::Deletions;
use super::finisher::FinisherTimes;
use super::stops::POLL_INTERVAL;

impl Deletions {
    /// Starts everything; it ends at shutdown, the poll when the last deletion has ended.
    pub fn start_background(&self, broker: &Broker, driver: &Driver, finisher: FinisherTimes) -> ConsumerHandle {
        let (waits, parts) = (self.parts.stops.clone(), self.parts.clone());
        let poll = Periodic::every("stop poll", POLL_INTERVAL).and_during_shutdown_while(move || !waits.is_idle());
        driver.start(poll, move |_| {
            let parts = parts.clone();
            async move { parts.stops.poll(&parts.database).await }
        });
        let deletions = self.clone();
        driver.start(Periodic::every("finisher", finisher.interval), move |_| {
            let deletions = deletions.clone();
            async move { deletions.finish(finisher).await }
        });
        let stops = self.parts.stops.clone();
        let on_event = move |envelope: Envelope| {
            if let Message::JobStopped { job_id } = envelope.message {
                stops.stopped(job_id);
            }
            std::future::ready(Outcome::Done)
        };
        broker.consume(Subscription::Events { pattern: "job.stopped.#" }, &self.parts.publisher, on_event)
    }
}
