//! Reads what a stand asks for, once.

use serde_json::{Map, Value};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::stand::{Asked, Stand};
use crate::run::collected;
use crate::{EntitySink, Offer, Offers, ReadSummary, SourceAccess, SourceEntity, SourceError};

/// What came of a run.
pub(crate) struct Run {
    pub(crate) entities: Vec<SourceEntity>,
    pub(crate) outcome: Result<ReadSummary, SourceError>,
}

impl Run {
    /// Everything of a run that went well, in the order of the ids.
    pub(super) fn all(mut self) -> (Vec<SourceEntity>, ReadSummary) {
        self.entities.sort_by(|one, other| one.id.cmp(&other.id));
        (self.entities, self.outcome.unwrap())
    }
}

/// What a source is read with, as it comes from the rows of a connection.
pub(super) struct Prepared {
    config: Map<String, Value>,
    credentials: Map<String, Value>,
    access: SourceAccess,
}

impl Prepared {
    pub(super) fn by(stand: &impl Stand) -> Self {
        let Asked { config, credentials, access } = stand.asked();
        let object = |value: Value| value.as_object().cloned().unwrap();
        Self { config: object(config), credentials: object(credentials), access }
    }

    pub(super) async fn read<S: Stand>(&self, sink: EntitySink) -> Result<ReadSummary, SourceError> {
        S::SOURCE.read(&self.config, &self.credentials, &self.access, None, sink).await
    }
}

/// Reads everything.
pub(super) async fn read<S: Stand>(stand: &S) -> Run {
    let (sink, entities) = EntitySink::new(2);
    let prepared = Prepared::by(stand);
    let (outcome, entities) = tokio::join!(prepared.read::<S>(sink), collected(entities));
    Run { entities, outcome }
}

/// Reads while everything that is offered in the version of `stored` is kept.
pub(super) async fn read_beside<S: Stand>(stand: &S, stored: &[SourceEntity]) -> Run {
    let (sink, entities, mut offered) = EntitySink::with_offers(2);
    let prepared = Prepared::by(stand);
    let answering = async {
        while let Some(Offers { offers, answer }) = offered.recv().await {
            let is_stored = |offer: &Offer| {
                stored.iter().any(|entity| entity.id == offer.id && entity.version.as_ref() == Some(&offer.version))
            };
            answer.send(offers.iter().map(is_stored).collect()).unwrap();
        }
    };
    let (outcome, entities, ()) = tokio::join!(prepared.read::<S>(sink), collected(entities), answering);
    Run { entities, outcome }
}

/// Reads until `moment`, from which on nobody takes entities; tells what came of the run and when that was.
pub(super) async fn read_until<S: Stand>(
    stand: &S,
    moment: impl AsyncFnOnce(&mut Receiver<SourceEntity>),
) -> (Result<ReadSummary, SourceError>, Instant) {
    let (sink, mut entities) = EntitySink::new(1);
    let prepared = Prepared::by(stand);
    let stopping = async {
        moment(&mut entities).await;
        drop(entities);
        Instant::now()
    };
    tokio::join!(prepared.read::<S>(sink), stopping)
}
