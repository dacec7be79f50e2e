//! The ledger store on a bucket that is raced for, overloaded, silent, gone, or that doesn't know what it is asked.

use std::time::Duration;

use bytes::Bytes;
use shared_stores::ledger::{LedgerStoreError, Put};
use test_support::{Conditions, TestBucket, wait_until};

use crate::ledger_bucket::{keeps_what_it_gets, open, open_with};
use crate::support::{TIMEOUT, at_once};

const NAME: &str = "tile/0/x001/067.p/5";
const KEY: &str = "team/ledger/log/tile/0/x001/067.p/5";

/// Short, but long enough for an answer that comes.
const IMPATIENT: Duration = Duration::from_secs(2);

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_of_different_bytes_one_wins_and_all_others_are_told() {
    let server = TestBucket::start().await;
    // Two processes with fifty writes each.
    let stores = [open(&server.url), open(&server.url)];
    let content = |number: usize| bytes(&format!("{number:04}"));
    let puts = (0..100).map(|number| {
        let store = stores[number % 2].clone();
        async move { store.put_if_absent(NAME, content(number)).await }
    });
    let ends = at_once(puts).await;
    let winners: Vec<_> = (0..100).filter(|number| matches!(ends[*number], Ok(Put::New))).collect();
    assert_eq!(winners.len(), 1, "{ends:?}");
    let different = ends.iter().filter(|end| matches!(end, Err(LedgerStoreError::Different { .. }))).count();
    assert_eq!(different, 99, "{ends:?}");
    assert_eq!(server.content(KEY).unwrap(), content(winners[0]));
}

#[tokio::test]
async fn a_put_that_was_not_answered_is_settled_by_the_next_call() {
    let server = TestBucket::start().await;
    let store = open(&server.url).with_timeout(IMPATIENT);
    store.check_access(TIMEOUT).await.unwrap();
    server.leave_unanswered(1);
    let error = store.put_if_absent(NAME, bytes("one")).await.unwrap_err();
    assert!(matches!(error, LedgerStoreError::Unanswered(_)) && error.is_retryable(), "{error}");
    assert_eq!(store.put_if_absent(NAME, bytes("one")).await.unwrap(), Put::Same);
    let error = store.put_if_absent(NAME, bytes("two")).await.unwrap_err();
    assert!(matches!(error, LedgerStoreError::Different { .. }), "{error}");
    assert_eq!(server.content(KEY).unwrap(), b"one");
}

#[tokio::test]
async fn a_checkpoint_that_was_not_answered_is_settled_by_the_next_call() {
    let server = TestBucket::start().await;
    let store = open(&server.url).with_timeout(IMPATIENT);
    store.put_checkpoint("first").await.unwrap();
    server.leave_unanswered(1);
    assert!(matches!(store.put_checkpoint("second").await, Err(LedgerStoreError::Unanswered(_))));
    store.put_checkpoint("second").await.unwrap();
    assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some("second"));
    store.put_checkpoint("third").await.unwrap();
    assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some("third"));
}

