//! The ledger store on S3: on small S3 servers, one of which keeps versions.

use std::time::Duration;

use bytes::Bytes;
use shared_stores::ledger::{LedgerStore, LedgerStoreError, Put};
use test_support::{S3_SECRET, TestS3, TestVersionedBucket, s3_settings};
use url::Url;

use crate::canned::{Canned, CannedServer};
use crate::support::{TIMEOUT, files_below, install_tls};

const NAME: &str = "tile/0/x001/067.p/5";

pub fn open(endpoint: &Url) -> LedgerStore {
    open_with(endpoint, &[])
}

pub fn open_with(endpoint: &Url, more: &[(&str, &str)]) -> LedgerStore {
    install_tls();
    let settings = s3_settings(endpoint);
    let mut settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    settings.extend(more);
    LedgerStore::open_with(&"s3://bucket/team/ledger".parse().unwrap(), &settings).unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// What [`keeps_what_it_gets`] leaves below `log/`.
const WRITTEN_ONCE: [&str; 6] =
    ["check", "tile/0/000", NAME, "tile/entries/000", "tile/entries/000.p/255", "tile/entries/000.p/7"];

/// What every store must do, on one that is empty.
pub async fn keeps_what_it_gets(store: &LedgerStore) {
    assert_eq!(store.get(NAME).await.unwrap(), None);
    assert_eq!(store.get_checkpoint().await.unwrap(), None);
    store.check_read_access(TIMEOUT).await.unwrap();
    assert_eq!(store.put_if_absent(NAME, bytes("one")).await.unwrap(), Put::New);
    assert_eq!(store.put_if_absent(NAME, bytes("one")).await.unwrap(), Put::Same);
    for other in ["two", "on", "one more", ""] {
        let error = store.put_if_absent(NAME, bytes(other)).await.unwrap_err();
        assert!(matches!(&error, LedgerStoreError::Different { name } if *name == format!("log/{NAME}")), "{error}");
    }
    assert_eq!(store.get(NAME).await.unwrap(), Some(bytes("one")));
    let error = store.get_at_most(NAME, 2).await.unwrap_err();
    assert!(matches!(error, LedgerStoreError::TooLarge { bytes: 3, max: 2, .. }), "{error}");
    assert_eq!(store.put_if_absent("tile/0/000", Bytes::new()).await.unwrap(), Put::New);
    assert_eq!(store.get("tile/0/000").await.unwrap(), Some(Bytes::new()), "empty isn't absent");
    assert!(store.has(NAME).await.unwrap() && !store.has("tile/0/x001/067").await.unwrap());
    for (name, width) in
        [("tile/entries/000.p/7", "7"), ("tile/entries/000.p/255", "255"), ("tile/entries/000", "full")]
    {
        store.put_if_absent(name, bytes(width)).await.unwrap();
    }
    let mut widths = store.names_in("tile/entries/000.p").await.unwrap();
    widths.sort_unstable();
    assert_eq!(widths, ["255", "7"]);
    assert_eq!(store.names_in("tile/entries").await.unwrap(), ["000"], "without what is in folders within it");
    assert!(store.names_in("tile/entries/001.p").await.unwrap().is_empty());
    for note in ["first", "second", "second", "third\n"] {
        store.put_checkpoint(note).await.unwrap();
        assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some(note));
    }
    for _ in 0..3 {
        store.check_access(TIMEOUT).await.unwrap();
        store.check_read_access(TIMEOUT).await.unwrap();
    }
    assert_eq!(store.get(NAME).await.unwrap(), Some(bytes("one")));
    assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some("third\n"));
}

