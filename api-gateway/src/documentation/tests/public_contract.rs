//! What the public contract promises its clients, this document promises too.
//!
//! public_contract.json holds its facts: operations, parameters, fields, types, values. An answer may promise more (a
//! field that is always there, fewer kinds of values), a request may be allowed more.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{as_json, resolved};

/// Facts of the published contract that its page, which counts, contradicts.
const EXCEPTIONS: [&str; 5] = [
    // Only credentials can be replaced.
    "SourceConnectionUpdate.authentication",
    // For OAuth in a browser, which no source here uses; ignored like any unknown field.
    "SourceConnectionCreate.redirect_url",
    // A job that can't be cancelled is a 400.
    "POST /source-connections/{source_connection_id}/jobs/{job_id}/cancel 409",
    // A position in a list is a number, as in the other published form of the same.
    "ValidationErrorDetail.loc",
    // The service sends it, the published list lacks it.
    "SourceConnectionStatus needs_reauth",
];

struct Contract {
    document: Value,
    facts: Value,
}

impl Contract {
    fn read() -> Self {
        Self { document: as_json(), facts: serde_json::from_str(include_str!("public_contract.json")).unwrap() }
    }

    fn facts(&self, kind: &str) -> &Map<String, Value> {
        self.facts[kind].as_object().unwrap()
    }

    fn schema(&self, name: &str) -> &Value {
        let schema = &self.document["components"]["schemas"][name];
        assert!(schema.is_object(), "{name} isn't there");
        schema
    }

    /// The kinds of values of one of our schemas, in the words of the facts.
    fn kinds(&self, schema: &Value) -> BTreeSet<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            let is_public = self.facts("schemas").contains_key(name) || self.facts("enums").contains_key(name);
            return if is_public {
                BTreeSet::from([name.to_owned()])
            } else {
                self.kinds(resolved(&self.document, schema))
            };
        }
        if let Some(some) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())
            && !schema["properties"].is_object()
        {
            return some.iter().flat_map(|one| self.kinds(one)).collect();
        }
        let names = match &schema["type"] {
            Value::String(name) => vec![name.as_str()],
            Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
            _ => vec!["any"],
        };
        names.into_iter().map(|name| self.kind(name, schema)).collect()
    }

    fn kind(&self, name: &str, schema: &Value) -> String {
        let inner = |schema: &Value| self.kinds(schema).into_iter().collect::<Vec<_>>().join("|");
        match (name, schema["format"].as_str()) {
            ("array", _) => format!("[{}]", inner(&schema["items"])),
            ("object", _) if schema["additionalProperties"].is_object() => {
                format!("{{{}}}", inner(&schema["additionalProperties"]))
            }
            ("string", Some(format @ ("uuid" | "date-time"))) => format.to_owned(),
            _ => name.to_owned(),
        }
    }

    /// Whether every value of the kind `narrow` is one of the kind `wide`.
    fn is_within(&self, narrow: &str, wide: &str) -> bool {
        let list = |kind: &str| kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')).map(str::to_owned);
        match (list(narrow), list(wide)) {
            (Some(narrow), Some(wide)) => narrow.split('|').all(|one| self.is_within_any(one, &wide, '|')),
            _ => {
                let is_text = matches!(narrow, "uuid" | "date-time") || self.facts("enums").contains_key(narrow);
                let is_kind_of = match wide {
                    "any" => true,
                    "string" => is_text,
                    "number" => narrow == "integer",
                    "object" => narrow.starts_with('{'),
                    _ => false,
                };
                narrow == wide || is_kind_of
            }
        }
    }

    fn is_within_any(&self, narrow: &str, wide: &str, separator: char) -> bool {
        wide.split(separator).any(|wide| self.is_within(narrow, wide))
    }

    /// Schemas that clients send.
    fn is_request(name: &str) -> bool {
        let sent =
            ["Create", "Update", "Request", "Authentication", "ScheduleConfig", "FilterGroup", "FilterCondition"];
        sent.iter().any(|end| name.ends_with(end))
    }
}

