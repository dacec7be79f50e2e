//! Nobody waits for ever: how long a request may take, from its head to its answer. And nobody waits in vain: a handler
//! that panics is answered too.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _, web};
use futures::FutureExt as _;

use crate::problem::Problem;
use crate::state::AppState;

/// Ends a request that takes longer than `REQUEST_TIMEOUT` with 504. What was started on the way and must end, such as
/// a deletion, runs on beside it. For a resource: the request must have found its route, since a copy of it is kept.
///
/// # Errors
/// What the handler fails with.
pub async fn limit(
    state: web::Data<AppState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let kept = request.request().clone();
    match finished(state.times.request, async { next.call(request).await }).await {
        Ok(answered) => answered,
        Err(problem) => {
            problem.log();
            Ok(ServiceResponse::new(kept, problem.error_response()))
        }
    }
}

/// What `answering` comes to, if it comes to anything in time.
async fn finished<T>(limit: Duration, answering: impl Future<Output = T>) -> Result<T, Problem> {
    match tokio::time::timeout(limit, AssertUnwindSafe(answering).catch_unwind()).await {
        Ok(Ok(answered)) => Ok(answered),
        Ok(Err(_panic)) => {
            metrics::counter!("unweave_task_panics_total", "task" => "request").increment(1);
            Err(Problem::Internal("a handler panicked"))
        }
        Err(_) => Err(Problem::TookTooLong(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_or_never_ends_is_answered_too() {
        let limit = Duration::from_secs(60);
        assert!(matches!(finished(limit, async { 7 }).await, Ok(7)));
        let panicking = async { if limit.is_zero() { 7 } else { panic!("on purpose") } };
        assert_eq!(finished(limit, panicking).await.unwrap_err().status_code(), 500);
        let problem = finished(Duration::from_millis(1), std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(problem.status_code(), 504);
    }
}
