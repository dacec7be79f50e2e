//! A panic in the work on a cleanup: its claim is given back, and the others of its batch go on.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

/// What the work gives; `None` if it panicked, which the process's log tells. What it changed in memory may be half
/// done: nothing may be concluded from it but that the work failed.
pub(crate) async fn caught<T>(task: &'static str, work: impl Future<Output = T>) -> Option<T> {
    let ended = Box::pin(AssertUnwindSafe(work).catch_unwind()).await;
    if ended.is_err() {
        metrics::counter!("unweave_task_panics_total", "task" => task).increment(1);
    }
    ended.ok()
}
