//! Servers that the caller's environment names: they are used instead of ones of ours.
//!
//! A shell may still know the addresses of an earlier stack. So it is said that they are used, and an address at which
//! nobody listens stops the start within seconds, with the variable's name.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::net::TcpStream;
use url::Url;

use crate::options::Options;

/// How long a server of the caller's may take to accept a connection: it may be starting too.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// The URL in this variable of the caller's, once somebody listens there; `None` if there is none.
///
/// # Errors
/// Nobody listens there within ten seconds.
pub async fn server(options: &Options, variable: &str) -> Result<Option<String>> {
    let Some(url) = options.environment.get(variable) else { return Ok(None) };
    let shown = without_password(url);
    let step = options.progress.begin(&format!("using {variable} from your environment: {shown}"));
    if let Some(address) = address(url)
        && !listens(&address).await
    {
        bail!(
            "nobody listens at {variable} from your environment, {shown}: start that server, or `unset {variable}` to \
             have one started here"
        );
    }
    step.done("");
    Ok(Some(url.to_owned()))
}

async fn listens((host, port): &(String, u16)) -> bool {
    let deadline = Instant::now() + ANSWERS_WITHIN;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, TcpStream::connect((host.as_str(), *port))).await {
            Ok(Ok(_connected)) => return true,
            Ok(Err(_)) if left > BETWEEN_ATTEMPTS => tokio::time::sleep(BETWEEN_ATTEMPTS).await,
            _ => return false,
        }
    }
}

/// Host and port, unless the URL names something else, such as a Unix socket or several hosts.
fn address(url: &str) -> Option<(String, u16)> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty() && !host.contains('%'))?;
    let usual = match url.scheme() {
        "postgres" | "postgresql" => 5432,
        "amqp" => 5672,
        "amqps" => 5671,
        _ => url.port_or_known_default()?,
    };
    Some((host.trim_matches(['[', ']']).to_owned(), url.port().unwrap_or(usual)))
}

/// The URL as it may be shown: a query may hold a password too.
fn without_password(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "(not a URL)".to_owned() };
    let _has_no_host = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let shown = without_password("postgres://me:hunter2@db:5433/unweave?password=hunter2");
        assert_eq!(shown, "postgres://me@db:5433/unweave");
        assert_eq!(without_password("hunter2"), "(not a URL)");
    }

    #[test]
    fn an_address_has_the_port_that_its_scheme_implies() {
        let of = |url: &str| address(url).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(of("postgres://me@db/unweave").as_deref(), Some("db 5432"));
        assert_eq!(of("postgresql://[::1]:6000/unweave").as_deref(), Some("::1 6000"));
        assert_eq!(of("amqps://broker/%2f").as_deref(), Some("broker 5671"));
        assert_eq!(of("http://vespa").as_deref(), Some("vespa 80"));
        for elsewhere in ["postgres://%2Frun%2Fpostgresql/unweave", "postgres:///unweave", "postgres://a:1,b:2/unweave"]
        {
            assert_eq!(of(elsewhere), None, "{elsewhere}");
        }
    }
}
