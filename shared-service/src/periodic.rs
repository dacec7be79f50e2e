//! Work that is done again and again: reapers, finishers, sweeps, polls.
//!
//! What a run does is decided by what it finds. A bell only makes it run sooner, so that a message that is lost costs
//! at most the interval (DEL-5). A run that fails or panics ends nothing: the next one tries again. The [`Driver`] of a
//! process knows how the last run of each went.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::backoff::{Backoff, Pauses};
use crate::clock;
use crate::tasks::Tasks;

/// Share of the interval that is random, so that replicas don't run together.
const JITTER: f64 = 0.2;
/// The pauses after failed runs, unless the interval is shorter.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Makes a periodic task run now. Cheap to clone. Rung during a run, it makes the task run once more.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Rings; returns at once.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// What made a task run. It may make a run more patient with what others may be about to do, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// It was time.
    ByTime,
    /// Its bell rang.
    ByBell,
}

/// When a task runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// After its interval.
    AtInterval,
    /// After this time, if that is sooner.
    Within(Duration),
}

impl From<()> for Next {
    fn from((): ()) -> Self {
        Self::AtInterval
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// As it should.
    Ok,
    /// With an error.
    Failed,
    /// With a panic.
    Panicked,
}

impl RunOutcome {
    const ALL: [Self; 3] = [Self::Ok, Self::Failed, Self::Panicked];

    /// The metric's label.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
        }
    }
}

/// The last run of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// When it ended.
    ended_at: DateTime<Utc>,
    /// How long it took.
    took: Duration,
    /// How it ended.
    pub outcome: RunOutcome,
}

/// A task's name and rhythm.
pub struct Periodic {
    name: &'static str,
    interval: Duration,
    bell: Bell,
    is_needed: Box<dyn Fn() -> bool + Send>,
}

impl Periodic {
    /// Runs now, and then whenever `interval` has passed since the last run, give or take a tenth.
    #[must_use]
    pub fn every(name: &'static str, interval: Duration) -> Self {
        Self { name, interval, bell: Bell::default(), is_needed: Box::new(|| false) }
    }

    /// Runs also when this bell rings.
    #[must_use]
    pub fn woken_by(mut self, bell: &Bell) -> Self {
        self.bell = bell.clone();
        self
    }

    /// Goes on during shutdown while this says so. Other tasks end with the run that is under way.
    #[must_use]
    pub fn and_during_shutdown_while(mut self, is_needed: impl Fn() -> bool + Send + 'static) -> Self {
        self.is_needed = Box::new(is_needed);
        self
    }
}

/// Runs the periodic tasks of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Driver {
    tasks: Tasks,
    runs: Arc<Mutex<BTreeMap<&'static str, Option<LastRun>>>>,
}

impl Driver {
    /// A driver that runs its tasks among `tasks`.
    pub(crate) fn new(tasks: &Tasks) -> Self {
        Self { tasks: tasks.clone(), runs: Arc::default() }
    }

    /// Starts a task. Its runs never overlap.
    pub fn start<F, Fut, N, E>(&self, task: Periodic, work: F)
    where
        F: FnMut(Woken) -> Fut + Send + 'static,
        Fut: Future<Output = Result<N, E>> + Send + 'static,
        N: Into<Next> + Send + 'static,
        E: Display + Send + 'static,
    {
        self.runs.lock().insert(task.name, None);
        for outcome in RunOutcome::ALL {
            metrics::counter!("unweave_driver_runs_total", "task" => task.name, "outcome" => outcome.as_str())
                .increment(0);
        }
        drop(metrics::histogram!("unweave_driver_duration_seconds", "task" => task.name));
        show_last_run(task.name, clock::utc_now());
        drop(self.tasks.spawn(task.name, self.clone().drive(task, work)));
    }

