//! What surrounds every request: its id, its span, its access-log line, its metrics, the headers of every answer.
//!
//! Handlers run on actix's workers, each a runtime of its own that ends before `main`'s. Whatever a handler starts on
//! the way (a PostgreSQL session, an HTTP/2 connection, a timer) must outlive the worker, so each poll happens inside
//! `main`'s runtime.

use std::future::{Future, poll_fn};
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use serde_json::json;
use shared_models::RequestId;
use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::problem::Problem;
use crate::rate_limit::Quota;
use crate::state::AppState;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Surrounds a request, whether or not it finds a route. `routes::time_limit` is inside it, `server::idle` around it.
///
/// # Errors
/// Only what a later middleware would fail with; handlers' errors are answers already.
pub async fn surround(
    state: web::Data<AppState>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(id);
    let route = request.match_pattern();
    let method = method_label(&request);
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method,
        route = route.as_deref().unwrap_or("unmatched"),
        organization = tracing::field::Empty,
    );
    let handled = async {
        let mut response = next.call(request).await?.map_into_boxed_body();
        let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
        if let Some(problem) = problem {
            problem.log();
        }
        if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            response = response.map_body(|_, _| failed(id));
        }
        let value = HeaderValue::from_str(&id.to_string())?;
        response.headers_mut().insert(X_REQUEST_ID, value);
        let quota = response.request().extensions().get::<Quota>().copied();
        if let Some(quota) = quota {
            quota.set(response.headers_mut());
        }
        record(&response, method, route, began);
        Ok(response)
    };
    on(state.tasks.runtime(), handled.instrument(span)).await
}

/// The client's request id if it is one of ours in form, else a new one.
fn request_id(request: &ServiceRequest) -> RequestId {
    let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    given.and_then(|text| text.parse().ok()).unwrap_or_else(RequestId::random)
}

/// Clients may invent methods; metrics must not grow by that.
fn method_label(request: &ServiceRequest) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn failed(id: RequestId) -> BoxBody {
    HttpResponse::InternalServerError().json(json!({"detail": "Internal server error", "request_id": id})).into_body()
}

fn record(response: &ServiceResponse, method: &'static str, route: Option<String>, began: Instant) {
    let (took, status) = (began.elapsed(), response.status().as_u16());
    let took_ms = took.as_secs_f64() * 1000.0;
    let route = route.unwrap_or_else(|| "unmatched".to_owned());
    if route.starts_with("/health") {
        tracing::debug!(status, took_ms, "answered");
    } else {
        tracing::info!(status, took_ms, "answered");
    }
    let labels = [("method", method.to_owned()), ("route", route), ("status", response.status().as_str().to_owned())];
    metrics::counter!("unweave_http_requests_total", &labels).increment(1);
    metrics::histogram!("unweave_http_request_seconds", &labels[..2]).record(took);
}

/// Runs `future` here, with everything that it starts on `runtime`.
async fn on<T>(runtime: &Handle, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    poll_fn(|context| {
        let _inside = runtime.enter();
        future.as_mut().poll(context)
    })
    .await
}
