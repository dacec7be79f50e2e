//! `/sources`: what can be connected.

use actix_web::web::{Path, ServiceConfig};
use shared_models::wire::source::Source;

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::openapi::tags;
use crate::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, get))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/sources").get(list)).service(resource("/sources/{short_name}").get(get));
}

/// List sources
#[utoipa::path(
    get, path = "/sources", tag = tags::SOURCES, operation_id = "list_sources",
    responses((status = 200, description = "What can be connected here.", body = Vec<Source>))
)]
async fn list(state: State, _: Caller) -> Answer {
    ok(state.sources().map(|source| Source::from(source.definition())).collect::<Vec<_>>())
}

/// Get a source
#[utoipa::path(
    get, path = "/sources/{short_name}", tag = tags::SOURCES, operation_id = "get_source",
    params(("short_name" = String, Path, description = "The source's name in this API.", example = "postgresql")),
    responses(
        (status = 200, description = "The source.", body = Source),
        (status = 404, description = "There is no such source here."),
    )
)]
async fn get(state: State, _: Caller, short_name: Path<String>) -> Answer {
    let missing = || Problem::NoSource(short_name.clone(), state.source_names());
    let source = state.source(&short_name).ok_or_else(missing)?;
    ok(Source::from(source.definition()))
}
