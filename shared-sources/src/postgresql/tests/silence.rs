//! A server that opens a session and then says nothing any more.

use futures::future::join_all;

use super::*;
use crate::conformance::Silence;
use crate::postgresql::read::read_all;

const SILENCE: Duration = Duration::from_secs(2);

async fn error_of_silence_at(word: &'static str, credentials: &Value) -> String {
    let silence = Silence::after(word, port(credentials)).await;
    let here = changed(changed(credentials.clone(), "host", "127.0.0.1"), "port", silence.port);
    let config = serde_json::from_value(json!({"schema": "shop", "tables": []})).unwrap();
    let here = serde_json::from_value(here).unwrap();
    let (sink, entities) = EntitySink::new(1);
    let reading = async move { read_all(&config, &here, SILENCE, &sink).await };
    let (outcome, _) = tokio::join!(reading, collect(entities));
    match outcome.unwrap_err() {
        SourceError::Unreachable(text) => text,
        other => panic!("{word}: {other:?}"),
    }
}

#[tokio::test]
async fn silence_ends_the_run_wherever_it_begins() {
    let database = shop("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)").await;
    let credentials = credentials(&database);
    let places = [
        ("set_config(", "settings"),
        ("BEGIN ISOLATION", "the beginning of a transaction"),
        ("has_schema_privilege", "its schema"),
        ("has_any_column_privilege", "its tables"),
        ("WITH RECURSIVE base", "a table's columns"),
        ("pg_inherits", "which tables inherit from others"),
        ("SAVEPOINT", "a savepoint"),
        ("row_to_json", "the rows of table 'a'"),
        ("pg_locks", "changes of table 'a'"),
        ("ROLLBACK TO", "the next table"),
        ("COMMIT", "the end of the transaction"),
    ];
    let errors = join_all(places.map(|(word, about)| {
        let credentials = &credentials;
        async move { (about, Box::pin(error_of_silence_at(word, credentials)).await) }
    }));
    for (about, error) in tokio::time::timeout(Duration::from_secs(30), errors).await.unwrap() {
        assert!(error.ends_with(&format!("sent nothing about {about} for 2s")), "{error}");
    }
}
