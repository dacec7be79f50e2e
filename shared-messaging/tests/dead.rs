//! What a dead message carries, and that a replay gives it back as it was.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, ShortString};
use parking_lot::Mutex;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared_messaging::operator::{Chosen, Operator};
use shared_messaging::{Outcome, Subscription};
use shared_models::Envelope;

use crate::fixture::{BELLS, BOUND, Fixture, Memory, bell};
use crate::raw::{Got, Raw};

const QUEUE: &str = "cleanup.requests";
/// What a dead message carries beside what it came with.
const OURS: [&str; 7] = [
    "x-dead-exchange",
    "x-dead-expiration",
    "x-dead-first-seen",
    "x-dead-queue",
    "x-dead-reason",
    "x-dead-routing-key",
    "x-dead-user-id",
];
const GARBAGE: &[u8] = b"\xff\x00 not ours";

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table(entries: impl IntoIterator<Item = (&'static str, AMQPValue)>) -> FieldTable {
    entries.into_iter().map(|(name, value)| (ShortString::from(name), value)).collect::<BTreeMap<_, _>>().into()
}

/// One header of every type that there is on the wire, at the ends of what it can hold.
fn strange_headers() -> FieldTable {
    table([
        ("", text("a header without a name")),
        ("bool", AMQPValue::Boolean(true)),
        ("i8", AMQPValue::ShortShortInt(i8::MIN)),
        ("u8", AMQPValue::ShortShortUInt(u8::MAX)),
        ("i16", AMQPValue::ShortInt(i16::MIN)),
        ("u16", AMQPValue::ShortUInt(u16::MAX)),
        ("i32", AMQPValue::LongInt(i32::MIN)),
        ("u32", AMQPValue::LongUInt(u32::MAX)),
        ("i64", AMQPValue::LongLongInt(i64::MIN)),
        ("f32", AMQPValue::Float(1.5)),
        ("f64", AMQPValue::Double(-0.125)),
        ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 1_999 })),
        ("text", text("ä\0\u{10ffff}")),
        ("no utf-8", AMQPValue::LongString(vec![0xff, 0xfe].into())),
        ("bytes", AMQPValue::ByteArray(vec![0, 0xff].into())),
        ("time", AMQPValue::Timestamp(4_102_444_800)),
        ("nothing", AMQPValue::Void),
        ("list", AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Void, text("x"), AMQPValue::Boolean(false)]))),
        ("table", AMQPValue::FieldTable(table([("in it", AMQPValue::FieldTable(table([])))]))),
        ("x-request-id", AMQPValue::LongInt(7)),
        ("traceparent", text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
    ])
}

/// Every property that a message can have.
fn all_properties(user: &str) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("gzip".into())
        .with_headers(strange_headers())
        .with_delivery_mode(1)
        .with_priority(3)
        .with_correlation_id("correlation".into())
        .with_reply_to("reply".into())
        .with_expiration("600000".into())
        .with_message_id("not an id of ours".into())
        .with_timestamp(1_700_000_000)
        .with_type("type".into())
        .with_user_id(user.into())
        .with_app_id("app".into())
        .with_cluster_id("cluster".into())
}

async fn operator(fixture: &Fixture) -> Operator {
    Operator::connect(&SecretString::from(fixture.server.amqp_url.clone())).await.unwrap()
}

/// Lets a consumer find the one message of the queue dead.
async fn let_die(fixture: &Fixture) {
    fixture.consume(BELLS, Memory::answering(Outcome::Done)).await;
    fixture.depth("dead", 1).await;
    fixture.depth(QUEUE, 0).await;
    fixture.stop().await;
}

