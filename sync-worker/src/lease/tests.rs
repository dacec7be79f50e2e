//! The lease as its holder sees it: stopping, waiting, renewing.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use shared_database::DatabaseError;

use super::*;

/// A clock that stands still until it is moved.
#[derive(Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    fn advance(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Short enough to wait for, in the proportions of the defaults.
const TIMES: LeaseTimes = LeaseTimes {
    ttl: Duration::from_millis(200),
    renewal: Duration::from_millis(60),
    store_timeout: Duration::from_millis(60),
    open_write_bound: Duration::from_millis(140),
};

/// A lease that nobody renews and that never runs out.
pub(crate) fn test_lease() -> Arc<Lease> {
    lease().0
}

fn lease() -> (Arc<Lease>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (Lease::new(SyncJobId::random(), TIMES, clock.clone(), Duration::ZERO), clock)
}

fn away() -> DatabaseError {
    DatabaseError::Unavailable("on purpose".to_owned())
}

#[tokio::test]
async fn a_stop_is_over_with_the_answer_to_the_last_write() {
    let (lease, _) = lease();
    let (one, two) = (lease.start_write().unwrap(), lease.start_write().unwrap());
    lease.stop(Stop::Cancelled);
    lease.stopped().await;
    assert_eq!(lease.start_write().err(), Some(StartRefused::Ended(Stop::Cancelled)));
    let mut closed = std::pin::pin!(lease.all_writes_closed());
    assert!(futures::poll!(closed.as_mut()).is_pending());
    one.answered();
    assert!(futures::poll!(closed.as_mut()).is_pending());
    two.answered();
    closed.await;
    assert_eq!(lease.open_writes(), 0);
}

#[tokio::test]
async fn an_unanswered_write_holds_up_the_stop_until_its_bound() {
    struct Running(tokio::time::Instant);
    impl Clock for Running {
        fn now(&self) -> Duration {
            self.0.elapsed()
        }
    }
    let started = tokio::time::Instant::now();
    let lease = Lease::new(SyncJobId::random(), TIMES, Arc::new(Running(started)), Duration::ZERO);
    drop(lease.start_write().unwrap());
    lease.stop(Stop::Cancelled);
    assert_eq!(lease.open_writes(), 1);
    lease.all_writes_closed().await;
    assert!(started.elapsed() >= TIMES.open_write_bound);
}

#[tokio::test]
async fn a_blocking_write_holds_up_the_stop_however_long_it_takes() {
    let (lease, clock) = lease();
    let write = lease.start_blocking_write().unwrap();
    lease.stop(Stop::Cancelled);
    clock.advance(Duration::from_secs(60));
    let mut closed = std::pin::pin!(lease.all_writes_closed());
    assert!(futures::poll!(closed.as_mut()).is_pending());
    write.answered();
    closed.await;
    assert!(lease.has_ended_late());
}

#[test]
fn a_ticket_says_what_is_left_of_its_deadline() {
    let (lease, clock) = lease();
    let ticket = lease.start_write().unwrap();
    clock.advance(Duration::from_millis(20));
    assert_eq!(ticket.time_left(), Duration::from_millis(40));
    clock.advance(Duration::from_millis(50));
    assert_eq!(ticket.time_left(), Duration::ZERO);
}

#[tokio::test]
async fn a_write_waits_for_the_renewal_when_too_little_is_left() {
    let (lease, clock) = lease();
    clock.advance(Duration::from_millis(150));
    assert_eq!(lease.start_write().err(), Some(StartRefused::TooLittleLeft));
    let mut writable = std::pin::pin!(lease.writable());
    assert!(futures::poll!(writable.as_mut()).is_pending());
    lease.change(|state, now| state.renewed(now, now));
    assert_eq!(writable.await, Ok(()));
    assert!(lease.start_write().is_ok());
}

#[tokio::test]
async fn a_refused_renewal_stops_the_lease() {
    let (lease, _) = lease();
    keep(&lease, || async { Ok(false) }).await;
    assert_eq!(lease.stop_reason().map(|(stop, _)| stop), Some(Stop::Refused));
}

#[tokio::test]
async fn a_renewal_is_counted_from_before_it_was_sent() {
    let (lease, clock) = lease();
    let calls = AtomicU32::new(0);
    keep(&lease, || {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        let sent_at = clock.now();
        clock.advance(Duration::from_millis(30));
        let seen = lease.ends_at();
        async move {
            if call > 0 {
                assert_eq!(seen, sent_at - Duration::from_millis(30) + TIMES.ttl);
            }
            Ok(call < 2)
        }
    })
    .await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn errors_and_lost_answers_leave_the_lease_as_it_was_and_are_tried_again() {
    let (lease, _) = lease();
    let calls = AtomicU32::new(0);
    let ends_at = lease.ends_at();
    keep(&lease, || {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        assert_eq!(lease.ends_at(), ends_at);
        assert_eq!(lease.stop_reason(), None);
        async move {
            match call {
                0 | 1 => Err(away()),
                2 => std::future::pending().await,
                _ => Ok(false),
            }
        }
    })
    .await;
    assert_eq!(calls.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_lease_that_cannot_be_renewed_runs_out() {
    let (lease, clock) = lease();
    keep(&lease, || {
        clock.advance(Duration::from_millis(90));
        async { Err(away()) }
    })
    .await;
    assert_eq!(lease.stop_reason().map(|(stop, _)| stop), Some(Stop::Expired));
    assert_eq!(lease.start_write().err(), Some(StartRefused::Ended(Stop::Expired)));
}

#[tokio::test]
async fn a_job_that_is_stopping_keeps_its_lease_until_its_writes_are_closed() {
    let (lease, _) = lease();
    let calls = AtomicU32::new(0);
    lease.stop(Stop::Shutdown);
    keep(&lease, || {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        async move { Ok(call < 2) }
    })
    .await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}