fn check(place: &str, holds: bool, why: &str) {
    assert!(holds != EXCEPTIONS.contains(&place), "{place}: {why}, or an exception that is none");
}

#[test]
fn every_public_operation_is_here_with_its_parameters_and_answers() {
    let contract = Contract::read();
    for (name, facts) in contract.facts("operations") {
        let (method, path) = name.split_once(' ').unwrap();
        let operation = &contract.document["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "{name} isn't there");
        let given: Vec<&Value> =
            operation["parameters"].as_array().unwrap().iter().map(|one| resolved(&contract.document, one)).collect();
        for (parameter, kind) in facts["parameters"].as_object().into_iter().flatten() {
            let ours = given.iter().find(|ours| {
                format!("{}.{}", ours["in"].as_str().unwrap(), ours["name"].as_str().unwrap()) == *parameter
            });
            let ours = contract.kinds(&ours.unwrap_or_else(|| panic!("{name}: {parameter} isn't there"))["schema"]);
            // What isn't given can't be null in a URL.
            let kind = kind.as_str().unwrap().trim_end_matches(" null");
            assert_eq!(ours, BTreeSet::from([kind.to_owned()]), "{name}: {parameter}");
        }
        for status in facts["statuses"].as_array().unwrap() {
            let status = status.as_str().unwrap();
            check(&format!("{name} {status}"), operation["responses"][status].is_object(), "no such answer");
        }
        let body = |value: &Value| contract.kinds(&value["content"]["application/json"]["schema"]);
        if let Some(kind) = facts["answer"].as_str() {
            assert_eq!(body(&operation["responses"]["200"]), BTreeSet::from([kind.to_owned()]), "{name}");
        }
        if let Some(kind) = facts["body"].as_str() {
            assert_eq!(body(&operation["requestBody"]), BTreeSet::from([kind.to_owned()]), "{name}");
        }
    }
}

#[test]
fn every_public_field_is_here_and_of_a_fitting_type() {
    let contract = Contract::read();
    for (name, facts) in contract.facts("schemas") {
        let ours = contract.schema(name);
        for (field, kinds) in facts["properties"].as_object().unwrap() {
            let (place, kinds) = (format!("{name}.{field}"), kinds.as_str().unwrap());
            let given = &ours["properties"][field];
            let ours = contract.kinds(given);
            let fits = if Contract::is_request(name) {
                let ours = ours.iter().cloned().collect::<Vec<_>>().join(" ");
                kinds.split(' ').all(|kind| contract.is_within_any(kind, &ours, ' '))
            } else {
                ours.iter().all(|kind| contract.is_within_any(kind, kinds, ' '))
            };
            check(&place, given.is_object() && fits, &format!("{ours:?} doesn't fit {kinds}"));
        }
    }
}

#[test]
fn what_must_be_there_is_there() {
    let contract = Contract::read();
    let required = |schema: &Value| -> BTreeSet<String> {
        schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    for (name, facts) in contract.facts("schemas") {
        let (ours, theirs) = (required(contract.schema(name)), required(facts));
        if Contract::is_request(name) {
            assert!(ours.is_subset(&theirs), "{name}: we ask for more than {theirs:?}: {ours:?}");
        } else {
            assert!(theirs.is_subset(&ours), "{name}: we promise less than {theirs:?}: {ours:?}");
        }
    }
}

#[test]
fn every_public_value_is_known() {
    let contract = Contract::read();
    let values = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    for (name, facts) in contract.facts("enums") {
        let (ours, theirs) = (values(&contract.schema(name)["enum"]), values(facts));
        assert!(theirs.is_subset(&ours), "{name}: {ours:?} lacks some of {theirs:?}");
        for more in ours.difference(&theirs) {
            check(&format!("{name} {more}"), false, "nobody knows it");
        }
    }
}
