//! Which web pages may call the API from a browser: none, unless the operator names their origins.

use std::str::FromStr;

use actix_cors::Cors;
use url::{Origin, Url};

use crate::openapi;

const PREFLIGHT_SECONDS: usize = 600;

/// Origins that may call, from `CORS_ALLOWED_ORIGINS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// No page of another origin.
    #[default]
    None,
    /// Every page. Keys travel in a header, never in a cookie: a page must know one.
    Any,
    /// The named ones.
    Named(Vec<String>),
}

impl FromStr for AllowedOrigins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] => Ok(Self::None),
            ["*"] => Ok(Self::Any),
            origins => origins.iter().map(|text| origin(text)).collect::<Result<_, _>>().map(Self::Named),
        }
    }
}

fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("'{text}' is not an origin such as https://app.example.com");
    let url = Url::parse(text).map_err(|_| wrong())?;
    let origin @ Origin::Tuple(..) = url.origin() else { return Err(wrong()) };
    let written = origin.ascii_serialization();
    // A path or a slash at the end would never match what browsers send.
    if written.eq_ignore_ascii_case(text) { Ok(written) } else { Err(wrong()) }
}

/// Answers preflights, and says on answers who may read them.
pub fn middleware(origins: &AllowedOrigins) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PATCH", "DELETE"])
        // SDKs send headers of their own, and none gives a page more than it has: no cookie counts here, only a key.
        .allow_any_header()
        .expose_headers(openapi::headers::all().map(|(name, _)| name))
        .max_age(PREFLIGHT_SECONDS);
    match origins {
        AllowedOrigins::None => cors,
        AllowedOrigins::Any => cors.allow_any_origin().send_wildcard(),
        AllowedOrigins::Named(origins) => origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        let named = |text: &str| text.parse::<AllowedOrigins>();
        assert_eq!(named(""), Ok(AllowedOrigins::None));
        assert_eq!(named(" * "), Ok(AllowedOrigins::Any));
        let two = vec!["https://app.example.com".to_owned(), "http://localhost:3000".to_owned()];
        assert_eq!(named("https://app.example.com, http://localhost:3000"), Ok(AllowedOrigins::Named(two)));
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for text in ["app.example.com", "https://app.example.com/", "https://a/x", "*,https://a", "null", "file:///x"] {
            assert!(text.parse::<AllowedOrigins>().is_err(), "{text}");
        }
    }
}
