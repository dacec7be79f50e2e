//! Many writes to the stores at a time: the tool of the stages that write and of removals.

use std::collections::HashMap;

use futures::stream::{FuturesUnordered, StreamExt as _};
use shared_models::EntityKey;
use shared_stores::arf::Blob;

use super::error::JobError;
use super::writer::{NotWritten, Refusal, StoreWrite, Writer};
use crate::lease::WriteKind;

/// Writes of one entity, made one by one when their turn comes: a large entity has thousands.
pub type Writes = Box<dyn Iterator<Item = StoreWrite> + Send>;

/// Which entities had a write refused, and why.
#[derive(Debug, Default)]
pub struct Refusals(HashMap<EntityKey, Refusal>);

impl Refusals {
    /// Whether every write of the entity was taken.
    #[must_use]
    pub fn is_complete(&self, key: EntityKey) -> bool {
        !self.0.contains_key(&key)
    }

    /// Why a write of the entity was refused, if one was.
    #[must_use]
    pub fn why(&self, key: EntityKey) -> Option<&str> {
        self.0.get(&key).map(|refusal| refusal.text.as_str())
    }

    /// Adds those of other writes.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Counts what was refused of `from` as refused of `to`.
    pub fn pass_on(&mut self, of: &Self, from: EntityKey, to: EntityKey) {
        if let Some(refusal) = of.0.get(&from) {
            self.0.insert(to, refusal.clone());
        }
    }

    /// Tells the writer of each refused entity.
    ///
    /// # Errors
    /// [`JobError::Refused`] if too many were in a row.
    pub fn note(&self, writer: &Writer) -> Result<(), JobError> {
        self.0.values().try_for_each(|refusal| writer.refused(refusal))
    }
}

/// Makes all writes of these entities, several at a time, and waits for every one of them, whatever becomes of the
/// others: a write that is let go of would stay open for its bound and hold up a stop.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn store_all(writer: &Writer, entities: Vec<(EntityKey, Writes)>) -> Result<Refusals, JobError> {
    let in_flight = usize::try_from(writer.stores.limiter.most()).unwrap_or(1);
    let mut writes = entities.into_iter().flat_map(|(key, writes)| writes.map(move |write| (key, write)));
    let mut under_way = FuturesUnordered::new();
    let mut refusals = Refusals::default();
    let mut error: Option<JobError> = None;
    loop {
        while under_way.len() < in_flight
            && let Some((key, write)) = writes.next()
        {
            under_way.push(store_one(writer, key, write));
        }
        let Some((key, end)) = under_way.next().await else { break };
        match end {
            Ok(()) => {}
            Err(NotWritten::Refused(why)) => drop(refusals.0.insert(key, why)),
            Err(NotWritten::Job(JobError::GivenUp)) => drop(error.get_or_insert(JobError::GivenUp)),
            Err(NotWritten::Job(found)) => match error {
                None | Some(JobError::GivenUp) => error = Some(found),
                Some(_) => {}
            },
        }
    }
    error.map_or(Ok(refusals), Err)
}

/// Writes blobs and waits for every one of them. In a local folder they are written one after the other on one thread,
/// each under a start rule of its own; what that leaves is written as anything else.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn store_blobs(writer: &Writer, blobs: Vec<Blob>) -> Result<Refusals, JobError> {
    let left = match writer.stores.arf_writes {
        WriteKind::Blocking => writer.put_each(blobs).await?,
        WriteKind::Remote => blobs,
    };
    let write = |blob: Blob| -> (EntityKey, Writes) { (blob.key(), Box::new([StoreWrite::PutBlob(blob)].into_iter())) };
    store_all(writer, left.into_iter().map(write).collect()).await
}

async fn store_one(writer: &Writer, key: EntityKey, write: StoreWrite) -> (EntityKey, Result<(), NotWritten>) {
    (key, writer.store(write).await)
}
