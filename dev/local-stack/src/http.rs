//! The little HTTP that is needed to ask whether somebody is ready.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

/// How long a question may take whose answer is only yes or no: it is asked again.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a change may take that is asked for once, on a machine that is busy with other things.
const CHANGE_TIMEOUT: Duration = Duration::from_mins(1);

/// What `/health/ready` answers.
#[derive(Default, Deserialize)]
struct Readiness {
    checks: BTreeMap<String, Check>,
}

#[derive(Deserialize)]
struct Check {
    status: String,
}

/// A client for servers that this program has just started. It takes every certificate: theirs need not name the
/// address by which they are asked.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// Makes a client.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new() -> Result<Self> {
        // A second call finds the provider there already.
        let _present = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_danger_accept_invalid_certs(true)
            .timeout(LOOK_TIMEOUT)
            .build()
            .context("set up the HTTP client")?;
        Ok(Self { client })
    }

    /// Whether a GET is answered with success.
    pub async fn ready(&self, url: &str) -> bool {
        self.client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// What of a service isn't ready, by the answer of its `/health/ready`: `None` if all of it is.
    pub async fn not_ready(&self, url: &str) -> Option<String> {
        let Ok(answer) = self.client.get(url).send().await else { return Some("it doesn't answer".to_owned()) };
        if answer.status().is_success() {
            return None;
        }
        let told: Readiness = answer.json().await.unwrap_or_default();
        let down: Vec<String> =
            told.checks.into_iter().filter(|(_, check)| check.status != "up").map(|(name, _)| name).collect();
        Some(format!("it waits for {}", if down.is_empty() { "something".to_owned() } else { down.join(", ") }))
    }

    /// Whether anything answers a GET as HTTP.
    pub async fn answers(&self, url: &str) -> bool {
        self.client.get(url).send().await.is_ok()
    }

    /// Whether a GET with user and password is answered with success.
    pub async fn authorized(&self, url: &str, user: &str, password: &str) -> bool {
        let answer = self.client.get(url).basic_auth(user, Some(password)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Posts a JSON text. User and password may stand in the URL.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn post_json(&self, url: &str, text: String) -> Result<()> {
        let request =
            self.client.post(url).timeout(CHANGE_TIMEOUT).header("content-type", "application/json").body(text);
        let answer = request.send().await.context("post")?;
        answer.error_for_status().map(|_| ()).context("post")
    }
}
