//! Processes that die anywhere: futures that are dropped at one of their waits.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// A future that is dropped when it would be polled once more than so often: as a process that dies there.
struct Dying<F> {
    polls_left: u32,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Dying<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left == 0 {
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        self.work.as_mut().poll(context).map(Some)
    }
}

/// What the work came to; nothing if it was dropped before its end.
pub async fn dying<F: Future>(polls_left: u32, work: F) -> Option<F::Output> {
    pin!(Dying { polls_left, work: Box::pin(work) }).await
}
