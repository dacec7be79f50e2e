//! A receipt as a page for people, for those who ask for one.

use actix_web::http::header::{ACCEPT, Accept, CACHE_CONTROL, CONTENT_SECURITY_POLICY, Header as _, Quality, VARY};
use actix_web::{HttpRequest, HttpResponse};
use shared_certificate::{Context, certificate};
use shared_models::receipt::ReceiptFile;

use crate::problem::Problem;

/// The page loads nothing and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// Whether the client would rather have a page than JSON. Who takes anything gets JSON, as clients of Airweave expect.
pub fn is_asked_for(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(ACCEPT) {
        return false;
    }
    let Ok(accepted) = Accept::parse(request) else { return false };
    accepted.preference().essence_str() == "text/html" && accepted.iter().any(|kind| kind.quality > Quality::ZERO)
}

/// The page.
///
/// # Errors
/// What PostgreSQL has is no receipt of this version.
pub fn page(file: &ReceiptFile, requested_by_name: Option<String>) -> Result<HttpResponse, Problem> {
    let context = Context { requested_by_name, ..Context::default() };
    let page = certificate(file, &context).map_err(|_| Problem::Internal("a receipt is malformed"))?;
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((VARY, "Accept"));
    Ok(response.body(page))
}
