//! Server-sent progress of cleanups.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use test_support::Fault;

use crate::gateway::{Api, Gateway, START};

const MOST_STREAMS: usize = 32;

/// A stream of events as a client reads it.
struct Events {
    bytes: futures::stream::BoxStream<'static, reqwest::Result<actix_web::web::Bytes>>,
    text: String,
}

/// One event.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Events {
    async fn open(api: &Api, cleanup: &str, seen: Option<&str>) -> Self {
        let response = request(api, cleanup, seen).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        Self { bytes: response.bytes_stream().boxed(), text: String::new() }
    }

    /// The next event; `None` at the stream's end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                let event = field("id").map(|id| Event {
                    id: id.to_owned(),
                    name: field("event").unwrap().to_owned(),
                    data: serde_json::from_str(field("data").unwrap()).unwrap(),
                });
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let more = timeout(START, self.bytes.next()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&more.ok()?).unwrap());
        }
    }
}

fn request(api: &Api, cleanup: &str, seen: Option<&str>) -> reqwest::RequestBuilder {
    let request = api.request(Method::GET, &format!("/cleanups/{cleanup}/events")).header("x-api-key", &api.key);
    seen.map_or(request.try_clone().unwrap(), |seen| request.header("Last-Event-ID", seen))
}

/// Deletes a connection; the cleanup's id.
async fn deleted(api: &Api) -> String {
    let collection = api.collection().await;
    let connection = api.stub(&collection, json!({})).await;
    let path = format!("/source-connections/{}", connection["id"].as_str().unwrap());
    api.delete(&path).await.headers["x-cleanup-id"].to_str().unwrap().to_owned()
}

async fn set(gateway: &Gateway, cleanup: &str, change: &str) {
    let changed = format!("UPDATE cleanup SET {change}, modified_at = clock_timestamp() WHERE id = '{cleanup}'");
    gateway.database.arrange(&changed).await;
}

const DONE: &str = "state = 'done', completed_at = clock_timestamp()";

#[tokio::test]
async fn each_change_is_told_once_until_the_cleanup_is_done() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let shown = async || gateway.api.get(&format!("/cleanups/{cleanup}")).await.ok();
    assert_eq!(shown().await["links"]["events"], format!("/cleanups/{cleanup}/events"));
    let (mut one, mut two) =
        (Events::open(&gateway.api, &cleanup, None).await, Events::open(&gateway.api, &cleanup, None).await);
    for stream in [&mut one, &mut two] {
        let first = stream.next().await.unwrap();
        assert_eq!((first.name.as_str(), &first.data), ("progress", &shown().await), "as it is");
    }
    let progress = r#"state = 'purging', progress = '{"vespa": {"found": 9, "removed": 4, "rounds": 1}}'"#;
    set(&gateway, &cleanup, progress).await;
    for stream in [&mut one, &mut two] {
        let next = stream.next().await.unwrap();
        assert_eq!((next.name.as_str(), &next.data["targets"]["vespa"]["removed"]), ("progress", &json!(4)));
    }
    set(&gateway, &cleanup, DONE).await;
    for mut stream in [one, two] {
        let last = stream.next().await.unwrap();
        assert_eq!((last.name.as_str(), &last.data), ("done", &shown().await));
        assert!(stream.next().await.is_none(), "the stream ends");
    }
}

#[tokio::test]
async fn what_only_time_changes_is_told_too() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    set(&gateway, &cleanup, "state = 'settling', next_attempt_at = clock_timestamp() + interval '3 seconds'").await;
    let mut stream = Events::open(&gateway.api, &cleanup, None).await;
    let (first, second) = (stream.next().await.unwrap(), stream.next().await.unwrap());
    let told = |event: &Event| (event.data["waiting_for"].clone(), event.data["modified_at"].clone());
    assert_eq!(told(&first), (json!("settle_delay"), told(&second).1));
    assert_eq!(told(&second).0, "turn");
    let mut again = Events::open(&gateway.api, &cleanup, Some(&second.id)).await;
    set(&gateway, &cleanup, DONE).await;
    assert_eq!(again.next().await.unwrap().name, "done", "what was seen isn't told again");
}