fn header(got: &Got, name: &str) -> String {
    match got.headers().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn a_dead_message_keeps_all_that_it_came_with_and_a_replay_gives_it_back() {
    let fixture = Fixture::new().await;
    let raw = Raw::connect(&fixture).await;
    let original = all_properties(&raw.user);
    raw.publish("", QUEUE, GARBAGE, original.clone()).await;
    let_die(&fixture).await;

    let dead = raw.get("dead").await;
    assert_eq!(dead.body, GARBAGE);
    let (kept, before) = (dead.headers(), strange_headers());
    for (name, value) in &before {
        assert_eq!(kept.get(name.as_str()), Some(value), "{name}");
    }
    for (name, expected) in [("queue", QUEUE), ("exchange", ""), ("routing-key", QUEUE), ("expiration", "600000")] {
        assert_eq!(header(&dead, &format!("x-dead-{name}")), expected);
    }
    assert!(header(&dead, "x-dead-reason").contains("not JSON"));
    let more: Vec<&str> = kept.keys().map(ShortString::as_str).filter(|name| !before.contains_key(name)).collect();
    assert_eq!(more, OURS);
    // Without its expiration it stays until somebody has looked.
    let (kept, original_kept) = (dead.properties.clone(), original.clone());
    assert_eq!(kept.expiration(), &None);
    let ids = |properties: &BasicProperties| {
        let kind = properties.kind().clone();
        (properties.message_id().clone(), *properties.timestamp(), properties.content_type().clone(), kind)
    };
    assert_eq!(ids(&kept), ids(&original_kept));

    let operator = operator(&fixture).await;
    let shown = operator.dead(10).await.unwrap().remove(0);
    assert_eq!(shown.message_id.as_deref(), Some("not an id of ours"));
    assert_eq!((shown.queue.as_deref(), shown.exchange.as_deref()), (Some(QUEUE), Some("")));
    assert_eq!(shown.first_seen, Some(header(&dead, "x-dead-first-seen")));
    assert_eq!(operator.replay(&Chosen::Oldest(10)).await.unwrap(), 1);
    let replayed = raw.get(QUEUE).await;
    assert_eq!((replayed.body.as_slice(), replayed.properties), (GARBAGE, original));
    fixture.depth("dead", 0).await;
}

#[tokio::test]
async fn copies_to_other_queues_are_sent_once_and_never_again() {
    let fixture = Fixture::new().await;
    let raw = Raw::connect(&fixture).await;
    fixture.server.declare_queue("copies").await;
    let others = AMQPValue::FieldArray(vec![text("copies")].into());
    let properties = BasicProperties::default().with_headers(table([("CC", others.clone())]));
    raw.publish("", QUEUE, GARBAGE, properties).await;
    fixture.depth("copies", 1).await;
    let_die(&fixture).await;
    assert_eq!(raw.get("dead").await.headers().get("x-dead-cc"), Some(&others));
    assert_eq!(operator(&fixture).await.replay(&Chosen::Oldest(1)).await.unwrap(), 1);
    raw.get(QUEUE).await;
    fixture.depth("copies", 1).await;
}

#[tokio::test]
async fn headers_that_leave_no_room_for_ours_are_left_out_and_counted() {
    let fixture = Fixture::new().await;
    let raw = Raw::connect(&fixture).await;
    let long = |bytes: usize| text(&"x".repeat(bytes));
    let headers = table([("long", long(60_000)), ("longer", long(64_000)), ("short", text("kept"))]);
    raw.publish("", QUEUE, GARBAGE, BasicProperties::default().with_headers(headers)).await;
    let_die(&fixture).await;
    let dead = raw.get("dead").await;
    assert_eq!(dead.headers().get("x-dead-headers-left-out"), Some(&AMQPValue::LongUInt(1)));
    assert_eq!((header(&dead, "short").as_str(), header(&dead, "long").len()), ("kept", 60_000));
    assert!(!dead.headers().contains_key("longer"));
}

#[tokio::test]
async fn what_was_moved_back_by_hand_keeps_when_it_was_first_seen() {
    let fixture = Fixture::new().await;
    let raw = Raw::connect(&fixture).await;
    let since = "2020-02-03T04:05:06.000Z";
    let by_hand = table([("x-dead-first-seen", text(since)), ("x-dead-reason", text("before"))]);
    raw.publish("", QUEUE, GARBAGE, BasicProperties::default().with_headers(by_hand)).await;
    let_die(&fixture).await;
    let dead = raw.get("dead").await;
    assert_eq!(header(&dead, "x-dead-first-seen"), since);
    assert!(header(&dead, "x-dead-reason").contains("not JSON"));
}

#[tokio::test]
async fn an_event_that_died_is_replayed_to_its_exchange() {
    let fixture = Fixture::new().await;
    let raw = Raw::connect(&fixture).await;
    fixture.consume(Subscription::Events { pattern: "job.stopped.#" }, Memory::answering(Outcome::Done)).await;
    test_support::wait_until("it is dead", BOUND, async || {
        raw.publish("events", "job.stopped.x", GARBAGE, BasicProperties::default()).await;
        fixture.server.queue_depth("dead").await > Some(0)
    })
    .await;
    fixture.stop().await;
    let dead = raw.get("dead").await;
    assert_eq!(
        (header(&dead, "x-dead-queue").as_str(), header(&dead, "x-dead-routing-key").as_str()),
        ("events", "job.stopped.x")
    );
    let listener = raw.listen("events").await;
    assert!(operator(&fixture).await.replay(&Chosen::Oldest(1)).await.unwrap() == 1);
    let heard = raw.get(&listener).await;
    assert_eq!((heard.exchange.as_str(), heard.routing_key.as_str()), ("events", "job.stopped.x"));
    assert_eq!((heard.body.as_slice(), heard.properties), (GARBAGE, BasicProperties::default()));
}

#[tokio::test]
async fn what_the_broker_dead_lettered_is_given_back_as_it_was_too() {
    let fixture = Fixture::new().await;
    let raw = Raw::connect(&fixture).await;
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    let original = raw.get(QUEUE).await;
    // With the second one there is no room for either.
    fixture.server.set_policy(QUEUE, json!({"max-length": 0})).await;
    fixture.publisher.publish(&sent).await.unwrap();
    fixture.depth("dead", 2).await;
    fixture.server.delete_policy(QUEUE).await;
    let operator = operator(&fixture).await;
    let shown = operator.dead(1).await.unwrap().remove(0);
    assert_eq!((shown.queue.as_deref(), shown.reason.as_deref()), (Some(QUEUE), Some("maxlen")));
    test_support::wait_until("the policy is gone", BOUND, async || {
        operator.replay(&Chosen::Oldest(2)).await.unwrap();
        fixture.server.queue_depth(QUEUE).await == Some(2)
    })
    .await;
    let replayed = raw.get(QUEUE).await;
    assert_eq!(replayed.headers(), original.headers());
    assert_eq!((replayed.body, replayed.properties.message_id()), (original.body, original.properties.message_id()));
}

/// What is logged, as JSON lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn deaths(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains("moved a message to the queue of dead ones"));
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone()).collect()
    }
}

