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
    let work = move || {
        let run = work();
        async move { run.await.map(|()| None) }
    };
    periodic_or_due(name, interval, wake, shutdown, work).await;
}

/// As [`periodic`], but `work` may say how soon it has to run again; it runs after `interval` at the latest.
pub async fn periodic_or_due<F, Fut, E>(
    name: &'static str,
    interval: Duration,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
    mut work: F,
) where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<Option<Duration>, E>> + Send,
    E: Display,
{
    while !shutdown.is_cancelled() {
        let (outcome, due_in) = match work().await {
            Ok(due_in) => ("ok", due_in),
            Err(error) => {
                tracing::warn!(task = name, %error, "a periodic task failed; it runs again");
                ("failed", None)
            }
        };
        metrics::counter!("unweave_periodic_runs_total", "task" => name, "outcome" => outcome).increment(1);
        let pause = interval.mul_f64(1.0 - JITTER / 2.0 + JITTER * rand::random::<f64>());
        let pause = due_in.map_or(pause, |due_in| due_in.min(pause));
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

    #[tokio::test(start_paused = true)]
    async fn it_runs_as_soon_as_it_said_and_no_later_than_its_interval() {
        let (shutdown, runs) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let counted = runs.clone();
        let work = move || {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            let due_in = if run == 0 { Duration::from_secs(1) } else { Duration::from_secs(1_000) };
            async move { Ok::<_, &str>(Some(due_in)) }
        };
        let interval = Duration::from_secs(10);
        let looping = periodic_or_due("t", interval, Arc::default(), shutdown.clone(), work);
        let task = tokio_util::task::TaskTracker::new().spawn(looping);
        for (seconds, expected) in [(2, 2), (6, 2), (6, 3)] {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert_eq!(runs.load(Ordering::SeqCst), expected);
        }
        shutdown.cancel();
        task.await.unwrap();
    }
}
