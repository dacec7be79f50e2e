//! Writes that end when they end, not when somebody stops waiting for them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ArfError;

/// One write under way. Await it (by value or by `&mut`) for the result; drop it and the write still runs to its end.
///
/// While it hasn't ended the write is open, and its job must not be moved to a final state (DEL-2).
#[derive(Debug)]
#[must_use = "a write that nobody waits for may fail unseen"]
pub struct PutHandle {
    task: JoinHandle<Result<(), ArfError>>,
    ended: CancellationToken,
}

impl PutHandle {
    /// Starts `write` at once, as a task of `tracker`.
    pub(super) fn start<F>(tracker: &TaskTracker, write: F) -> Self
    where
        F: Future<Output = Result<(), ArfError>> + Send + 'static,
    {
        let ended = CancellationToken::new();
        let mark = ended.clone().drop_guard();
        let task = tracker.spawn(async move {
            let _mark = mark;
            write.await
        });
        Self { task, ended }
    }

    /// Starts a write that blocks, on a thread of its own.
    pub(super) fn start_blocking<F>(tracker: &TaskTracker, write: F) -> Self
    where
        F: FnOnce() -> Result<(), ArfError> + Send + 'static,
    {
        let ended = CancellationToken::new();
        let mark = ended.clone().drop_guard();
        let task = tracker.spawn_blocking(move || {
            let _mark = mark;
            write()
        });
        Self { task, ended }
    }

    /// Resolves when nothing of the write is under way any more. It borrows nothing: keep it, drop the handle.
    pub fn finished(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ended.clone().cancelled_owned()
    }

    /// Whether nothing of the write is under way any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.ended.is_cancelled()
    }
}

impl Future for PutHandle {
    type Output = Result<(), ArfError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(context).map(|joined| joined.unwrap_or(Err(ArfError::Aborted("write"))))
    }
}