#[tokio::test]
async fn the_log_names_ids_of_ours_and_nothing_that_others_wrote() {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || written.clone()).finish();
    let _of_this_thread = tracing::subscriber::set_default(subscriber);
    let fixture = Fixture::new().await;
    fixture.consume(BELLS, |_: Envelope| async { panic!("on purpose") }).await;
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    fixture.depth("dead", 1).await;
    let secret = "Jane Doe earns 7";
    let body = format!(r#"{{"type":"CleanupRequested","version":1,"cleanup_id":"{secret}"}}"#);
    let raw = Raw::connect(&fixture).await;
    let properties = BasicProperties::default().with_message_id(secret.into());
    raw.publish("", QUEUE, body.as_bytes(), properties.with_headers(table([("x-request-id", text(secret))]))).await;
    fixture.depth("dead", 2).await;
    fixture.stop().await;
    let deaths = log.deaths();
    let told = |death: &Value| ["message_id", "request_id", "queue", "reason"].map(|name| death[name].clone());
    let (id, request) = (sent.message_id.to_string(), sent.request_id.unwrap().to_string());
    let panicked = "the handler of CleanupRequested panicked";
    assert_eq!(told(&deaths[0]), [json!(id), json!(request), json!(QUEUE), json!(panicked)]);
    let malformed = "unparsable message: malformed CleanupRequested";
    assert_eq!(told(&deaths[1]), [json!(""), json!(""), json!(QUEUE), json!(malformed)]);
    let all = String::from_utf8(log.0.lock().clone()).unwrap();
    assert!(!all.contains("Jane"), "{all}");
}
