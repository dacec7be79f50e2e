//! The runtime of a service's `main`.

use std::future::Future;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::error::ServiceError;

/// How long blocking work that nobody waits for may hold the end of the process up.
const ABANDON: Duration = Duration::from_secs(1);

/// Runs `main` on a multi-thread runtime. When it has ended, blocking work that is still under way is left behind:
/// what must end, `main` has waited for.
///
/// # Errors
/// [`ServiceError::Runtime`] if the runtime can't be built.
pub fn run<T>(main: impl Future<Output = T>) -> Result<T, ServiceError> {
    run_on(None, main)
}

/// The same on so many threads; `None` is one for each processor. Tokio never looks into the environment itself: it
/// panics at what a setting refuses in one line.
pub(crate) fn run_on<T>(threads: Option<NonZeroUsize>, main: impl Future<Output = T>) -> Result<T, ServiceError> {
    let threads = threads.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads).enable_all().build().map_err(ServiceError::Runtime)?;
    let output = runtime.block_on(main);
    runtime.shutdown_timeout(ABANDON);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_the_threads_that_were_asked_for() {
        let threads = async || tokio::runtime::Handle::current().metrics().num_workers();
        for asked in [1, 3] {
            assert_eq!(run_on(NonZeroUsize::new(asked), threads()).unwrap(), asked);
        }
        assert_eq!(run(threads()).unwrap(), tokio::runtime::Runtime::new().unwrap().metrics().num_workers());
    }

    #[test]
    fn blocking_work_that_nobody_waits_for_doesnt_hold_the_end_up() {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let answer = run(async move {
            let forgotten = tokio::task::spawn_blocking(move || wait.recv());
            drop(forgotten);
            7
        });
        assert_eq!(answer.unwrap(), 7);
        drop(done);
    }
}
