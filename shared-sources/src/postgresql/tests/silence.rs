//! A server that opens a session and then says nothing any more.

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::TcpStream;

use super::*;
use crate::postgresql::read::read_all;

const SILENCE: Duration = Duration::from_secs(2);

/// Passes on what the client and the server at `port` say, until the client says `word`: that gets no answer.
async fn silent_at(word: &str, listener: TcpListener, port: u16) {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
    let asking = async {
        let mut said = [0; 16 * 1024];
        loop {
            let length = from_client.read(&mut said).await.unwrap();
            if length == 0 || said[..length].windows(word.len()).any(|part| part == word.as_bytes()) {
                break std::future::pending::<()>().await;
            }
            to_server.write_all(&said[..length]).await.unwrap();
        }
    };
    let (_, _) = tokio::join!(asking, copy(&mut from_server, &mut to_client));
}

async fn error_of_silence_at(word: &str, credentials: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = u16::try_from(credentials["port"].as_u64().unwrap()).unwrap();
    let here =
        changed(changed(credentials.clone(), "host", "127.0.0.1"), "port", listener.local_addr().unwrap().port());
    let config = serde_json::from_value(json!({"schema": "shop", "tables": []})).unwrap();
    let here = serde_json::from_value(here).unwrap();
    let (sink, entities) = EntitySink::new(1);
    tokio::select! {
        ((), _) = async { tokio::join!(silent_at(word, listener, port), collect(entities)) } => unreachable!(),
        outcome = read_all(&config, &here, SILENCE, &sink) => match outcome.unwrap_err() {
            SourceError::Unreachable(text) => text,
            other => panic!("{word}: {other:?}"),
        },
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
        ("row_to_json", "the rows of table 'a'"),
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
