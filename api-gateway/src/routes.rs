//! The routes: what is asked and answered, no logic. One file per resource.

use actix_web::http::header::ContentType;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::input::Query;
use crate::problem::Problem;
use crate::state::AppState;

mod api_keys;
mod cleanups;
mod collections;
mod health;
mod ledger;
mod receipts;
mod resource;
mod search;
mod source_connections;
mod sources;
mod time_limit;

pub use health::REQUIRED as REQUIRED_PROBE;
pub use resource::resource;

type State = Data<AppState>;
type Answer = Result<HttpResponse, Problem>;

/// Registers every route.
pub fn configure(config: &mut ServiceConfig) {
    config
        .configure(health::configure)
        .configure(api_keys::configure)
        .configure(search::configure)
        .configure(collections::configure)
        .configure(sources::configure)
        .configure(source_connections::configure)
        .configure(cleanups::configure)
        .configure(receipts::configure)
        .configure(ledger::configure)
        .app_data(web::PathConfig::default().error_handler(|_, _| Problem::NoRoute.into()))
        .default_service(web::to(no_route));
}

/// What the routes say of themselves.
pub fn documents() -> [OpenApi; 9] {
    [
        sources::Document::openapi(),
        collections::Document::openapi(),
        search::Document::openapi(),
        source_connections::Document::openapi(),
        cleanups::Document::openapi(),
        receipts::Document::openapi(),
        ledger::Document::openapi(),
        api_keys::Document::openapi(),
        health::Document::openapi(),
    ]
}

async fn no_route() -> Answer {
    Err(Problem::NoRoute)
}

/// Refuses query parameters where none is taken.
fn no_parameters(request: &HttpRequest) -> Result<(), Problem> {
    let mut query = Query::of(request);
    query.only(&[]);
    query.check()
}

#[expect(clippy::unnecessary_wraps, reason = "what handlers end with")]
fn ok(body: impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().content_type(ContentType::json()).json(body))
}
