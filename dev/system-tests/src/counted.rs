//! What the stand-in has counted: what each kind of request made it do.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The counts of one kind of request.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Counts {
    /// Requests received.
    pub requests: u64,
    /// Documents written, removed or given out.
    pub operations: u64,
    /// Documents looked at to decide or to answer.
    pub documents_examined: u64,
}

/// All counts since they were last reset.
#[derive(Debug, Clone, Deserialize)]
pub struct Counted(BTreeMap<String, Counts>);

impl Counted {
    /// Asks.
    pub async fn of(vespa_url: &str) -> Self {
        let answer = reqwest::get(format!("{vespa_url}/standin/v1/counters")).await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// Back to zero.
    pub async fn reset(vespa_url: &str) {
        let url = format!("{vespa_url}/standin/v1/counters/reset");
        reqwest::Client::new().post(url).send().await.unwrap().error_for_status().unwrap();
    }

    /// Of one kind, such as `query`.
    #[must_use]
    pub fn kind(&self, name: &str) -> Counts {
        self.0[name]
    }

    /// Documents looked at, whatever for.
    #[must_use]
    pub fn examined(&self) -> u64 {
        self.0.values().map(|counts| counts.documents_examined).sum()
    }
}
