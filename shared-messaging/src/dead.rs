//! What a dead message carries: all that it came with, and in headers of ours why it is dead, where it came from and
//! when it was first seen there. A replay gives it back as it was.
//!
//! What the broker would act upon in `dead` is put aside in headers of ours: an expiration would remove the message
//! from there, copies to other queues would be sent again, and a user that isn't ours is refused.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use shared_service::clock;

use crate::topology::{header, text};

const REASON: &str = "x-dead-reason";
const QUEUE: &str = "x-dead-queue";
const EXCHANGE: &str = "x-dead-exchange";
const ROUTING_KEY: &str = "x-dead-routing-key";
const FIRST_SEEN: &str = "x-dead-first-seen";
const EXPIRATION: &str = "x-dead-expiration";
const USER: &str = "x-dead-user-id";
const LEFT_OUT: &str = "x-dead-headers-left-out";
/// Headers that name further queues, and where they are put aside. A replay concerns one queue only: they stay there.
const COPIES: [(&str, &str); 2] = [("CC", "x-dead-cc"), ("BCC", "x-dead-bcc")];
/// Begins every header of ours.
const OURS: &str = "x-dead-";
/// Headers that a quorum queue adds to what it hands out again.
const OF_DELIVERY: [&str; 2] = ["x-delivery-count", "x-acquired-count"];
/// Beginnings of the headers that the broker adds to what it dead-letters itself.
const OF_DEATH: [&str; 3] = ["x-death", "x-first-death-", "x-last-death-"];
/// All headers of a message must fit into one frame, of 128 KiB by default, beside the other properties.
const MOST_HEADER_BYTES: usize = 120 * 1024;

/// Why a message is dead, and where it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death<'a> {
    /// Why.
    pub(crate) reason: &'a str,
    /// The queue, or the exchange that a process's own queue is bound to.
    pub(crate) queue: &'a str,
    /// The exchange that it was published to.
    pub(crate) exchange: &'a str,
    /// The key that it was published with.
    pub(crate) routing_key: &'a str,
}

/// What is told of a message in `dead`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epitaph {
    pub(crate) reason: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) exchange: Option<String>,
    pub(crate) routing_key: Option<String>,
    pub(crate) first_seen: Option<String>,
}

impl Epitaph {
    /// Reads it; what the broker dead-lettered by itself carries the broker's own headers.
    pub(crate) fn of(properties: &BasicProperties) -> Self {
        let told = |name: &str| header(properties, name);
        Self {
            reason: told(REASON).or_else(|| told("x-first-death-reason")),
            queue: told(QUEUE).or_else(|| told("x-first-death-queue")),
            exchange: told(EXCHANGE).or_else(|| told("x-first-death-exchange")),
            routing_key: told(ROUTING_KEY),
            first_seen: told(FIRST_SEEN),
        }
    }
}

/// The properties of a message on its way to `dead`.
pub(crate) fn bury(properties: &BasicProperties, death: Death<'_>) -> BasicProperties {
    let mut headers = headers_of(properties);
    headers.retain(|name, _| !OF_DELIVERY.contains(&name.as_str()));
    for (name, aside) in COPIES {
        if let Some(queues) = headers.remove(name) {
            headers.insert(aside.into(), queues);
        }
    }
    let mut ours = BTreeMap::from([
        (ShortString::from(REASON), text(death.reason)),
        (QUEUE.into(), text(death.queue)),
        (EXCHANGE.into(), text(death.exchange)),
        (ROUTING_KEY.into(), text(death.routing_key)),
        // Somebody may have moved it back by hand, with its headers.
        (FIRST_SEEN.into(), text(&header(properties, FIRST_SEEN).unwrap_or_else(now))),
    ]);
    for (name, value) in [(EXPIRATION, properties.expiration()), (USER, properties.user_id())] {
        if let Some(value) = value {
            ours.insert(name.into(), text(value.as_str()));
        }
    }
    headers.retain(|name, _| !ours.contains_key(name));
    leave_out_what_doesn_t_fit(&mut headers, &mut ours);
    headers.append(&mut ours);
    carried(properties).with_headers(headers.into())
}

