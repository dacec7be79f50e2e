//! Work that keeps a thread busy for longer than other tasks should wait.

use tokio::runtime::{Handle, RuntimeFlavor};

/// What is done with fewer bytes than this takes a few milliseconds.
const LARGE_BYTES: usize = 256 * 1024;

/// Does `work` on so many bytes here, after the thread's other tasks have been handed to another one if it is much.
/// A runtime of a single thread has no other one.
pub(crate) fn with_thread_to_itself<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let has_others = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes > LARGE_BYTES && has_others { tokio::task::block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    #[expect(clippy::disallowed_methods, reason = "the task ends with the test")]
    async fn other_tasks_of_the_thread_go_on_meanwhile() {
        let (done, wait) = mpsc::channel();
        let busy = tokio::spawn(async move {
            tokio::spawn(async move { done.send(()) });
            with_thread_to_itself(LARGE_BYTES + 1, move || wait.recv_timeout(Duration::from_secs(30)))
        });
        busy.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_does_it_at_once() {
        assert_eq!(with_thread_to_itself(usize::MAX, || 7), 7);
    }
}
