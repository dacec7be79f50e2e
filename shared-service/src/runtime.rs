//! The runtime of a service's `main`.

use std::future::Future;
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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServiceError::Runtime)?;
    let output = runtime.block_on(main);
    runtime.shutdown_timeout(ABANDON);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

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
