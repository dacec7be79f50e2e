//! The one home of spawning, and the shutdown of a process.
//!
//! Tasks run on `main`'s runtime, also when they are spawned from an actix worker: actix drops a worker's own tasks at
//! a graceful stop. SIGTERM cancels the token; [`Tasks::drain`] waits for every task within a bound; a second signal
//! ends the process at once.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::ServiceError;

/// The tasks of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    runtime: Handle,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Tasks {
    /// Tasks on the current runtime: call it in `main`.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new() -> Self {
        Self { runtime: Handle::current(), tracker: TaskTracker::new(), shutdown: CancellationToken::new() }
    }

    /// Runs `future` to its end on `main`'s runtime. A panic is logged with the task's name and ends only the task.
    ///
    /// Dropping the handle detaches the task: it still runs to its end, and shutdown waits for it.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let watched = async move {
            match AssertUnwindSafe(future).catch_unwind().await {
                Ok(output) => output,
                Err(panic) => {
                    tracing::error!(task = name, "a task panicked");
                    metrics::counter!("unweave_task_panics_total", "task" => name).increment(1);
                    std::panic::resume_unwind(panic)
                }
            }
        };
        self.tracker.spawn_on(watched, &self.runtime)
    }

    /// Cancelled when the process is to stop.
    #[must_use]
    pub const fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// The tracker behind [`Tasks::spawn`], for what takes one.
    #[must_use]
    pub const fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// `main`'s runtime.
    #[must_use]
    pub const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Cancels the token at SIGTERM or SIGINT; a second signal ends the process with exit code 130.
    ///
    /// # Errors
    /// [`ServiceError::Signals`] if the handlers can't be installed.
    pub(crate) fn shutdown_on_signals(&self) -> Result<(), ServiceError> {
        let _context = self.runtime.enter();
        let mut terminate = signal(SignalKind::terminate()).map_err(ServiceError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServiceError::Signals)?;
        let shutdown = self.shutdown.clone();
        // Not tracked: it waits for a second signal while the tracker drains.
        self.runtime.spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            };
            let name = next().await;
            tracing::info!(signal = name, "shutting down");
            shutdown.cancel();
            let name = next().await;
            tracing::warn!(signal = name, "a second signal: ending at once");
            std::process::exit(130);
        });
        Ok(())
    }

    /// Waits until every task has ended, at most for `bound`. True if they have.
    pub async fn drain(&self, bound: Duration) -> bool {
        self.shutdown.cancel();
        self.tracker.close();
        let drained = tokio::time::timeout(bound, self.tracker.wait()).await.is_ok();
        if !drained {
            tracing::warn!(left = self.tracker.len(), ?bound, "tasks were still running at the end of the drain");
        }
        drained
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_drain_waits_for_tasks_and_reports_those_that_stay() {
        let tasks = Tasks::new();
        let stopped = tasks.shutdown().clone();
        let ends = tasks.spawn("ends", async move {
            stopped.cancelled().await;
            7
        });
        assert!(tasks.drain(Duration::from_secs(5)).await);
        assert_eq!(ends.await.unwrap(), 7);

        let tasks = Tasks::new();
        tasks.spawn("stays", std::future::pending::<()>());
        assert!(!tasks.drain(Duration::from_millis(10)).await);
    }

    #[tokio::test]
    async fn a_panic_ends_only_its_task() {
        let tasks = Tasks::new();
        let broken = tasks.spawn("breaks", async { panic!("on purpose") });
        assert!(broken.await.unwrap_err().is_panic());
        assert!(tasks.drain(Duration::from_secs(5)).await);
    }
}
