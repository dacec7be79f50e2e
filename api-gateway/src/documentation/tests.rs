//! The document is complete, and the committed copy is this one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{text, whole};
use crate::input::{self, Body};

mod public_contract;

const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

fn as_json() -> Value {
    serde_json::to_value(whole()).unwrap()
}

/// Every operation: its name for people, itself.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    let all: Vec<_> = all.collect();
    assert!(all.iter().all(|(name, _)| METHODS.iter().any(|method| name.starts_with(method))));
    all
}

/// What a reference refers to, or the value itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} isn't there"))
}

fn is_described(value: &Value) -> bool {
    value["description"].as_str().is_some_and(|text| !text.is_empty())
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == text().unwrap(), "docs/openapi.json isn't what the code says: renew it with `make openapi`");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = as_json();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn every_operation_says_what_it_is() {
    let document = as_json();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}: its id is another's");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name} has no summary");
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(tags.contains(tag), "{name}: {tag}");
        assert!(operation["responses"]["200"].is_object(), "{name} never succeeds");
    }
}

#[test]
fn every_answer_has_a_body_and_the_requests_id() {
    let document = as_json();
    for (name, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let answer = resolved(&document, answer);
            assert!(is_described(answer), "{name} {status}");
            assert!(answer["headers"]["X-Request-ID"].is_object(), "{name} {status}");
            assert_eq!(answer["content"].is_object(), status != "204", "{name} {status}");
            if status != "200" && status != "204" && !name.contains("/health") {
                assert!(answer["content"]["application/json"]["schema"].is_object(), "{name} {status}");
            }
        }
    }
}

#[test]
fn every_operation_with_a_key_says_how_it_may_fail() {
    let document = as_json();
    for (name, operation) in operations(&document) {
        let statuses: BTreeSet<&str> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        if name.contains("/health") {
            assert_eq!(operation["security"], json!([]), "{name}");
            continue;
        }
        if name.contains("/.well-known/") {
            assert_eq!(operation["security"], json!([]), "{name}");
            assert!(
                ["422", "500", "503", "504"].iter().all(|status| statuses.contains(status)),
                "{name}: {statuses:?}"
            );
            continue;
        }
        let mut needed = vec!["401", "403", "422", "429", "500", "503", "504"];
        if operation["requestBody"].is_object() {
            needed.extend(["408", "413"]);
        }
        if name.contains("{readable_id}") || name.contains("_id}") {
            needed.push("404");
        }
        assert!(needed.iter().all(|status| statuses.contains(status)), "{name}: {statuses:?}");
        let limited = &resolved(&document, &operation["responses"]["200"])["headers"]["RateLimit-Remaining"];
        assert!(limited.is_object(), "{name}");
    }
}

#[test]
fn every_parameter_is_described_and_numbers_have_bounds() {
    let document = as_json();
    for (name, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let mut in_path: BTreeSet<String> = BTreeSet::new();
        for parameter in &parameters {
            let parameter = resolved(&document, parameter);
            assert!(is_described(parameter), "{name}: {parameter}");
            let schema = resolved(&document, &parameter["schema"]);
            assert!(schema["type"].is_string(), "{name}: {parameter}");
            if schema["type"] == "integer" || schema["type"] == "number" {
                assert!(schema["minimum"].is_number() && schema["maximum"].is_number(), "{name}: {parameter}");
            }
            if parameter["in"] == "path" {
                in_path.insert(parameter["name"].as_str().unwrap().to_owned());
            }
        }
        let named = name.split('{').skip(1).filter_map(|rest| rest.split('}').next().map(str::to_owned)).collect();
        assert_eq!(in_path, named, "{name}");
    }
}

#[test]
fn every_field_of_every_body_is_described() {
    let document = as_json();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(is_described(schema), "{name}");
        for (field, value) in schema["properties"].as_object().into_iter().flatten() {
            let described = is_described(value)
                || value["oneOf"].as_array().is_some_and(|one| one.iter().any(is_described))
                || is_described(resolved(&document, value));
            assert!(described, "{name}.{field}");
        }
    }
}

/// The readers, by the schema that describes what they accept.
fn read(schema: &str, body: Value) -> Result<(), String> {
    let body = Body(Some(body));
    let read = match schema {
        "CollectionCreate" => input::create_collection(&body).map(drop),
        "CollectionUpdate" => input::update_collection(&body).map(drop),
        "SourceConnectionCreate" => input::create_connection(&body).map(drop),
        "SourceConnectionUpdate" => input::update_connection(&body).map(drop),
        "InstantSearchRequest" => input::instant(&body).map(drop),
        "ClassicSearchRequest" => input::classic(&body).map(drop),
        "AgenticSearchRequest" => input::agentic(&body),
        "LegacySearchRequest" => input::legacy(&body).map(drop),
        other => panic!("{other} has an example, and no reader here"),
    };
    read.map_err(|problem| problem.to_string())
}

/// The bodies that have an example, each by its name.
fn with_example(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let schemas = document["components"]["schemas"].as_object().unwrap().iter();
    schemas
        .filter(|(_, schema)| schema["properties"].is_object() && schema["example"].is_object())
        .map(|(name, schema)| (name.as_str(), schema))
}

#[test]
fn every_example_of_a_body_is_accepted() {
    let document = as_json();
    let mut seen = 0;
    for (name, schema) in with_example(&document) {
        assert_eq!(read(name, schema["example"].clone()), Ok(()), "{name}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

/// The value at each bound of a field, and the next one, beyond it.
fn around_bounds(field: &Value) -> impl Iterator<Item = (Value, Value)> {
    let number = |bound: &str, beyond: i64| {
        let at = field[bound].as_i64()?;
        Some((json!(at), json!(at + beyond)))
    };
    let text = |bound: &str, beyond: isize| {
        let at = usize::try_from(field[bound].as_u64()?).unwrap();
        let next = at.checked_add_signed(beyond).unwrap();
        Some((json!("x".repeat(at)), json!("x".repeat(next))))
    };
    let all = [number("minimum", -1), number("maximum", 1), text("minLength", -1), text("maxLength", 1)];
    all.into_iter().flatten()
}

#[test]
fn the_bounds_of_bodies_are_those_of_their_readers() {
    let document = as_json();
    let mut seen = 0;
    for (name, schema) in with_example(&document) {
        for (field, described) in schema["properties"].as_object().unwrap() {
            let forms = described["anyOf"].as_array().into_iter().flatten();
            for (at, beyond) in forms.chain([described]).flat_map(around_bounds) {
                let given = |value: Value| {
                    let mut body = schema["example"].clone();
                    body[field] = value;
                    read(name, body)
                };
                assert_eq!(given(at), Ok(()), "{name}.{field}");
                assert!(given(beyond).is_err_and(|refusal| refusal.contains(field)), "{name}.{field}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 30, "{seen}");
}