#[tokio::test]
async fn a_checkpoint_that_lands_late_does_not_undo_a_later_one() {
    let server = TestBucket::start().await;
    let (store, other) = (open(&server.url), open(&server.url));
    for before in [None, Some("first")] {
        if let Some(before) = before {
            store.put_checkpoint(before).await.unwrap();
        }
        server.hold_puts(1);
        let (late, ()) = tokio::join!(store.put_checkpoint("late"), async {
            wait_until("the put waits", TIMEOUT, async || server.holding() == 1).await;
            other.put_checkpoint("later").await.unwrap();
            server.let_go();
        });
        assert!(matches!(late, Err(LedgerStoreError::Contended { .. })), "{late:?}");
        assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some("later"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_checkpoints_that_are_put_at_once_one_is_kept_whole_and_losers_are_told() {
    let server = TestBucket::start().await;
    let store = open(&server.url);
    store.put_checkpoint("first").await.unwrap();
    let puts = (0..50).map(|number| {
        let store = store.clone();
        async move { store.put_checkpoint(&format!("note {number}")).await }
    });
    let ends = at_once(puts).await;
    for end in &ends {
        assert!(matches!(end, Ok(()) | Err(LedgerStoreError::Contended { .. })), "{end:?}");
    }
    assert!(ends.iter().any(Result::is_ok));
    let kept = store.get_checkpoint().await.unwrap().unwrap();
    let number: usize = kept.strip_prefix("note ").unwrap().parse().unwrap();
    assert!(ends[number].is_ok());
}

#[tokio::test]
async fn an_overloaded_bucket_is_asked_again_and_then_it_is_an_error() {
    let server = TestBucket::start().await;
    let store = open(&server.url);
    for text in ["one", "two"] {
        server.slow_down(3);
        assert_eq!(store.put_if_absent(text, bytes(text)).await.unwrap(), Put::New);
        server.slow_down(3);
        assert_eq!(store.get(text).await.unwrap(), Some(bytes(text)));
        server.slow_down(3);
        store.put_checkpoint(text).await.unwrap();
        server.slow_down(3);
        assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some(text));
    }
    server.slow_down(u32::MAX);
    for error in [store.get("one").await.unwrap_err(), store.put_if_absent("three", bytes("3")).await.unwrap_err()] {
        let told = error.to_string();
        assert!(told.ends_with(" failed in the ledger store: it answered 503 Service Unavailable"), "{told}");
        assert!(error.is_retryable());
    }
    server.slow_down(0);
    assert_eq!(store.get("three").await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_never_an_empty_one() {
    let server = TestBucket::start().await;
    let store = open(&server.url);
    store.put_if_absent(NAME, bytes("one")).await.unwrap();
    store.put_checkpoint("a note").await.unwrap();
    server.vanish_after(0);
    let gone = |error: LedgerStoreError| {
        assert!(error.to_string().ends_with("failed in the ledger store: the bucket isn't there"), "{error}");
        assert!(error.is_retryable());
    };
    gone(store.get(NAME).await.unwrap_err());
    gone(store.get_checkpoint().await.unwrap_err());
    gone(store.has(NAME).await.map(drop).unwrap_err());
    gone(store.names_in("tile/entries/000.p").await.map(drop).unwrap_err());
    gone(store.put_if_absent(NAME, bytes("one")).await.unwrap_err());
    gone(store.put_checkpoint("another").await.unwrap_err());
    gone(store.check_access(TIMEOUT).await.unwrap_err());
    gone(store.check_read_access(TIMEOUT).await.unwrap_err());

    server.come_back();
    assert_eq!(store.put_if_absent(NAME, bytes("one")).await.unwrap(), Put::Same);
    assert_eq!(store.get_checkpoint().await.unwrap().as_deref(), Some("a note"));
}

#[tokio::test]
async fn a_bucket_that_overwrites_what_it_should_keep_is_found_out_before_anything_is_written() {
    let server = TestBucket::start().await;
    server.treat_conditions(Conditions::Ignored);
    let store = open(&server.url);
    for error in
        [store.put_if_absent(NAME, bytes("one")).await.unwrap_err(), store.check_access(TIMEOUT).await.unwrap_err()]
    {
        assert!(matches!(error, LedgerStoreError::Unsupported(_)) && !error.is_retryable(), "{error}");
        assert!(error.to_string().contains("If-None-Match is ignored"), "{error}");
    }
    assert_eq!(server.keys(), ["team/ledger/log/check"]);
}

#[tokio::test]
async fn a_bucket_that_knows_no_conditions_is_an_error_and_nothing_is_written() {
    let server = TestBucket::start().await;
    server.treat_conditions(Conditions::Refused);
    let disabled = open_with(&server.url, &[("aws_conditional_put", "disabled")]);
    for store in [open(&server.url), disabled] {
        for error in [
            store.put_if_absent(NAME, bytes("one")).await.unwrap_err(),
            store.put_checkpoint("a note").await.unwrap_err(),
            store.check_access(TIMEOUT).await.unwrap_err(),
        ] {
            assert!(matches!(error, LedgerStoreError::Unsupported(_)) && !error.is_retryable(), "{error}");
        }
    }
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn that_a_bucket_keeps_what_is_there_is_proven_once() {
    let server = TestBucket::start().await;
    let store = open(&server.url);
    store.put_if_absent("a", bytes("a")).await.unwrap();
    assert_eq!(server.asked().others, 3);
    store.put_if_absent("b", bytes("b")).await.unwrap();
    assert_eq!(server.asked().others, 1);
    store.put_if_absent("b", bytes("b")).await.unwrap();
    assert_eq!(server.asked().others, 2, "it is read and compared");
    // Another process finds the proof.
    open(&server.url).put_if_absent("c", bytes("c")).await.unwrap();
    assert_eq!(server.asked().others, 2);
}

#[tokio::test]
async fn a_bucket_that_locks_what_it_gets_gets_checksums() {
    let server = TestBucket::start().await;
    server.want_checksums();
    keeps_what_it_gets(&open(&server.url)).await;
}