#[tokio::test]
async fn a_bucket_keeps_what_it_gets_and_only_the_checkpoint_changes() {
    let server = TestS3::start().await;
    keeps_what_it_gets(&open(&server.url)).await;
    let keys: Vec<_> = files_below(&server.path("team/ledger")).into_keys().collect();
    let written = WRITTEN_ONCE.map(|name| format!("log/{name}"));
    assert_eq!(keys, [&["check".to_owned(), "checkpoint".to_owned()], &written[..]].concat());
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let server = TestS3::start().await;
    let store = open(&server.url);
    server.write("team/ledger/log/huge", vec![7; (8 << 20) + 1]);
    let error = store.get("huge").await.unwrap_err();
    assert_eq!(error.to_string(), "log/huge of 8388609 bytes is larger than 8388608");
    assert_eq!(store.get_at_most("huge", 9 << 20).await.unwrap().unwrap().len(), (8 << 20) + 1);
    // It stands in nobody's way.
    server.write("team/ledger/checkpoint", vec![7; 1 << 20]);
    assert!(matches!(store.get_checkpoint().await, Err(LedgerStoreError::TooLarge { .. })));
    store.put_checkpoint("a note").await.unwrap();
    assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some("a note"));
}

#[tokio::test]
async fn a_bucket_with_versions_has_one_version_of_what_is_written_once() {
    let bucket = TestVersionedBucket::start().await;
    let store = open(&bucket.url);
    keeps_what_it_gets(&store).await;
    let written = bucket.versions("team/ledger/log/").await;
    let mut keys: Vec<_> = written.iter().map(|version| version.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, WRITTEN_ONCE.map(|name| format!("team/ledger/log/{name}")));
    assert_eq!(bucket.versions("team/ledger/checkpoint").await.len(), 3, "each note that differs, and no more");
}

#[tokio::test]
async fn a_404_that_names_no_object_is_not_an_absent_object() {
    let absent = |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    let server = CannedServer::always(404, absent("NoSuchKey")).await;
    assert_eq!(open(&server.url).get(NAME).await.unwrap(), None);
    for answer in [absent("NoSuchBucket"), "<html>404 page not found</html>".to_owned(), String::new()] {
        let server = CannedServer::always(404, &answer).await;
        let store = open(&server.url);
        for error in [store.get(NAME).await.map(drop), store.get_checkpoint().await.map(drop)] {
            let error = error.unwrap_err();
            assert!(matches!(error, LedgerStoreError::Store { .. }) && error.is_retryable(), "{answer}: {error}");
        }
    }
}

#[tokio::test]
async fn refusals_are_errors_that_tell_no_secret_and_no_place() {
    for (status, code, told) in [
        (403, "AccessDenied", "access denied"),
        (401, "Unauthorized", "the credentials are refused"),
        (507, "Full", "it answered 507 Insufficient Storage"),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>{S3_SECRET} bucket/team/ledger</Message></Error>");
        let server = CannedServer::always(status, body).await;
        let store = open(&server.url);
        let (read, written) = (store.get(NAME).await.unwrap_err(), store.put_checkpoint("x").await.unwrap_err());
        for error in [read, written, store.put_if_absent(NAME, bytes("x")).await.unwrap_err()] {
            let text = error.to_string();
            assert!(text.ends_with(&format!(" failed in the ledger store: {told}")), "{text}");
            assert!(!text.contains(S3_SECRET) && !text.contains("bucket") && !text.contains("127.0.0.1"), "{text}");
            assert!(error.is_retryable());
        }
    }
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_is_given_up_on_in_time() {
    let slow = Canned { delay: Duration::from_secs(60), ..Canned::new(200, "") };
    let server = CannedServer::start(vec![slow]).await;
    let timeout = Duration::from_millis(300);
    let store = open(&server.url).with_timeout(timeout);
    let errors = [
        store.get(NAME).await.unwrap_err(),
        store.get_checkpoint().await.unwrap_err(),
        store.put_if_absent(NAME, bytes("x")).await.unwrap_err(),
        store.put_checkpoint("x").await.unwrap_err(),
        store.check_access(timeout).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, LedgerStoreError::Unanswered(given) if given == timeout), "{error}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn urls_of_no_store_are_refused() {
    install_tls();
    for bad in ["http://127.0.0.1/bucket", "memory:///", "ftp://host/x"] {
        let error = LedgerStore::open(&bad.parse().unwrap()).unwrap_err();
        assert!(matches!(error, LedgerStoreError::Setup(_)), "{bad}: {error}");
        assert!(LedgerStore::open_existing(&bad.parse().unwrap()).is_err());
    }
}
