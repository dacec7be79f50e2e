//! The source `github` against a server that answers like GitHub.

mod https;
mod odd_servers;
mod patience;
mod reading;
mod refusals;
pub(crate) mod stand;

use std::time::Duration;

use serde_json::{Map, Value, json};
use test_support::github::{GithubServer, TOKEN, refused};
use url::Url;

use crate::github::GithubSettings;
use crate::run::{collected, run};
use crate::{EntitySink, ReadSummary, SourceAccess, SourceEntity, SourceError};

const REPOSITORY: &str = "octo/spoon";

/// The bounds of a patient run without the pauses of a real one.
fn limits(api: &Url) -> SourceAccess {
    limits_with(api, |_| {})
}

/// The same, changed by `change`.
fn limits_with(api: &Url, change: impl FnOnce(&mut GithubSettings)) -> SourceAccess {
    SourceAccess::for_tests(|settings| {
        settings.github = GithubSettings {
            apis: api.as_str().parse().unwrap(),
            max_wait: Duration::from_secs(30),
            request_interval: Duration::ZERO,
            retry_delay: Duration::from_millis(10),
            refusal_delay: Duration::from_millis(50),
        };
        change(&mut settings.github);
    })
}

fn credentials(token: &str) -> Map<String, Value> {
    object(json!({"personal_access_token": token, "api_url": null}))
}

fn config(branch: Option<&str>) -> Map<String, Value> {
    object(json!({"repo_name": REPOSITORY, "branch": branch}))
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// What came of a run.
struct Read {
    entities: Vec<SourceEntity>,
    outcome: Result<ReadSummary, SourceError>,
}

impl Read {
    /// Everything of a run that went well, in the order of the ids, and how much was skipped.
    fn all(mut self) -> (Vec<SourceEntity>, i64) {
        self.entities.sort_by(|one, other| one.id.cmp(&other.id));
        (self.entities, self.outcome.unwrap().skipped.count())
    }

    /// The paths of the files, below the repository.
    fn files(self) -> Vec<String> {
        let (entities, _) = self.all();
        let files = entities.iter().filter(|entity| entity.class == "GitHubCodeFileEntity");
        files.map(|entity| entity.id.strip_prefix("octo/spoon/").unwrap().to_owned()).collect()
    }

    fn error(self) -> SourceError {
        self.outcome.unwrap_err()
    }
}

async fn read(server: &GithubServer) -> Read {
    read_with(&limits(&server.url()), config(None), credentials(TOKEN)).await
}

async fn read_with(limits: &SourceAccess, config: Map<String, Value>, credentials: Map<String, Value>) -> Read {
    test_support::install_tls_provider();
    let (sink, entities) = EntitySink::new(4);
    let (outcome, entities) =
        tokio::join!(run("github", &config, &credentials, limits, None, sink), collected(entities));
    Read { entities, outcome }
}
