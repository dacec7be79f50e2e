//! What the catalogue accepts, and how it refuses.

use serde_json::json;

use super::*;
use crate::{Source, SourceDefinition};

const EXCEPTION_STUB: &SourceDefinition = Source::ExceptionStub.definition();
const FILES: &SourceDefinition = Source::Files.definition();
const POSTGRESQL: &SourceDefinition = Source::Postgresql.definition();
const STUB: &SourceDefinition = Source::Stub.definition();
const TIMED: &SourceDefinition = Source::Timed.definition();

fn check(fields: &[Field], value: &Value) -> Result<Value, String> {
    validate(fields, value.as_object().unwrap(), Unknown::UnlessMisspelled)
        .map(Value::Object)
        .map_err(|error| error.to_string())
}

#[test]
fn defaults_are_filled_in_and_unknown_keys_dropped() {
    let valid = check(TIMED.config_fields, &json!({"entity_count": 20, "colour": "red"}));
    assert_eq!(valid, Ok(json!({"entity_count": 20, "duration_seconds": 10.0, "seed": 42})));
}

#[test]
fn bounds_are_named() {
    let problem = check(TIMED.config_fields, &json!({"entity_count": 0})).unwrap_err();
    assert_eq!(problem, "entity_count: Input should be greater than or equal to 1");
}

fn problem(fields: &[Field], value: &Value) -> String {
    check(fields, value).unwrap_err()
}

#[test]
fn numbers_and_flags_are_understood_as_forms_and_scripts_send_them() {
    let given = json!({"small_entity_weight": " 40 ", "large_entity_weight": "", "code_file_weight": "0",
                       "entity_count": "20.0", "seed": 7.0, "inject_special_tokens": "Yes"});
    let valid = check(STUB.config_fields, &given).unwrap();
    assert_eq!((&valid["small_entity_weight"], &valid["large_entity_weight"]), (&json!(40), &json!(0)));
    assert_eq!((&valid["entity_count"], &valid["seed"]), (&json!(20), &json!(7)));
    assert_eq!(valid["inject_special_tokens"], true);
    let valid = check(TIMED.config_fields, &json!({"duration_seconds": "0.5", "seed": i64::MAX})).unwrap();
    assert_eq!((&valid["duration_seconds"], &valid["seed"]), (&json!(0.5), &json!(i64::MAX)));
}

#[test]
fn what_is_wrong_is_told_in_the_words_that_clients_know() {
    let timed = TIMED.config_fields;
    let of = |value: Value| problem(timed, &json!({"entity_count": value}));
    assert_eq!(of(json!(10_001)), "entity_count: Input should be less than or equal to 10000");
    assert_eq!(of(json!(1.5)), "entity_count: Input should be a valid integer, got a number with a fractional part");
    let unreadable = "entity_count: Input should be a valid integer, unable to parse string as an integer";
    for text in ["many", "", "1.5", "1.", "0x10"] {
        assert_eq!(of(json!(text)), unreadable, "{text:?}");
    }
    for value in [json!(null), json!([]), json!({})] {
        assert_eq!(of(value), "entity_count: Input should be a valid integer");
    }
    assert_eq!(of(json!(1e300)), "entity_count: Unable to parse input string as an integer, exceeded maximum size");
    let of = |value: Value| problem(timed, &json!({"duration_seconds": value}));
    assert_eq!(of(json!(0.05)), "duration_seconds: Input should be greater than or equal to 0.1");
    assert_eq!(of(json!("nan")), "duration_seconds: Input should be a finite number");
    assert_eq!(
        problem(timed, &json!({"entity_count": 0, "duration_seconds": 601})),
        "entity_count: Input should be greater than or equal to 1; \
         duration_seconds: Input should be less than or equal to 600"
    );
    assert_eq!(
        problem(EXCEPTION_STUB.config_fields, &json!({"auth_provider_kind": "x"})),
        "auth_provider_kind: Input should be 'oauth', 'static', 'auth_provider' or 'credential'"
    );
    assert_eq!(
        problem(STUB.config_fields, &json!({"inject_special_tokens": 2})),
        "inject_special_tokens: Input should be a valid boolean, unable to interpret input"
    );
    assert_eq!(problem(FILES.config_fields, &json!({"include": "*.md"})), "include: Input should be a valid list");
    let text = "include: item 1: Input should be a valid string";
    assert_eq!(problem(FILES.config_fields, &json!({"include": ["*.md", 7]})), text);
    assert_eq!(problem(FILES.auth_fields, &json!({})), "root: Field required");
}

#[test]
fn texts_and_lists_are_bounded() {
    let text = "path: String should have at most 1024 characters";
    assert_eq!(problem(FILES.config_fields, &json!({"path": "x".repeat(1_025)})), text);
    let many = json!({"include": vec!["x"; 1_001]});
    assert!(problem(FILES.config_fields, &many).starts_with("include: List should have at most 1000 items"));
}

#[test]
fn an_empty_text_is_like_none_where_none_is_allowed() {
    assert_eq!(check(FILES.config_fields, &json!({"path": ""})).unwrap()["path"], Value::Null);
    let text = "root: String should have at least 1 character";
    assert_eq!(problem(FILES.auth_fields, &json!({"root": ""})), text);
    assert_eq!(check(STUB.auth_fields, &json!({"stub_key": ""})).unwrap()["stub_key"], "");
}

#[test]
fn a_secret_is_never_quoted() {
    let given = json!({"host": 1, "database": "d", "user": "u", "password": {"hunter2": "hunter2"}});
    let text = problem(POSTGRESQL.auth_fields, &given);
    assert!(text.contains("password: ") && !text.contains("hunter2"), "{text}");
}

#[test]
fn every_field_can_be_shown_in_a_form() {
    for source in Source::ALL.iter().map(|source| source.definition()) {
        assert!(!source.description.is_empty() && !source.labels.is_empty(), "{}", source.short_name);
        for field in source.config_fields.iter().chain(source.auth_fields) {
            let place = format!("{}.{}", source.short_name, field.name);
            assert!(!field.title.is_empty() && field.description.ends_with('.'), "{place}");
            assert!(!matches!(field.kind, FieldKind::Choice([])), "{place}");
        }
    }
}

#[test]
fn every_default_fits_its_own_bounds() {
    for source in Source::ALL.iter().map(|source| source.definition()) {
        for field in source.config_fields.iter().chain(source.auth_fields) {
            if let Some(default) = field.default.to_json().filter(|default| !default.is_null()) {
                assert!(validate_value(field.kind, &default).is_ok(), "{}.{}", source.short_name, field.name);
            }
        }
    }
}
