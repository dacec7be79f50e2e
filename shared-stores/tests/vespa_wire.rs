//! What goes over the wire: deadlines, encoding, no repetition.

use std::time::{Duration, Instant};

use hyper::Version;
use serde_json::{Value, json};
use shared_models::{DocumentId, DocumentType, SyncId};
use shared_stores::vespa::{CensusPlace, Part, Ranking, RemoveLimits, SearchRequest, StoredId, Unreachable};
use shared_stores::{VespaClient, VespaError};

use crate::canned::{Canned, CannedServer};
use crate::support::{TIMEOUT, client, document, id, install_tls};

#[tokio::test]
async fn a_put_is_one_clean_post_over_http2_that_carries_its_timeout() {
    let server = CannedServer::always(200, "{}").await;
    let sync = SyncId::random();
    let id = id(DocumentType::File, sync, "a");
    let fields = document(sync, "a", "one\u{0} two\u{ffff}\n");
    client(&server.url).put(&id, &fields, Duration::from_millis(1500)).await.unwrap();

    let [asked] = &server.asked()[..] else { panic!() };
    assert_eq!((asked.method.as_str(), asked.version), ("POST", Version::HTTP_2));
    assert_eq!(asked.path, format!("/document/v1/airweave/file_entity/docid/{}", id.specific));
    assert_eq!(asked.query, "timeout=1500ms");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["fields"]["textual_representation"], "one two\n");
    assert_eq!(body["fields"]["airweave_system_metadata_sync_id"], sync.to_string());
}

#[tokio::test]
async fn http1_is_an_option() {
    install_tls();
    let server = CannedServer::always(200, r#"{"status":{"code":"up"}}"#).await;
    VespaClient::builder(&server.url).http1().build().unwrap().ready(TIMEOUT).await.unwrap();
    assert_eq!(server.asked()[0].version, Version::HTTP_11);
}

#[tokio::test]
async fn a_server_that_is_not_up_is_not_ready() {
    let server = CannedServer::always(200, r#"{"status":{"code":"initializing"}}"#).await;
    assert!(client(&server.url).ready(TIMEOUT).await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn ids_with_any_character_arrive_as_one_encoded_segment() {
    let server = CannedServer::always(200, "{}").await;
    let id = DocumentId { document_type: DocumentType::Web, specific: "http://x/a?b=c#d e%ä".to_owned() };
    client(&server.url).remove(&id, TIMEOUT).await.unwrap();
    let [asked] = &server.asked()[..] else { panic!() };
    assert_eq!(asked.method, "DELETE");
    assert_eq!(asked.path, "/document/v1/airweave/web_entity/docid/http%3A%2F%2Fx%2Fa%3Fb%3Dc%23d%20e%25%C3%A4");
}

#[tokio::test]
async fn a_write_ends_with_its_deadline_and_its_outcome_is_unknown() {
    let slow = Canned { delay: Duration::from_secs(60), ..Canned::new(200, "{}") };
    let server = CannedServer::start(vec![slow]).await;
    let sync = SyncId::random();
    let started = Instant::now();
    let timeout = Duration::from_millis(300);
    let error = client(&server.url)
        .put(&id(DocumentType::Web, sync, "a"), &document(sync, "a", "x"), timeout)
        .await
        .unwrap_err();
    assert!(matches!(error, VespaError::Unanswered(given) if given == timeout), "{error}");
    assert!(error.may_still_apply());
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn no_answer_makes_the_client_ask_again_or_elsewhere() {
    for status in [302, 429, 503, 504, 507] {
        let server = CannedServer::always(status, r#"{"message":"no"}"#).await;
        let sync = SyncId::random();
        let result = client(&server.url).put(&id(DocumentType::Web, sync, "a"), &json!({}), TIMEOUT).await;
        assert!(result.is_err());
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_outcome_open() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let sync = SyncId::random();
    let (client, id, fields) = (client(&url), id(DocumentType::Web, sync, "a"), json!({}));
    let hang_up = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut preface = [0; 24];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut preface).await.unwrap();
    };
    let (result, ()) = tokio::join!(client.put(&id, &fields, TIMEOUT), hang_up);
    let error = result.unwrap_err();
    assert!(matches!(error, VespaError::Unavailable { how: Unreachable::Io, .. }), "{error:?}");
    assert!(error.may_still_apply());
}

/// Every call can be made from a task that may move between threads.
#[tokio::test]
async fn calls_can_be_sent_between_threads() {
    fn is_send<T: Send>(_: T) {}
    install_tls();
    let client = client(&"http://127.0.0.1:1".parse().unwrap());
    let (sync, ids) = (SyncId::random(), ids(1));
    let ranking = Ranking::Keywords(String::new());
    let request = SearchRequest { ranking, sync_ids: vec![], filter: None, limit: 1, offset: 0, most_bytes: 1 << 24 };
    let (id, fields) = (id(DocumentType::Web, sync, "a"), document(sync, "a", "x"));
    is_send(client.put(&id, &fields, TIMEOUT));
    is_send(client.remove(&id, TIMEOUT));
    is_send(client.remove_many(&ids, RemoveLimits::default()));
    is_send(client.count(sync, TIMEOUT));
    is_send(client.counts(&[sync], TIMEOUT));
    is_send(client.page_of_ids(sync, Part::Whole, 1, TIMEOUT));
    is_send(client.census_page(CensusPlace::default(), TIMEOUT));
    is_send(client.search(&request, TIMEOUT));
    is_send(client.ready(TIMEOUT));
}

fn ids(count: usize) -> Vec<StoredId> {
    (0..count).map(|n| StoredId::parse(&format!("id:airweave:web_entity::{n}")).unwrap()).collect()
}

#[tokio::test]
async fn overload_slows_a_purge_down_and_loses_nothing() {
    let mut answers = vec![Canned::new(429, "{}"); 30];
    answers.push(Canned::new(200, "{}"));
    let server = CannedServer::start(answers).await;
    let outcome =
        client(&server.url).remove_many(&ids(100), RemoveLimits { in_flight: 8, ..RemoveLimits::default() }).await;
    assert_eq!((outcome.removed, outcome.failed, outcome.not_started), (100, 0, 0));
    assert_eq!(server.asked().len(), 130);
}

#[tokio::test]
async fn lasting_overload_ends_with_the_time_given() {
    let server = CannedServer::always(429, "{}").await;
    let limits = RemoveLimits { in_flight: 4, total: Duration::from_millis(300), ..RemoveLimits::default() };
    let started = Instant::now();
    let outcome = client(&server.url).remove_many(&ids(50), limits).await;
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!((outcome.removed, outcome.failed + outcome.not_started), (0, 50));
    assert!(matches!(outcome.first_error, Some(VespaError::Overloaded)));
}

#[tokio::test]
async fn a_dead_store_is_not_asked_for_every_document() {
    let server = CannedServer::always(503, "{}").await;
    let outcome = client(&server.url).remove_many(&ids(10_000), RemoveLimits::default()).await;
    assert_eq!(outcome.removed, 0);
    assert_eq!(outcome.failed + outcome.not_started, 10_000);
    assert!(server.asked().len() < 1000, "{}", server.asked().len());

    let server = CannedServer::always(400, r#"{"message":"Document type 'x' does not exist"}"#).await;
    let outcome = client(&server.url).remove_many(&ids(10_000), RemoveLimits::default()).await;
    assert!(outcome.not_started > 9_000);
    assert!(!outcome.first_error.unwrap().is_retryable());
}
