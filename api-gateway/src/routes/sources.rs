//! `/sources`: what can be connected.

use actix_web::web::{Path, ServiceConfig};
use shared_models::wire::source::Source;

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::problem::Problem;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/sources").get(list)).service(resource("/sources/{short_name}").get(get));
}

async fn list(state: State, _: Caller) -> Answer {
    ok(state.sources().map(Source::from).collect::<Vec<_>>())
}

async fn get(state: State, _: Caller, short_name: Path<String>) -> Answer {
    let source = state.source(&short_name).ok_or_else(|| Problem::NoSource(short_name.into_inner()))?;
    ok(Source::from(source))
}