#[tokio::test]
async fn a_deadline_that_comes_near_and_passes_is_told_too() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let mut stream = Events::open(&gateway.api, &cleanup, None).await;
    // What time does to the row: it stays as it is, and is as old as the schedule says.
    for (reached, told) in [
        ("deadline = '1 hour'", json!([false, false])),
        ("hurries_after = '0 seconds'", json!([true, false])),
        ("deadline = '0 seconds'", json!([true, true])),
    ] {
        gateway.database.execute(&format!("UPDATE cleanup_schedule SET {reached}")).await;
        let event = stream.next().await.unwrap();
        assert_eq!(json!([event.data["hurries"], event.data["is_overdue"]]), told);
    }
}

#[tokio::test]
async fn a_client_that_connects_again_goes_on_and_one_that_has_seen_the_end_is_told_to_stop() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let first = Events::open(&gateway.api, &cleanup, None).await.next().await.unwrap();
    let mut again = Events::open(&gateway.api, &cleanup, Some(&first.id)).await;
    set(&gateway, &cleanup, "state = 'refused'").await;
    let last = again.next().await.unwrap();
    assert_eq!(last.name, "refused", "what was seen isn't told again");
    assert!(again.next().await.is_none());
    let stop = request(&gateway.api, &cleanup, Some(&last.id)).send().await.unwrap();
    assert_eq!(stop.status(), 204);
    let whole = Events::open(&gateway.api, &cleanup, None).await.next().await.unwrap();
    assert_eq!(whole.id, last.id, "whoever has seen nothing gets the end");
}

#[tokio::test]
async fn del_9_nobody_watches_another_organizations_cleanup() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let other = gateway.other_organization().await;
    other.get(&format!("/cleanups/{cleanup}/events")).await.refuses(404, "Cleanup not found");
    assert_eq!(gateway.api.get("/cleanups/not-a-uuid/events").await.status, 422);
}

#[tokio::test]
async fn an_organization_has_a_bounded_number_of_streams() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let mut streams = Vec::new();
    for _ in 0..MOST_STREAMS {
        streams.push(Events::open(&gateway.api, &cleanup, None).await);
    }
    let path = format!("/cleanups/{cleanup}/events");
    let refused = gateway.api.get(&path).await;
    refused.refuses(429, "Too many open event streams: at most 32 at once");
    assert!(refused.headers.contains_key("retry-after"));
    // Others have places of their own.
    let other = gateway.other_organization().await;
    let others = deleted(&other).await;
    Events::open(&other, &others, None).await.next().await.unwrap();
    // A place is free again when its client has gone, which shows when something is sent to it.
    streams.pop();
    test_support::wait_until("a place is free again", START, async || {
        set(&gateway, &cleanup, "attempts = attempts + 1").await;
        request(&gateway.api, &cleanup, None).send().await.unwrap().status() == 200
    })
    .await;
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let mut stream = Events::open(&gateway.api, &cleanup, None).await;
    stream.next().await.unwrap();
    let sign = timeout(START, stream.bytes.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(sign, ": keep-alive\n\n");
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_a_stop() {
    let mut gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let mut stream = Events::open(&gateway.api, &cleanup, None).await;
    stream.next().await.unwrap();
    let began = Instant::now();
    let (code, end) = tokio::join!(gateway.service.terminate(START), stream.next());
    assert_eq!(code.code(), Some(0), "{}", gateway.service.tail());
    assert!(end.is_none());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stream_outlives_a_database_that_is_away() {
    let gateway = Gateway::start().await;
    let cleanup = deleted(&gateway.api).await;
    let mut stream = Events::open(&gateway.api, &cleanup, None).await;
    stream.next().await.unwrap();
    gateway.service.expects.fault(Fault::PostgresAway);
    gateway.database.allow_connections(false).await;
    test_support::wait_until("a poll has failed", START, async || {
        gateway.service.log().contains(r#""task":"cleanup events""#)
    })
    .await;
    gateway.database.allow_connections(true).await;
    set(&gateway, &cleanup, DONE).await;
    assert_eq!(stream.next().await.unwrap().name, "done");
}
