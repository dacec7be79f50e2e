//! Connections that end in the middle of something.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::{DOCUMENT, switch_on, wait_until};
use crate::support::{Standin, h1};

const TWO_SECONDS: Duration = Duration::from_secs(2);

/// A connection of our own, to see its frames.
async fn connect(
    standin: &Standin,
) -> (h2::client::SendRequest<bytes::Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let stream = tokio::net::TcpStream::connect(standin.address).await.unwrap();
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    (requests, TaskTracker::new().spawn(connection))
}

fn request(standin: &Standin, method: Method, path: &str) -> hyper::Request<()> {
    hyper::Request::builder().method(method).uri(standin.url(path)).body(()).unwrap()
}

/// A slow get that is open while a put ends the connection.
async fn end_in_mid_batch(standin: &Standin, ending: &str, millis: u64) {
    let rules = json!([
        {"on": ["get"], "fault": {"latency": {"millis": millis}}, "times": 1},
        {"on": ["put"], "fault": {"go_away": ending}, "times": 1},
    ]);
    switch_on(standin, rules).await;
}

#[tokio::test]
async fn a_graceful_goaway_lets_open_streams_end_and_takes_no_new_ones() {
    let standin = Standin::start().await;
    end_in_mid_batch(&standin, "graceful", 500).await;
    let (mut requests, connection) = connect(&standin).await;
    let (slow, _) = requests.send_request(request(&standin, Method::GET, DOCUMENT), true).unwrap();
    let (put, mut body) = requests.send_request(request(&standin, Method::POST, DOCUMENT), false).unwrap();
    body.send_data("{\"fields\":{}}".into(), true).unwrap();
    let started = Instant::now();
    assert_eq!(put.await.unwrap().status(), 200);
    let refusal = async {
        loop {
            match requests.ready().await {
                // The frame may come behind the answer.
                Ok(again) => requests = again,
                Err(error) => break error,
            }
            tokio::task::yield_now().await;
        }
    };
    let refused = tokio::time::timeout(TWO_SECONDS, refusal).await.unwrap();
    assert!(refused.is_go_away() && refused.is_remote(), "{refused:?}");
    assert_eq!(refused.reason(), Some(h2::Reason::NO_ERROR));
    assert!(started.elapsed() < Duration::from_millis(500), "the slow one was still open");
    assert_eq!(slow.await.unwrap().status(), 200, "the slow one is answered, and sees what was put in the meantime");
    tokio::time::timeout(TWO_SECONDS, connection).await.unwrap().unwrap().unwrap();
    assert_eq!(standin.get(DOCUMENT).await.0, 200, "a new connection is as good as ever");
}

#[tokio::test]
async fn an_abrupt_goaway_answers_nobody_and_what_was_sent_is_done() {
    let standin = Standin::start().await;
    end_in_mid_batch(&standin, "abrupt", 60_000).await;
    let (mut requests, connection) = connect(&standin).await;
    let (slow, _) = requests.send_request(request(&standin, Method::GET, DOCUMENT), true).unwrap();
    let (put, mut body) = requests.send_request(request(&standin, Method::POST, DOCUMENT), false).unwrap();
    body.send_data("{\"fields\":{}}".into(), true).unwrap();
    for answer in [put, slow] {
        let error = tokio::time::timeout(TWO_SECONDS, answer).await.unwrap().unwrap_err();
        assert!(error.is_go_away() || error.is_io(), "{error:?}");
    }
    let ended = tokio::time::timeout(TWO_SECONDS, connection).await.unwrap().unwrap().unwrap_err();
    assert!(ended.is_go_away() && ended.is_remote(), "{ended:?}");
    assert_eq!(ended.reason(), Some(h2::Reason::INTERNAL_ERROR));
    wait_until(&standin, 200).await;
    assert_eq!(standin.counters().await["put"]["operations"], 1);
}

#[tokio::test]
async fn a_connection_of_the_older_protocol_ends_as_well() {
    let standin = Standin::start().await;
    let client = h1();
    switch_on(&standin, json!([{"on": ["get"], "fault": {"go_away": "graceful"}, "times": 1}])).await;
    let answer = client.get(standin.url(DOCUMENT)).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers().get("connection").unwrap().as_bytes()),
        (404, &b"close"[..])
    );
    switch_on(&standin, json!([{"on": ["put"], "fault": {"go_away": "abrupt"}, "times": 1}])).await;
    let broken = client.post(standin.url(DOCUMENT)).json(&json!({"fields": {}})).send().await.unwrap_err();
    assert!(!broken.is_timeout() && broken.status().is_none(), "{broken:?}");
    wait_until(&standin, 200).await;
}
