//! Whatever the conditions and however they are joined, a query finds the documents that a plain reading finds.

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{SYNC_A, Standin, specifics};

/// Few values, so that conditions often hold.
const TEXTS: [&str; 6] = ["a", "A b", "b\"c", "\\", "É\u{1F600}", "x.y"];

/// The same and others, in other cases.
const ASKED: [&str; 8] = ["A", "a B", "B\"C", "\\", "é\u{1F600}", "x.y", "b", "absent"];

/// A condition as YQL, and as it is meant.
#[derive(Debug, Clone)]
enum Condition {
    Equals(&'static str, &'static str),
    Holds(&'static str, &'static str),
    In(&'static str, Vec<&'static str>),
    Number(&'static str, &'static str, i64),
    Crumb(&'static str, &'static str),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

const FIELDS: [(&str, &str); 3] = [
    ("name_exact", "name"),
    ("airweave_system_metadata_source_name", "airweave_system_metadata_source_name"),
    ("access_viewers", "access_viewers"),
];

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Condition {
    fn yql(&self) -> String {
        let joined = |parts: &[Self], by: &str| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({})", part.yql())).collect();
            parts.join(by)
        };
        match self {
            Self::Equals(field, text) => format!("{field} contains {}", quoted(text)),
            Self::Holds(field, text) => format!("{field} matches {}", quoted(&regex::escape(text))),
            Self::In(field, texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("{field} in ({})", texts.join(", "))
            }
            Self::Number(field, operator, number) => format!("{field} {operator} {number}"),
            Self::Crumb(id, name) => {
                let (id, name) = (quoted(id), quoted(&regex::escape(name)));
                format!("breadcrumbs contains sameElement(entity_id contains {id}, name matches {name})")
            }
            Self::And(parts) => joined(parts, " and "),
            Self::Or(parts) => joined(parts, " or "),
            Self::Not(part) => format!("!({})", part.yql()),
        }
    }

    fn holds(&self, document: &Value) -> bool {
        let same = |left: &str, right: &str| left.to_lowercase() == right.to_lowercase();
        let part_of = |whole: &str, part: &str| whole.to_lowercase().contains(&part.to_lowercase());
        match self {
            Self::Equals(field, text) => values(document, field).iter().any(|value| same(value, text)),
            Self::Holds(field, text) => values(document, field).iter().any(|value| part_of(value, text)),
            Self::In(field, texts) => {
                values(document, field).iter().any(|value| texts.iter().any(|text| same(value, text)))
            }
            Self::Number(field, operator, number) => document[field].as_i64().is_some_and(|value| match *operator {
                "=" => value == *number,
                "<" => value < *number,
                "<=" => value <= *number,
                ">" => value > *number,
                ">=" => value >= *number,
                other => panic!("{other}"),
            }),
            Self::Crumb(id, name) => document["breadcrumbs"].as_array().into_iter().flatten().any(|crumb| {
                same(crumb["entity_id"].as_str().unwrap(), id) && part_of(crumb["name"].as_str().unwrap(), name)
            }),
            Self::And(parts) => parts.iter().all(|part| part.holds(document)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(document)),
            Self::Not(part) => !part.holds(document),
        }
    }
}

/// The texts in a field, under the name that the document has for it.
fn values(document: &Value, field: &str) -> Vec<String> {
    let (_, stored) = FIELDS.into_iter().find(|(asked, _)| *asked == field).unwrap();
    match &document[stored] {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) => texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        _ => vec![],
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let text = || prop::sample::select(&ASKED[..]);
    let field = || prop::sample::select(&FIELDS[..]).prop_map(|(asked, _)| asked);
    let number = prop::sample::select(&["created_at", "airweave_system_metadata_chunk_index"][..]);
    let leaf = prop_oneof![
        (field(), text()).prop_map(|(field, text)| Condition::Equals(field, text)),
        (field(), text()).prop_map(|(field, text)| Condition::Holds(field, text)),
        (field(), prop::collection::vec(text(), 1..4)).prop_map(|(field, texts)| Condition::In(field, texts)),
        (number, prop::sample::select(&["=", "<", "<=", ">", ">="][..]), -1_i64..4)
            .prop_map(|(field, operator, number)| Condition::Number(field, operator, number)),
        (text(), text()).prop_map(|(id, name)| Condition::Crumb(id, name)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::And),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::Or),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

/// Documents with and without each value; the numbers decide which.
fn documents() -> Vec<Value> {
    let text = |number: usize| TEXTS[number % TEXTS.len()];
    (0..48)
        .map(|number: usize| {
            let mut document = json!({"airweave_system_metadata_sync_id": SYNC_A});
            let mut set = |field: &str, is_set: bool, value: Value| {
                if is_set {
                    document[field] = value;
                }
            };
            set("name", !number.is_multiple_of(5), text(number).into());
            set("airweave_system_metadata_source_name", !number.is_multiple_of(3), text(number / 6).into());
            set("access_viewers", number.is_multiple_of(2), json!([text(number / 2), text(number / 3)]));
            set("created_at", !number.is_multiple_of(7), (number % 4).into());
            set("airweave_system_metadata_chunk_index", true, (number % 3).into());
            let crumb = |shift: usize| json!({"entity_id": text(number + shift), "name": text(number / 5 + shift)});
            set("breadcrumbs", number % 4 != 1, json!([crumb(0), crumb(2)]));
            document
        })
        .collect()
}

/// One server for all cases: they only read.
fn shared() -> &'static (Runtime, Standin) {
    static SHARED: OnceLock<(Runtime, Standin)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let standin = runtime.block_on(async {
            let standin = Standin::start().await;
            for (number, document) in documents().into_iter().enumerate() {
                standin.put("web_entity", &format!("{number:02}"), document).await;
            }
            standin
        });
        (runtime, standin)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_filter_finds_what_a_plain_reading_finds(condition in condition()) {
        let (runtime, standin) = shared();
        let yql = format!(
            "select documentid from sources * where airweave_system_metadata_sync_id contains \"{SYNC_A}\" and ({})",
            condition.yql()
        );
        let body = json!({"yql": yql, "hits": 100});
        let (status, answer) = runtime.block_on(standin.send(reqwest::Method::POST, "/search/", Some(body)));
        prop_assert_eq!(status.as_u16(), 200, "{}: {}", yql, answer);
        let mut found = specifics(&answer);
        found.sort();
        let expected: Vec<String> = documents()
            .iter()
            .enumerate()
            .filter(|(_, document)| condition.holds(document))
            .map(|(number, _)| format!("{number:02}"))
            .collect();
        prop_assert_eq!(found, expected, "{}", yql);
    }
}
