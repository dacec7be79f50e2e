//! Headers that every answer carries, unless its handler says otherwise.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::DefaultHeaders;

/// Answers are data, often private: not to be cached, framed, guessed at or run.
pub fn security(is_https: bool) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add((CACHE_CONTROL, "no-store"))
        .add((CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .add((REFERRER_POLICY, "no-referrer"))
        .add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((X_FRAME_OPTIONS, "DENY"))
        .add((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"));
    // Behind a proxy it is the proxy that knows whether clients come over HTTPS.
    if is_https { headers.add((STRICT_TRANSPORT_SECURITY, "max-age=31536000")) } else { headers }
}
