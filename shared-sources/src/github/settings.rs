//! What the operator sets for this source: which APIs a token may be sent to, and how patient a job is.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use shared_service::settings::Validate;
use url::Url;

use crate::tools::entries::entries;
use crate::tools::http::{is_loopback, plain_url};

/// The setting that allows no API.
const OFF: &str = "none";

/// What the operator sets for `github`, and the bounds that nobody sets.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct GithubSettings {
    /// APIs that the source `github` may use and send tokens to, the default one first; https, or http on a loopback
    /// address; or none
    #[arg(
        id = "github_api_urls",
        long,
        env = "GITHUB_API_URLS",
        value_name = "URL,…",
        default_value = "https://api.github.com"
    )]
    pub(crate) apis: GithubApis,
    /// Longest time that a job waits for GitHub's rate limit without an answer before it fails; GitHub's own window is
    /// one hour
    #[arg(id = "github_max_wait", long, env = "GITHUB_MAX_WAIT", value_name = "DURATION", default_value = "65m", value_parser = humantime::parse_duration)]
    pub(crate) max_wait: Duration,
    /// Least time between the starts of two requests with one token. GitHub allows 900 a minute.
    #[arg(skip = Duration::from_millis(70))]
    pub(crate) request_interval: Duration,
    /// First pause after a request that failed for the moment; doubles with each of the few attempts.
    #[arg(skip = Duration::from_secs(1))]
    pub(crate) retry_delay: Duration,
    /// Pause after a refusal by the rate limit that doesn't say how long it lasts; doubles likewise.
    #[arg(skip = Duration::from_mins(1))]
    pub(crate) refusal_delay: Duration,
}

impl Validate for GithubSettings {}

/// Base URLs of the APIs that tokens may be sent to; the first one is meant where none is named.
///
/// As a setting: URLs with commas between them, e.g. `https://api.github.com,https://github.example.com/api/v3`, or
/// `none`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GithubApis(Vec<Url>);

impl GithubApis {
    /// The API that `named` means, if it may be used.
    pub(super) fn find(&self, named: Option<&str>) -> Option<&Url> {
        let Some(named) = named else { return self.0.first() };
        let named = parse(named).ok()?;
        self.0.iter().find(|url| **url == named)
    }
}

impl FromStr for GithubApis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == OFF {
            return Ok(Self::default());
        }
        let mut urls = Vec::new();
        for part in entries(text) {
            let url = parse(part)?;
            if urls.contains(&url) {
                return Err(format!("'{part}' comes twice"));
            }
            urls.push(url);
        }
        if urls.is_empty() { Err(format!("no URL; '{OFF}' switches the source off")) } else { Ok(Self(urls)) }
    }
}

/// A base URL with a slash at its end. The token goes there, so it must be encrypted on any network.
fn parse(text: &str) -> Result<Url, String> {
    let mut url = plain_url(text)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(format!("'{text}' must be https, or http on a loopback address")),
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_apis_are_found() {
        let apis: GithubApis = "https://api.github.com, https://ghe.example.com/api/v3/".parse().unwrap();
        let found = |named| apis.find(named).map(Url::as_str);
        assert_eq!(found(None), Some("https://api.github.com/"));
        assert_eq!(found(Some("https://ghe.example.com/api/v3")), Some("https://ghe.example.com/api/v3/"));
        assert_eq!(found(Some("HTTPS://API.github.com:443")), Some("https://api.github.com/"));
        for other in ["https://ghe.example.com", "http://api.github.com", "https://api.github.com@evil.example", "x"] {
            assert_eq!(found(Some(other)), None, "{other}");
        }
        assert_eq!("none".parse::<GithubApis>().unwrap().find(None), None);
    }

    #[test]
    fn an_api_where_the_token_could_be_read_on_the_way_is_refused() {
        for wrong in [
            "http://ghe.example.com",
            "http://localhost",
            "ftp://127.0.0.1",
            "https://api.github.com?x=1",
            "https://api.github.com,https://api.github.com/",
            "https://a:b@ghe.example.com",
            "api.github.com",
            "",
        ] {
            assert!(wrong.parse::<GithubApis>().is_err(), "{wrong}");
        }
        assert!("http://127.0.0.1:8080".parse::<GithubApis>().is_ok());
    }
}
