//! The routes: what is asked and answered, no logic. One file per resource.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::ContentType;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, HttpResponse, Resource};
use serde::Serialize;

use crate::problem::Problem;
use crate::server::time_limit;
use crate::state::AppState;

mod api_keys;
mod cleanups;
mod collections;
mod health;
mod search;
mod source_connections;
mod sources;

pub use health::REQUIRED as REQUIRED_PROBE;

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
        .app_data(web::PathConfig::default().error_handler(|_, _| Problem::NoRoute.into()))
        .default_service(web::to(no_route));
}

/// A resource that answers methods which it doesn't know, and everything in time.
fn resource(
    path: &str,
) -> Resource<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>,
> {
    web::resource(path).default_service(web::to(no_method)).wrap(from_fn(time_limit::limit))
}

async fn no_route() -> Answer {
    Err(Problem::NoRoute)
}

async fn no_method() -> Answer {
    Err(Problem::NoMethod)
}

#[expect(clippy::unnecessary_wraps, reason = "what handlers end with")]
fn ok(body: impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().content_type(ContentType::json()).json(body))
}
