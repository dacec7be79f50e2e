//! How much memory searches take together, whatever is in the documents.
//!
//! Each search reserves what its hits may take before it asks for them, and the fields of its hits before it fetches
//! them; who finds nothing left waits. What the finished answer takes stays reserved until the client has it, or has
//! been cut off for reading it too slowly. The two reservations are taken in one order and from two purses, so that
//! nobody waits for somebody who waits.
//!
//! What an organization's hits and unread answers take together is bounded below the whole: its clients, however many
//! and however slow, leave room for those of others.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use shared_models::OrganizationId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// What a hit takes in KiB, all its copies together: a chunk of text of four-byte characters, and what is known of it.
/// A document that is larger takes the place of several.
const HIT_KIB: u32 = 32;
/// No search reserves less: a single document may be large.
const LEAST_KIB: u32 = 1024;
/// What the hits of all searches take at most.
const HITS_KIB: u32 = 96 * 1024;
/// What those of one organization take at most.
const ORGANIZATION_KIB: u32 = HITS_KIB / 3 * 2;
/// What the hits of one search take at most: no search alone keeps all others waiting.
const MOST_OF_ONE_KIB: u32 = HITS_KIB / 2;
/// Everything is held as it comes, as it is read and as it is written.
const COPIES: u32 = 3;
/// What the fields of one answer take at most as JSON.
pub const MOST_FIELDS_BYTES: u32 = 8 << 20;
/// What the fields of all answers take at most.
const FIELDS_KIB: u32 = 2 * COPIES * (MOST_FIELDS_BYTES / 1024);
/// How long a search waits for others to end.
const PATIENCE: Duration = Duration::from_secs(8);

/// The memory that searches share.
#[derive(Debug)]
pub struct SearchMemory {
    hits: Arc<Semaphore>,
    fields: Arc<Semaphore>,
    /// What each organization has left of its share of `hits`: of those that hold any.
    shares: Mutex<HashMap<OrganizationId, Weak<Semaphore>>>,
}

/// Memory that a search's hits, and then its answer, may use until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    of_all: OwnedSemaphorePermit,
    of_share: OwnedSemaphorePermit,
}

/// Memory that the fields of an answer may use until this is dropped.
#[derive(Debug)]
pub struct ReservedFields {
    _permit: OwnedSemaphorePermit,
}

fn purse(kib: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(kib).unwrap_or(Semaphore::MAX_PERMITS)))
}

impl Default for SearchMemory {
    fn default() -> Self {
        Self { hits: purse(HITS_KIB), fields: purse(FIELDS_KIB), shares: Mutex::default() }
    }
}

impl SearchMemory {
    /// Room for so many hits, or for as many as one search may have.
    ///
    /// # Errors
    /// [`Problem::SearchBusy`] if others take too long.
    pub async fn for_hits(&self, organization: OrganizationId, hits: u32) -> Result<Reserved, Problem> {
        let kib = hits.saturating_mul(HIT_KIB).clamp(LEAST_KIB, MOST_OF_ONE_KIB);
        let both = async {
            // The own share first: who waits for it holds nothing that others wait for.
            let of_share = self.share(organization).acquire_many_owned(kib).await?;
            Ok(Reserved { of_all: self.hits.clone().acquire_many_owned(kib).await?, of_share })
        };
        patiently(both).await
    }

    /// Room for fields of so many bytes of JSON, at most [`MOST_FIELDS_BYTES`].
    ///
    /// # Errors
    /// [`Problem::SearchBusy`] if others take too long.
    pub async fn for_fields(&self, bytes: u32) -> Result<ReservedFields, Problem> {
        let kib = bytes.min(MOST_FIELDS_BYTES).div_ceil(1024).saturating_mul(COPIES).clamp(1, FIELDS_KIB);
        patiently(self.fields.clone().acquire_many_owned(kib)).await.map(|permit| ReservedFields { _permit: permit })
    }

    /// The organization's share, shared by those who hold some of it or wait for it.
    fn share(&self, organization: OrganizationId) -> Arc<Semaphore> {
        let mut shares = self.shares.lock();
        if let Some(share) = shares.get(&organization).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = purse(ORGANIZATION_KIB);
        shares.insert(organization, Arc::downgrade(&share));
        share
    }
}

async fn patiently<T>(reserving: impl Future<Output = Result<T, AcquireError>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, reserving).await {
        Ok(Ok(reserved)) => Ok(reserved),
        Ok(Err(_)) | Err(_) => Err(Problem::SearchBusy),
    }
}

impl Reserved {
    /// How many bytes one answer of Vespa may have, of `answers` that are read at the same time.
    pub fn bytes_of_each(&self, answers: usize) -> usize {
        let bytes = self.of_all.num_permits().saturating_mul(1024) / answers.max(1);
        usize::try_from(COPIES).map_or(bytes, |copies| bytes / copies)
    }

    /// Gives back what an answer of so many bytes doesn't need.
    #[must_use]
    pub fn shrunk_to(mut self, bytes: usize) -> Self {
        let kib = bytes.div_ceil(1024).min(self.of_all.num_permits());
        match (self.of_all.split(kib), self.of_share.split(kib)) {
            (Some(of_all), Some(of_share)) => Self { of_all, of_share },
            (_, _) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn one() -> OrganizationId {
        OrganizationId::random()
    }

    #[tokio::test]
    async fn a_search_that_finds_no_room_waits_until_another_has_ended() {
        let memory = SearchMemory::default();
        let large = || async { memory.for_hits(one(), u32::MAX).await.unwrap() };
        let (half, other) = (large().await, large().await);
        let mut next = std::pin::pin!(memory.for_hits(one(), 1));
        assert!(futures::poll!(next.as_mut()).is_pending());
        let answer = half.shrunk_to(KIB * KIB);
        let next = next.await.unwrap();
        assert_eq!(memory.hits.available_permits(), 48 * 1024 - 1024 - 1024);
        drop((answer, next, other));
        assert_eq!(memory.hits.available_permits(), 96 * 1024);
    }

    /// Its clients may be many, and read as slowly as they like.
    #[tokio::test]
    async fn an_organization_leaves_room_for_others() {
        let memory = SearchMemory::default();
        let greedy = one();
        let mut held = Vec::new();
        for _ in 0..64 {
            held.push(memory.for_hits(greedy, 1).await.unwrap().shrunk_to(KIB * KIB));
        }
        let mut next = std::pin::pin!(memory.for_hits(greedy, 1));
        assert!(futures::poll!(next.as_mut()).is_pending());
        for _ in 0..32 {
            held.push(memory.for_hits(one(), 1).await.unwrap());
        }
        held.clear();
        drop(next.await.unwrap());
        assert_eq!(memory.hits.available_permits(), 96 * KIB);
        drop(memory.for_hits(one(), 1).await.unwrap());
        assert_eq!(memory.shares.lock().len(), 1, "who holds nothing is forgotten");
    }

    #[tokio::test]
    async fn fields_have_room_of_their_own() {
        let memory = SearchMemory::default();
        let hits = memory.for_hits(one(), u32::MAX).await.unwrap();
        let both = (memory.for_fields(u32::MAX).await.unwrap(), memory.for_fields(MOST_FIELDS_BYTES).await.unwrap());
        assert_eq!(memory.fields.available_permits(), 0);
        drop((hits, both));
    }
}
