//! What sources that speak HTTP share: the addresses that operators list, a client, and how its failures are told.
//!
//! A client tries nothing again and follows no redirect by itself: what it is asked goes where the operator meant it to
//! go, or nowhere.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};
use url::{Host, Url};

use super::reasons::with_reasons;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Bound of one request: the largest answers have some MiB.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(3);

/// The URL that an operator or a connection's owner wrote: without user name, password, query or fragment.
///
/// # Errors
/// What is wrong with it. The text isn't repeated before it is known to hold no password.
pub(crate) fn plain_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("a URL is not valid: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL holds a user name or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("'{text}' must end with its path"));
    }
    Ok(url)
}

/// Whether nothing that is sent to `url` leaves this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // A name may be resolved to anything.
        Some(Host::Domain(_)) | None => false,
    }
}

/// The server of `url` as texts name it.
pub(crate) fn server(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A client for the server of `base`.
pub(crate) fn client(base: &Url) -> ClientBuilder {
    let mut http = Client::builder()
        .user_agent("unweave")
        .retry(retry::never())
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .tcp_nodelay(true);
    if is_loopback(base) {
        http = http.no_proxy();
    }
    if base.scheme() == "http" {
        // Without TLS the system's certificates aren't needed, and a slim image has none.
        http = http.tls_certs_only([]);
    }
    http
}

/// Why a request came to nothing, without its URL.
pub(crate) fn why(error: &reqwest::Error) -> String {
    let text = if error.is_timeout() { "no answer in time" } else { "the request failed" };
    with_reasons(text.to_owned(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_password_is_refused_without_being_repeated() {
        let refused = plain_url("https://user:geheim@host.example").unwrap_err();
        assert!(!refused.contains("geheim"), "{refused}");
        for wrong in ["host.example", "https://host.example?x=1", "https://host.example/#a", ""] {
            assert!(plain_url(wrong).is_err(), "{wrong}");
        }
        assert_eq!(server(&plain_url(" https://host.example:9000/v3 ").unwrap()), "host.example:9000");
        assert_eq!(server(&plain_url("https://host.example:443").unwrap()), "host.example");
    }

    #[test]
    fn only_an_address_is_surely_this_machine() {
        for (url, expected) in [("http://127.0.0.1:1", true), ("http://[::1]", true), ("http://localhost", false)] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
