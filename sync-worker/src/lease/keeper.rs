//! Renews a lease until it is refused, runs out, or the job is over.

use std::time::Duration;

use shared_database::DatabaseError;
use shared_service::Backoff;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Lease, LeaseTimes, Stop};

/// Renews `lease` with `renew`, which says whether the lease still stands. Returns when it doesn't; the lease is then
/// stopped. Drop it when the job is over.
///
/// An error leaves the lease as it was: it is tried again sooner, and at the latest at the next tick.
pub async fn keep<F, Fut>(lease: &Lease, renew: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<bool, DatabaseError>>,
{
    let times = lease.times;
    let mut pauses = Backoff::new(times.renewal / 16, times.renewal).pauses();
    let mut next = Instant::now() + times.renewal;
    loop {
        wait(lease, next).await;
        if is_over(lease) {
            return;
        }
        let tick = Instant::now() + times.renewal;
        let sent_at = lease.clock.now();
        match timeout(answer_timeout(times), renew()).await {
            Ok(Ok(true)) => {
                lease.change(|state, now| state.renewed(now, sent_at));
                metrics::counter!("unweave_lease_renewals_total", "outcome" => "renewed").increment(1);
                pauses.start_over();
                next = tick;
            }
            Ok(Ok(false)) => {
                metrics::counter!("unweave_lease_renewals_total", "outcome" => "refused").increment(1);
                lease.stop(Stop::Refused);
                return;
            }
            Ok(Err(error)) => {
                metrics::counter!("unweave_lease_renewals_total", "outcome" => "failed").increment(1);
                tracing::warn!(%error, "the lease could not be renewed; trying again");
                next = tick.min(Instant::now() + pauses.pause());
            }
            Err(_) => {
                metrics::counter!("unweave_lease_renewals_total", "outcome" => "unanswered").increment(1);
                tracing::warn!("the renewal of the lease was not answered in time; trying again");
                next = tick.min(Instant::now() + pauses.pause());
            }
        }
    }
}

/// Shorter than the renewal, so that one lost answer doesn't cost the next tick.
fn answer_timeout(times: LeaseTimes) -> Duration {
    times.renewal * 2 / 3
}

/// Waits until `next`, but not past the lease's end: its end must be noticed in time.
async fn wait(lease: &Lease, next: Instant) {
    let left = lease.step(|state, now| state.ends_at().saturating_sub(now));
    sleep_until(next.min(Instant::now() + left)).await;
}

/// Whether a renewal makes no sense any more. A job that stops for another reason keeps its lease until its last write
/// has closed.
fn is_over(lease: &Lease) -> bool {
    lease.step(|state, now| {
        state.observe(now);
        state.has_run_out() || matches!(state.stopped(), Some((Stop::Refused | Stop::RowsGone, _)))
    })
}
