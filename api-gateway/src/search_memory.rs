//! How much memory searches take together, whatever is in the documents.
//!
//! Each search reserves what its hits may take before it asks for them, and the fields of its hits before it fetches
//! them; who finds nothing left waits. What the finished answer takes stays reserved until the client has it. The two
//! reservations are taken in one order and from two purses, so that nobody waits for somebody who waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// What a hit takes in KiB, all its copies together: a chunk of text of four-byte characters, and what is known of it.
/// A document that is larger takes the place of several.
const HIT_KIB: u32 = 32;
/// No search reserves less: a single document may be large.
const LEAST_KIB: u32 = 1024;
/// What the hits of all searches take at most.
const HITS_KIB: u32 = 96 * 1024;
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
}

/// Memory that a search may use until this is dropped.
#[derive(Debug)]
pub struct Reserved(OwnedSemaphorePermit);

impl Default for SearchMemory {
    fn default() -> Self {
        let of = |kib: u32| Arc::new(Semaphore::new(usize::try_from(kib).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { hits: of(HITS_KIB), fields: of(FIELDS_KIB) }
    }
}

impl SearchMemory {
    /// Room for so many hits, or for as many as one search may have.
    ///
    /// # Errors
    /// [`Problem::SearchBusy`] if others take too long.
    pub async fn for_hits(&self, hits: u32) -> Result<Reserved, Problem> {
        reserve(&self.hits, hits.saturating_mul(HIT_KIB).clamp(LEAST_KIB, MOST_OF_ONE_KIB)).await
    }

    /// Room for fields of so many bytes of JSON, at most [`MOST_FIELDS_BYTES`].
    ///
    /// # Errors
    /// [`Problem::SearchBusy`] if others take too long.
    pub async fn for_fields(&self, bytes: u32) -> Result<Reserved, Problem> {
        let kib = bytes.min(MOST_FIELDS_BYTES).div_ceil(1024).saturating_mul(COPIES);
        reserve(&self.fields, kib.clamp(1, FIELDS_KIB)).await
    }
}

async fn reserve(purse: &Arc<Semaphore>, kib: u32) -> Result<Reserved, Problem> {
    let waited = tokio::time::timeout(PATIENCE, purse.clone().acquire_many_owned(kib)).await;
    match waited {
        Ok(Ok(permit)) => Ok(Reserved(permit)),
        Ok(Err(_)) | Err(_) => Err(Problem::SearchBusy),
    }
}

impl Reserved {
    /// How many bytes one answer of Vespa may have, of `answers` that are read at the same time.
    pub fn bytes_of_each(&self, answers: usize) -> usize {
        let bytes = self.0.num_permits().saturating_mul(1024) / answers.max(1);
        usize::try_from(COPIES).map_or(bytes, |copies| bytes / copies)
    }

    /// Gives back what an answer of so many bytes doesn't need.
    #[must_use]
    pub fn shrunk_to(mut self, bytes: usize) -> Self {
        match self.0.split(bytes.div_ceil(1024).min(self.0.num_permits())) {
            Some(needed) => Self(needed),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_search_that_finds_no_room_waits_until_another_has_ended() {
        let memory = SearchMemory::default();
        let (half, other) = (memory.for_hits(u32::MAX).await.unwrap(), memory.for_hits(u32::MAX).await.unwrap());
        let mut next = std::pin::pin!(memory.for_hits(1));
        assert!(futures::poll!(next.as_mut()).is_pending());
        let answer = half.shrunk_to(1024 * 1024);
        let next = next.await.unwrap();
        assert_eq!(memory.hits.available_permits(), 48 * 1024 - 1024 - 1024);
        drop((answer, next, other));
        assert_eq!(memory.hits.available_permits(), 96 * 1024);
    }

    #[tokio::test]
    async fn fields_have_room_of_their_own() {
        let memory = SearchMemory::default();
        let hits = memory.for_hits(u32::MAX).await.unwrap();
        let both = (memory.for_fields(u32::MAX).await.unwrap(), memory.for_fields(MOST_FIELDS_BYTES).await.unwrap());
        assert_eq!(memory.fields.available_permits(), 0);
        drop((hits, both));
    }
}
