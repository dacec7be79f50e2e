//! `/health`: whether this gateway lives, and whether it can serve.
//!
//! Ready means that PostgreSQL answers: without it no request is served. A broker or a Vespa that is down is reported but
//! takes no gateway out of service: DELETE, run and cancel work without the broker, and only search needs Vespa.

use actix_web::HttpResponse;
use actix_web::web::ServiceConfig;
use serde_json::json;
use shared_service::admin::{Readiness, Ready, Up};

use super::{Answer, State, ok, resource};

/// The probe without which the gateway isn't ready.
pub const REQUIRED: &str = "postgres";

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/health").get(healthy))
        .service(resource("/health/live").get(alive))
        .service(resource("/health/ready").get(ready));
}

async fn healthy() -> Answer {
    ok(json!({"status": "healthy"}))
}

async fn alive() -> Answer {
    ok(json!({"status": "alive"}))
}

async fn ready(state: State) -> Answer {
    let checks = state.health.readiness().await.checks;
    let serves = checks.get(REQUIRED).is_some_and(|check| check.status == Up::Up);
    let readiness = Readiness { status: if serves { Ready::Ready } else { Ready::NotReady }, checks };
    if serves { ok(readiness) } else { Ok(HttpResponse::ServiceUnavailable().json(readiness)) }
}
