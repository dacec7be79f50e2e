//! The way from a source to the pipeline.

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::{SourceEntity, SourceError};

/// Where a source puts what it read; waits while the pipeline is full, so memory stays bounded.
#[derive(Debug, Clone)]
pub struct EntitySink(mpsc::Sender<SourceEntity>);

impl EntitySink {
    /// A sink and the end that the pipeline reads.
    #[must_use]
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<SourceEntity>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    /// Hands an entity on.
    ///
    /// # Errors
    /// [`SourceError::Stopped`] if the job is stopping.
    pub async fn send(&self, entity: SourceEntity) -> Result<(), SourceError> {
        self.0.send(entity).await.map_err(|_| SourceError::Stopped)
    }

    /// Waits until nobody takes entities any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    /// Whether nobody takes entities any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Sleeps, but not longer than somebody takes entities.
    ///
    /// # Errors
    /// [`SourceError::Stopped`] if the job is stopping.
    pub(crate) async fn sleep_until(&self, deadline: Instant) -> Result<(), SourceError> {
        tokio::select! {
            () = self.closed() => Err(SourceError::Stopped),
            () = tokio::time::sleep_until(deadline) => Ok(()),
        }
    }
}
