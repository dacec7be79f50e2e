//! Memory for raw files, of all jobs of this process together.
//!
//! A raw file is held from its reading until it is written, and a few jobs with large files could otherwise take all
//! the memory there is. Room is reserved before the reading, as a whole:
//! nobody waits for more while holding some that only it could give back.

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Raw files in memory at once, KiB.
const ROOM_KIB: u32 = 128 * 1024;
const KIB: usize = 1024;

#[cfg(not(test))]
fn room() -> &'static Semaphore {
    static ROOM: std::sync::LazyLock<Semaphore> = std::sync::LazyLock::new(new_room);
    &ROOM
}

/// Each test has its own: one that waits for all of it would wait for ever for another that keeps what it read.
#[cfg(test)]
fn room() -> &'static Semaphore {
    thread_local!(static ROOM: &'static Semaphore = Box::leak(Box::new(new_room())));
    ROOM.with(|room| *room)
}

fn new_room() -> Semaphore {
    Semaphore::new(usize::try_from(ROOM_KIB).unwrap_or(Semaphore::MAX_PERMITS))
}

/// Room that is kept for what is going to be read; what isn't taken is given back.
#[derive(Debug)]
pub(crate) struct Reserved(Option<SemaphorePermit<'static>>);

/// Content with the room that it takes.
struct Held {
    bytes: Vec<u8>,
    _room: Option<SemaphorePermit<'static>>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Waits for room for `bytes`, or for all the room that there is if they are more.
pub(crate) async fn reserve(bytes: usize) -> Reserved {
    // It is never closed.
    Reserved(room().acquire_many(kib(bytes).min(ROOM_KIB)).await.ok())
}

impl Reserved {
    /// The content, which keeps its share of the room until its last copy is gone.
    pub(crate) fn hold(&mut self, bytes: Vec<u8>) -> Bytes {
        let room = self.0.as_mut().and_then(|room| {
            let share = usize::try_from(kib(bytes.len())).unwrap_or(usize::MAX).min(room.num_permits());
            room.split(share)
        });
        Bytes::from_owner(Held { bytes, _room: room })
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_goes_with_the_content_and_comes_back_with_its_last_copy() {
        let mut reserved = reserve(10 * KIB).await;
        let one = reserved.hold(vec![1; 4 * KIB]);
        let left = |reserved: &Reserved| reserved.0.as_ref().unwrap().num_permits();
        assert_eq!((left(&reserved), one.len()), (6, 4 * KIB));
        let copy = one.clone();
        drop(one);
        assert_eq!(copy.first(), Some(&1));
        // More than was reserved takes what is left, and never waits.
        let two = reserved.hold(vec![2; 100 * KIB]);
        assert_eq!((left(&reserved), two.len()), (0, 100 * KIB));
        assert_eq!(reserved.hold(vec![3]).as_ref(), [3]);
    }

    #[tokio::test]
    async fn nobody_gets_room_that_is_taken() {
        let all = reserve(usize::MAX).await;
        assert!(futures::poll!(std::pin::pin!(reserve(1))).is_pending());
        drop(all);
        reserve(1).await;
    }
}
