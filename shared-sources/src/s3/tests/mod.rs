//! The source `s3` against a server that fails on demand, and against a real one.

mod odd;
mod real;
mod server;
pub(crate) mod stand;

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use self::server::{Object, S3Server};
use crate::conformance::Run;
use crate::run::collected;
use crate::{EntitySink, Source, SourceAccess};

/// Access to the server at `url`, without the pauses of a real one.
fn access(url: &Url) -> SourceAccess {
    SourceAccess::for_tests(|settings| {
        settings.s3.endpoints = url.as_str().parse().unwrap();
        settings.s3.retry_delay = Duration::from_millis(5);
    })
}

fn credentials() -> Value {
    json!({
        "endpoint": null, "region": "eu-central-1", "path_style": true, "access_key_id": "AKIATEST",
        "secret_access_key": stand::SECRET,
    })
}

async fn read_with(access: &SourceAccess, credentials: Value, changes: Value) -> Run {
    test_support::install_tls_provider();
    let mut config = json!({"bucket": "bucket", "prefix": null, "include": [], "exclude": []});
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let (sink, entities) = EntitySink::new(4);
    let reading = Source::S3.read(config.as_object().unwrap(), credentials.as_object().unwrap(), access, None, sink);
    let (outcome, mut entities) = tokio::join!(reading, collected(entities));
    entities.sort_by(|one, other| one.id.cmp(&other.id));
    Run { entities, outcome }
}

async fn read(server: &S3Server, changes: Value) -> Run {
    read_with(&access(&server.url), credentials(), changes).await
}

fn ids(run: &Run) -> Vec<&str> {
    run.entities.iter().map(|entity| entity.id.as_str()).collect()
}
