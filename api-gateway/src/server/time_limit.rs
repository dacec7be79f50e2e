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

/// Ends a request that takes longer than `REQUEST_TIMEOUT` with 504. What was started on the way and must end, such as a
/// deletion, runs on beside it. For a resource: the request must have found its route, since a copy of it is kept.
///
/// # Errors
/// What the handler fails with.
pub async fn limit(
    state: web::Data<AppState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (limit, kept) = (state.times.request, request.request().clone());
    let answering = AssertUnwindSafe(next.call(request)).catch_unwind();
    let problem = match tokio::time::timeout(limit, answering).await {
        Ok(Ok(answered)) => return answered,
        Ok(Err(_panic)) => {
            metrics::counter!("unweave_task_panics_total", "task" => "request").increment(1);
            Problem::Internal("a handler panicked")
        }
        Err(_) => Problem::TookTooLong(limit),
    };
    problem.log();
    Ok(ServiceResponse::new(kept, problem.error_response()))
}

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub struct ClientTimes {
    /// For the TLS handshake and for a request's head; also how long an answer may wait for a client to read on.
    pub client: Duration,
    /// For a whole request.
    pub request: Duration,
}

impl ClientTimes {
    /// For a request's body.
    #[must_use]
    pub const fn body(self) -> Duration {
        self.client.saturating_mul(3)
    }
}