    /// The last run of each task; none of one whose first run hasn't ended.
    #[must_use]
    pub fn last_runs(&self) -> BTreeMap<&'static str, Option<LastRun>> {
        self.runs.lock().clone()
    }

    async fn drive<F, Fut, N, E>(self, task: Periodic, mut work: F)
    where
        F: FnMut(Woken) -> Fut + Send,
        Fut: Future<Output = Result<N, E>> + Send,
        N: Into<Next> + Send,
        E: Display + Send,
    {
        let mut failures = Failures::of(&task);
        let mut woken = Woken::ByTime;
        while !self.is_over(&task) {
            let began = Instant::now();
            let ended = AssertUnwindSafe(async { work(woken).await }).catch_unwind().await;
            let (outcome, pause) = match ended {
                Ok(Ok(next)) => (RunOutcome::Ok, failures.end_with(next.into())),
                Ok(Err(error)) => (RunOutcome::Failed, failures.add(&error.to_string())),
                Err(_panic) => {
                    metrics::counter!("unweave_task_panics_total", "task" => task.name).increment(1);
                    (RunOutcome::Panicked, failures.add("it panicked"))
                }
            };
            self.record(task.name, LastRun { ended_at: clock::utc_now(), took: began.elapsed(), outcome });
            // Shutdown may have begun during the run: there is nothing to wait for then.
            if self.is_over(&task) {
                break;
            }
            woken = self.wait(&task.bell, pause).await;
        }
    }

    fn is_over(&self, task: &Periodic) -> bool {
        self.tasks.shutdown().is_cancelled() && !(task.is_needed)()
    }

    async fn wait(&self, bell: &Bell, pause: Duration) -> Woken {
        let shutdown = self.tasks.shutdown();
        let is_stopping = shutdown.is_cancelled();
        tokio::select! {
            () = shutdown.cancelled(), if !is_stopping => Woken::ByTime,
            () = bell.0.notified() => Woken::ByBell,
            () = tokio::time::sleep(pause) => Woken::ByTime,
        }
    }

    fn record(&self, task: &'static str, run: LastRun) {
        metrics::counter!("unweave_driver_runs_total", "task" => task, "outcome" => run.outcome.as_str()).increment(1);
        metrics::histogram!("unweave_driver_duration_seconds", "task" => task).record(run.took);
        show_last_run(task, run.ended_at);
        self.runs.lock().insert(task, Some(run));
    }
}

/// Before the first run the task's start is shown, so that one that never ends is noticed too.
fn show_last_run(task: &'static str, at: DateTime<Utc>) {
    let since_1970 = (at - DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
    metrics::gauge!("unweave_driver_last_run_timestamp_seconds", "task" => task).set(since_1970.as_secs_f64());
}

/// The failures of a task since its last good run: each new reason is a warning once.
struct Failures {
    task: &'static str,
    interval: Duration,
    pauses: Pauses,
    last: Option<String>,
}

impl Failures {
    fn of(task: &Periodic) -> Self {
        let backoff = Backoff::new(FIRST_RETRY.min(task.interval), LONGEST_RETRY.min(task.interval));
        Self { task: task.name, interval: task.interval, pauses: backoff.pauses(), last: None }
    }

    /// The pause after a run that failed.
    fn add(&mut self, error: &str) -> Duration {
        let (task, pause) = (self.task, self.pauses.pause());
        if self.last.as_deref() == Some(error) {
            tracing::debug!(task, error, ?pause, "a periodic task failed again");
        } else {
            tracing::warn!(task, error, ?pause, "a periodic task failed; it runs again");
            self.last = Some(error.to_owned());
        }
        pause
    }

    /// The pause after a run that did not fail.
    fn end_with(&mut self, next: Next) -> Duration {
        if self.last.take().is_some() {
            tracing::info!(task = self.task, "a periodic task works again");
            self.pauses.start_over();
        }
        let pause = self.interval.mul_f64(1.0 - JITTER / 2.0 + JITTER * rand::random::<f64>());
        match next {
            Next::AtInterval => pause,
            Next::Within(due_in) => due_in.min(pause),
        }
    }
}

/// What a run that can't fail gives.
pub type Done = Result<(), Infallible>;

#[cfg(test)]
mod tests;
