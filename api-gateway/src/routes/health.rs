//! `/health`: whether this gateway lives, and whether it can serve.
//!
//! Ready means that PostgreSQL answers: without it no request is served. A broker or a Vespa that is down is reported
//! but takes no gateway out of service: DELETE, run and cancel work without the broker, and only search needs Vespa.

use actix_web::HttpResponse;
use actix_web::web::ServiceConfig;
use serde_json::json;
use shared_service::admin::{Readiness, Ready, Up};

use super::{Answer, State, ok, resource};
use crate::openapi::answers::{Health, ReadinessAnswer};
use crate::openapi::tags;

/// The probe without which the gateway isn't ready.
pub const REQUIRED: &str = "postgres";

#[derive(utoipa::OpenApi)]
#[openapi(paths(healthy, alive, ready))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/health").get(healthy))
        .service(resource("/health/live").get(alive))
        .service(resource("/health/ready").get(ready));
}

/// Ask whether the server lives
#[utoipa::path(
    get, path = "/health", tag = tags::HEALTH, operation_id = "health",
    responses((status = 200, description = "It does.", body = Health))
)]
async fn healthy() -> Answer {
    ok(json!({"status": "healthy"}))
}

/// Ask whether the server lives, as orchestrators ask
#[utoipa::path(
    get, path = "/health/live", tag = tags::HEALTH, operation_id = "live",
    responses((status = 200, description = "It does.", body = Health))
)]
async fn alive() -> Answer {
    ok(json!({"status": "alive"}))
}

/// Ask whether the server can serve
///
/// It can if PostgreSQL answers. RabbitMQ and Vespa are reported, but only search needs Vespa, and nothing waits for
/// RabbitMQ.
#[utoipa::path(
    get, path = "/health/ready", tag = tags::HEALTH, operation_id = "ready",
    responses(
        (status = 200, description = "It can.", body = ReadinessAnswer),
        (status = 503, description = "It can't now.", body = ReadinessAnswer),
    )
)]
async fn ready(state: State) -> Answer {
    let checks = state.health.readiness().await.checks;
    let serves = checks.get(REQUIRED).is_some_and(|check| check.status == Up::Up);
    let readiness = Readiness { status: if serves { Ready::Ready } else { Ready::NotReady }, checks };
    if serves { ok(readiness) } else { Ok(HttpResponse::ServiceUnavailable().json(readiness)) }
}
