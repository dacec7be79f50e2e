//! Work that is done again and again: reapers, finishers, sweeps. The timers do the work; messages only wake them.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Share of the interval that is random, so that replicas don't tick together.
const JITTER: f64 = 0.2;

/// Runs `work` now and then every `interval`, give or take a tenth, and early when `wake` is notified; ends at shutdown,
/// after the run that is under way. Runs never overlap. Errors are logged and counted, and the next run tries again.
pub async fn periodic<F, Fut, E>(
    name: &'static str,
    interval: Duration,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
    mut work: F,
) where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Display,
{
    while !shutdown.is_cancelled() {
        let outcome = match work().await {
            Ok(()) => "ok",
            Err(error) => {
                tracing::warn!(task = name, %error, "a periodic task failed; it runs again");
                "failed"
            }
        };
        metrics::counter!("unweave_periodic_runs_total", "task" => name, "outcome" => outcome).increment(1);
        let pause = interval.mul_f64(1.0 - JITTER / 2.0 + JITTER * rand::random::<f64>());
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_runs_on_time_when_woken_and_after_an_error_until_shutdown() {
        let (wake, shutdown, runs) = (Arc::new(Notify::new()), CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let counted = runs.clone();
        let work = move || {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            async move { if run == 0 { Err("on purpose") } else { Ok(()) } }
        };
        let interval = Duration::from_secs(10);
        let task =
            tokio_util::task::TaskTracker::new().spawn(periodic("t", interval, wake.clone(), shutdown.clone(), work));
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        wake.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        shutdown.cancel();
        task.await.unwrap();
    }
}
