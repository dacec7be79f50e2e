//! Writes that end when they end, not when somebody stops waiting for them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use super::ArfError;

/// One write under way. Await it (by value or by `&mut`) for the result; drop it and the write still runs to its end.
///
/// While it hasn't ended the write is open, and its job must not be moved to a final state (DEL-2).
#[derive(Debug)]
#[must_use = "a write that nobody waits for may fail unseen"]
pub struct PutHandle(JoinHandle<Result<(), ArfError>>);

impl PutHandle {
    /// Starts `write` at once.
    #[expect(clippy::disallowed_methods, reason = "the job that writes waits for it, and shutdown for the job")]
    pub(super) fn start<F>(write: F) -> Self
    where
        F: Future<Output = Result<(), ArfError>> + Send + 'static,
    {
        Self(tokio::spawn(write))
    }

    /// Starts a write that blocks, on a thread of its own.
    pub(super) fn start_blocking<F>(write: F) -> Self
    where
        F: FnOnce() -> Result<(), ArfError> + Send + 'static,
    {
        Self(tokio::task::spawn_blocking(write))
    }
}

impl Future for PutHandle {
    type Output = Result<(), ArfError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|joined| joined.unwrap_or(Err(ArfError::Aborted("write"))))
    }
}
