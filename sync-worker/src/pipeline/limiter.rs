//! How many writes are in flight: at most so many, and fewer while Vespa says that it is overloaded.
//!
//! Grows by about one per round of successes and halves at most once per round of refusals.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits for writes, shared by all jobs of the process.
#[derive(Debug)]
pub struct Limiter {
    permits: Arc<Semaphore>,
    most: u32,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// Permits that exist, given out or not.
    existing: u32,
    /// Permits that should exist.
    target: u32,
    /// Successes since the target last changed.
    successes: u32,
    /// Refusals that count as part of the last one: those of writes that were under way then.
    forgiven: u32,
}

/// One write may be in flight while this is held.
#[derive(Debug)]
pub struct Permit {
    limiter: Arc<Limiter>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Limiter {
    /// At most `most` writes in flight; at least one.
    #[must_use]
    pub fn new(most: u32) -> Arc<Self> {
        let most = most.max(1);
        let permits = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1)));
        let level = Level { existing: most, target: most, successes: 0, forgiven: 0 };
        Arc::new(Self { permits, most, level: Mutex::new(level) })
    }

    /// The most that are ever in flight.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// Waits for a permit.
    pub async fn acquire(self: &Arc<Self>) -> Permit {
        // The semaphore is never closed.
        let permit = self.permits.clone().acquire_owned().await.ok();
        Permit { limiter: self.clone(), permit }
    }

    fn change(&self, change: impl FnOnce(&mut Level)) {
        let mut level = self.level.lock();
        change(&mut level);
        metrics::gauge!("unweave_writes_in_flight_limit").set(f64::from(level.target));
        if level.existing < level.target {
            self.permits.add_permits(usize::try_from(level.target - level.existing).unwrap_or(0));
            level.existing = level.target;
        }
    }
}

impl Permit {
    /// The write was taken: there may be room for more.
    pub fn taken(self) {
        let most = self.limiter.most;
        self.limiter.change(|level| {
            level.successes += 1;
            level.forgiven = level.forgiven.saturating_sub(1);
            if level.successes >= level.target && level.target < most {
                level.target += 1;
                level.successes = 0;
            }
        });
    }

    /// The write was refused because the store is overloaded.
    pub fn overloaded(self) {
        self.limiter.change(|level| {
            level.successes = 0;
            if level.forgiven > 0 {
                level.forgiven -= 1;
                return;
            }
            level.forgiven = level.target.saturating_sub(1);
            level.target = (level.target / 2).max(1);
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let mut level = self.limiter.level.lock();
        if level.existing > level.target {
            level.existing -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(limiter: &Arc<Limiter>) -> Vec<Permit> {
        let mut permits = Vec::new();
        for _ in 0..limiter.permits.available_permits() {
            permits.push(limiter.acquire().await);
        }
        permits
    }

    #[tokio::test]
    async fn a_round_of_refusals_halves_once_and_successes_win_it_back() {
        let limiter = Limiter::new(8);
        let permits = all(&limiter).await;
        assert_eq!(permits.len(), 8);
        permits.into_iter().for_each(Permit::overloaded);
        assert_eq!(limiter.permits.available_permits(), 4);
        for _ in 0..4 + 5 + 6 + 7 {
            limiter.acquire().await.taken();
        }
        assert_eq!(limiter.permits.available_permits(), 8);
        limiter.acquire().await.taken();
        assert_eq!(limiter.permits.available_permits(), 8);
    }

    #[tokio::test]
    async fn one_write_always_stays_possible() {
        let limiter = Limiter::new(4);
        for _ in 0..20 {
            limiter.acquire().await.overloaded();
        }
        assert_eq!(limiter.permits.available_permits(), 1);
    }
}
