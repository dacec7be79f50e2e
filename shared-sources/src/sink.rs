//! The way from a source to the pipeline.

use tokio::sync::{mpsc, oneshot};

use crate::tools::times;
use crate::{SourceEntity, SourceError};

/// An entity in a version, offered before it is read: what is stored in just this version need not be.
///
/// The version is whatever text changes when the entity would, its form included, as told by a list: a tag, a size, a
/// revision. An entity that is sent with a version is compared by it alone, so a source that offers must send
/// [`SourceEntity::version`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Entity class.
    pub class: &'static str,
    /// Entity id.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// Offers that wait for an answer: for each, in their order, whether it was kept as it is stored.
#[derive(Debug)]
pub struct Offers {
    /// What is offered.
    pub offers: Vec<Offer>,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Vec<bool>>,
}

/// Where a source puts what it read; waits while the pipeline is full, so memory stays bounded.
#[derive(Debug, Clone)]
pub struct EntitySink {
    entities: mpsc::Sender<SourceEntity>,
    /// `None` if nothing is stored that could be kept.
    offers: Option<mpsc::Sender<Offers>>,
}

impl EntitySink {
    /// A sink and the end that the pipeline reads. Nothing is known to be stored: every offer is to be read.
    #[cfg(test)]
    pub(crate) fn new(capacity: usize) -> (Self, mpsc::Receiver<SourceEntity>) {
        let (entities, receiver) = mpsc::channel(capacity);
        (Self { entities, offers: None }, receiver)
    }

    /// A sink whose offers somebody answers.
    #[must_use]
    pub fn with_offers(capacity: usize) -> (Self, mpsc::Receiver<SourceEntity>, mpsc::Receiver<Offers>) {
        let (entities, receiver) = mpsc::channel(capacity);
        let (offers, offered) = mpsc::channel(1);
        (Self { entities, offers: Some(offers) }, receiver, offered)
    }

    /// Hands an entity on, without times that clients couldn't read.
    ///
    /// # Errors
    /// [`SourceError::Stopped`] if the job is stopping.
    pub(crate) async fn send(&self, mut entity: SourceEntity) -> Result<(), SourceError> {
        entity.created_at = entity.created_at.and_then(times::sayable);
        entity.updated_at = entity.updated_at.and_then(times::sayable);
        self.entities.send(entity).await.map_err(|_| SourceError::Stopped)
    }

    /// Keeps those of `offers` that are stored in just their version; tells for each whether it was, in their order.
    /// What was kept counts as yielded.
    ///
    /// # Errors
    /// [`SourceError::Stopped`] if the job is stopping.
    pub(crate) async fn keep_unchanged(&self, offers: Vec<Offer>) -> Result<Vec<bool>, SourceError> {
        let count = offers.len();
        let Some(asked) = self.offers.as_ref().filter(|_| count > 0) else { return Ok(vec![false; count]) };
        let (answer, answered) = oneshot::channel();
        asked.send(Offers { offers, answer }).await.map_err(|_| SourceError::Stopped)?;
        let mut kept = answered.await.map_err(|_| SourceError::Stopped)?;
        kept.resize(count, false);
        Ok(kept)
    }

    /// Waits until nobody takes entities any more.
    pub(crate) async fn closed(&self) {
        self.entities.closed().await;
    }
}
