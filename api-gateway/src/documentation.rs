//! `/openapi.json`: the document of the whole API. `/docs`: the same for people, from files that are built in,
//! so that it works offline. `/`: what this server is, for people who open it in a browser; programs get the contract's
//! 404 there.
//!
//! None needs an API key. `/docs` asks for one when an operation is tried out, and sends it to this
//! server only. The document's committed copy is docs/openapi.json: a test tells when the two differ.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{self, Accept, ContentType, Header as _, Quality};
use actix_web::web::{Bytes, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use utoipa::openapi::OpenApi;

use crate::problem::Problem;
use crate::routes::resource;
use crate::{openapi, routes};

#[cfg(test)]
mod tests;

const PAGE: &str = include_str!("documentation/page.html");
const START: &str = include_str!("documentation/page.js");
const FRONT: &str = include_str!("documentation/front.html");
const FRONT_STYLE: &str = include_str!("documentation/front.css");
/// The page's files come from this server; only its own styles and the icons in them stand inline.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Nothing runs on the front page, and nothing is sent from it.
const FRONT_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

static DOCUMENT: LazyLock<Result<Bytes, serde_json::Error>> = LazyLock::new(|| text().map(Bytes::from));

/// Registers the pages.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/").get(front).head(front))
        .service(resource("/openapi.json").get(document))
        .service(resource("/docs").get(page))
        .service(resource("/docs/{file}").get(file));
}

fn whole() -> OpenApi {
    openapi::document(routes::documents())
}

/// The document as it is committed: indented JSON that ends with a line break.
///
/// # Errors
/// None that the document's types can cause.
pub fn text() -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&whole())? + "\n")
}

async fn document() -> Result<HttpResponse, Problem> {
    let document = DOCUMENT.as_ref().map_err(|_| Problem::Internal("the OpenAPI document can't be written"))?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(document.clone()))
}

async fn page() -> HttpResponse {
    html(PAGE, PAGE_POLICY)
}

async fn front(request: HttpRequest) -> HttpResponse {
    let mut answer =
        if asks_for_html(&request) { html(FRONT, FRONT_POLICY) } else { Problem::NoRoute.error_response() };
    answer.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    answer
}

/// Browsers name HTML; programs that take anything don't.
fn asks_for_html(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else { return false };
    accept.iter().any(|kind| kind.item.essence_str() == "text/html" && kind.quality > Quality::ZERO)
}

fn html(body: &'static str, policy: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .body(body)
}

async fn file(name: Path<String>) -> Result<HttpResponse, Problem> {
    match name.as_str() {
        "page.js" => return Ok(HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(START)),
        "front.css" => return Ok(HttpResponse::Ok().content_type("text/css; charset=utf-8").body(FRONT_STYLE)),
        _ => {}
    }
    let found = utoipa_swagger_ui::serve(&name, Arc::default());
    let found = found.map_err(|_| Problem::Internal("a built-in file can't be read"))?.ok_or(Problem::NoRoute)?;
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let cached = (header::CACHE_CONTROL, "public, max-age=86400");
    Ok(HttpResponse::Ok().content_type(found.content_type).insert_header(cached).body(bytes))
}