/// The properties that a dead message came with, for its replay by `user`.
pub(crate) fn revive(properties: &BasicProperties, user: &str) -> BasicProperties {
    let mut headers = headers_of(properties);
    headers.retain(|name, _| {
        let added = [OURS].iter().chain(&OF_DEATH).any(|prefix| name.as_str().starts_with(prefix));
        !added && !OF_DELIVERY.contains(&name.as_str())
    });
    let mut revived = carried(properties);
    if !headers.is_empty() {
        revived = revived.with_headers(headers.into());
    }
    let aside = |name: &str| ShortString::try_new(header(properties, name)?).ok();
    if let Some(expiration) = aside(EXPIRATION) {
        revived = revived.with_expiration(expiration);
    }
    match aside(USER) {
        Some(known) if known.as_str() == user => revived.with_user_id(known),
        _ => revived,
    }
}

fn headers_of(properties: &BasicProperties) -> BTreeMap<ShortString, AMQPValue> {
    properties.headers().as_ref().map(|headers| headers.inner().clone()).unwrap_or_default()
}

fn now() -> String {
    clock::utc_now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Every property but the headers and what is put aside.
fn carried(properties: &BasicProperties) -> BasicProperties {
    type Set<T> = fn(BasicProperties, T) -> BasicProperties;
    fn with<T: Clone>(carried: BasicProperties, value: &Option<T>, set: Set<T>) -> BasicProperties {
        match value {
            Some(value) => set(carried, value.clone()),
            None => carried,
        }
    }
    let carried = BasicProperties::default();
    let carried = with(carried, properties.content_type(), BasicProperties::with_content_type);
    let carried = with(carried, properties.content_encoding(), BasicProperties::with_content_encoding);
    let carried = with(carried, properties.delivery_mode(), BasicProperties::with_delivery_mode);
    let carried = with(carried, properties.priority(), BasicProperties::with_priority);
    let carried = with(carried, properties.correlation_id(), BasicProperties::with_correlation_id);
    let carried = with(carried, properties.reply_to(), BasicProperties::with_reply_to);
    let carried = with(carried, properties.message_id(), BasicProperties::with_message_id);
    let carried = with(carried, properties.timestamp(), BasicProperties::with_timestamp);
    let carried = with(carried, properties.kind(), BasicProperties::with_type);
    let carried = with(carried, properties.app_id(), BasicProperties::with_app_id);
    with(carried, properties.cluster_id(), BasicProperties::with_cluster_id)
}

/// The largest headers go first, and how many is told: a message that can't be moved would come again for ever.
fn leave_out_what_doesn_t_fit(
    headers: &mut BTreeMap<ShortString, AMQPValue>,
    ours: &mut BTreeMap<ShortString, AMQPValue>,
) {
    let size = |headers: &BTreeMap<ShortString, AMQPValue>| headers.iter().map(entry_bytes).sum::<usize>();
    let (mut left_out, room) = (0_u32, MOST_HEADER_BYTES.saturating_sub(size(ours)));
    while size(headers) > room {
        let largest = headers.iter().max_by_key(|entry| entry_bytes(*entry)).map(|(name, _)| name.clone());
        let Some(largest) = largest else { break };
        headers.remove(&largest);
        left_out += 1;
    }
    if left_out > 0 {
        ours.insert(LEFT_OUT.into(), AMQPValue::LongUInt(left_out));
    }
}

/// What a header takes in a frame: its name, its type, its value.
fn entry_bytes((name, value): (&ShortString, &AMQPValue)) -> usize {
    1 + name.as_str().len() + value_bytes(value)
}

fn value_bytes(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(text) => 4 + text.len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.len(),
        AMQPValue::FieldArray(values) => 4 + values.as_slice().iter().map(value_bytes).sum::<usize>(),
        AMQPValue::FieldTable(table) => 4 + table_bytes(table),
    }
}

fn table_bytes(table: &FieldTable) -> usize {
    table.inner().iter().map(entry_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEATH: Death<'static> = Death { reason: "why", queue: "q", exchange: "", routing_key: "q" };

    /// The broker refuses to take a message from us in another user's name.
    #[test]
    fn a_user_id_is_put_aside_and_given_back_to_that_user_only() {
        let original = BasicProperties::default().with_user_id("them".into());
        let dead = bury(&original, DEATH);
        assert_eq!(dead.user_id(), &None);
        assert_eq!(header(&dead, USER).as_deref(), Some("them"));
        assert_eq!(revive(&dead, "them"), original);
        assert_eq!(revive(&dead, "us"), BasicProperties::default());
    }

    #[test]
    fn what_the_broker_counts_is_not_kept() {
        let counted = BTreeMap::from([(ShortString::from("x-delivery-count"), AMQPValue::LongLongInt(3))]);
        let dead = bury(&BasicProperties::default().with_headers(counted.into()), DEATH);
        assert!(!headers_of(&dead).contains_key("x-delivery-count"));
    }
}
