//! Searches as clients write them: what is read, and what is refused where.

use serde_json::json;
use shared_models::wire::search::ResponseType;
use shared_stores::vespa::{Bounds, BreadcrumbField, NumberField, TextField, TextTest};

use super::*;

fn body(value: Value) -> Body {
    Body(Some(value))
}

fn read_instant(value: Value) -> Result<SearchInput, String> {
    instant(&body(value)).map_err(|problem| problem.to_string())
}

/// The filter of one group with one condition.
fn one(field: &str, operator: &str, value: Value) -> Result<Filter, String> {
    let filter = json!([{"conditions": [{"field": field, "operator": operator, "value": value}]}]);
    let filter = read_instant(json!({"query": "q", "filter": filter}))?.filter.unwrap();
    let Filter::Any(mut groups) = filter else { panic!("{filter:?}") };
    let Some(Filter::All(mut conditions)) = groups.pop() else { panic!() };
    Ok(conditions.pop().unwrap())
}

fn legacy_filter_of(filter: Value) -> Result<Option<Filter>, String> {
    let read = legacy(&body(json!({"query": "q", "filter": filter})));
    read.map(|input| input.search.filter).map_err(|problem| problem.to_string())
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn is(field: TextField, value: &str) -> Filter {
    Filter::Text(field, TextTest::Is(text(value)))
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn created(from: Option<i64>, to: Option<i64>) -> Filter {
    Filter::Number(NumberField::CreatedAt, Bounds { from, to })
}

#[test]
fn a_query_must_say_something() {
    assert_eq!(read_instant(json!({"query": " "})).unwrap_err(), "body.query: Value error, Query cannot be empty");
    assert_eq!(read_instant(json!({})).unwrap_err(), "body.query: Field required");
    assert!(agentic(&body(json!({"query": " "}))).is_err());
    assert!(agentic(&body(json!({"query": "q", "limit": 0}))).is_err());
    assert!(agentic(&body(json!({"query": "q", "thinking": true, "limit": 5000, "filter": null}))).is_ok());
}

#[test]
fn bounds_and_strategies_are_checked() {
    let read = read_instant(json!({"query": "q", "filter": []})).unwrap();
    assert_eq!((read.limit, read.offset, read.strategy, read.filter), (100, 0, RetrievalStrategy::Hybrid, None));
    let read = read_instant(json!({"query": "q", "retrieval_strategy": "semantic", "offset": 10_000})).unwrap();
    assert_eq!((read.strategy, read.offset), (RetrievalStrategy::Semantic, 10_000));
    for (name, value) in [("limit", 0), ("limit", 1001), ("offset", -1), ("offset", 10_001)] {
        let error = read_instant(json!({"query": "q", name: value})).unwrap_err();
        assert!(error.starts_with(&format!("body.{name}: Input should be ")), "{error}");
    }
    assert!(read_instant(json!({"query": "q", "retrieval_strategy": "neural"})).is_err());
    assert!(
        classic(&body(json!({"query": "q", "retrieval_strategy": "neural"}))).is_ok(),
        "unknown fields are ignored"
    );
}

#[test]
fn every_operator_means_what_it_says() {
    let name = |operator, value| one("name", operator, value).unwrap();
    assert_eq!(name("equals", json!("x")), is(TextField::Name, "x"));
    assert_eq!(name("equals", json!(7)), is(TextField::Name, "7"));
    assert_eq!(name("not_equals", json!("x")), not(is(TextField::Name, "x")));
    assert_eq!(name("contains", json!("x")), Filter::Text(TextField::Name, TextTest::Contains(text("x"))));
    assert_eq!(name("in", json!(["x", 1])), Filter::OneOf(TextField::Name, vec![text("x"), text("1")]));
    assert_eq!(name("in", json!("x")), Filter::OneOf(TextField::Name, vec![text("x")]));
    assert_eq!(name("in", json!("")), Filter::OneOf(TextField::Name, vec![]));
    assert_eq!(name("not_in", json!(["x"])), not(Filter::OneOf(TextField::Name, vec![text("x")])));
    let crumb = |value: &str| Filter::Breadcrumb(vec![(BreadcrumbField::Name, TextTest::Is(text(value)))]);
    assert_eq!(one("breadcrumbs.name", "in", json!(["x", "y"])).unwrap(), Filter::Any(vec![crumb("x"), crumb("y")]));

    let time = |operator, value: &str| one("created_at", operator, json!(value)).unwrap();
    assert_eq!(time("equals", "1970-01-01T00:01:40Z"), created(Some(100), Some(100)));
    assert_eq!(time("greater_than", "1970-01-01T00:01:40Z"), created(Some(101), None));
    assert_eq!(time("greater_than_or_equal", "1970-01-01T00:01:40Z"), created(Some(100), None));
    assert_eq!(time("less_than", "1970-01-01T00:01:40Z"), created(None, Some(99)));
    assert_eq!(time("less_than_or_equal", "1970-01-01T00:01:40.5Z"), created(None, Some(100)));
    assert_eq!(time("equals", "1970-01-01T00:01:40.5Z"), Filter::Any(vec![]));
    let chunk = |from, to| Filter::Number(NumberField::ChunkIndex, Bounds { from, to });
    let chunks = one("airweave_system_metadata.chunk_index", "not_in", json!([0, "2"])).unwrap();
    assert_eq!(chunks, not(Filter::Any(vec![chunk(Some(0), Some(0)), chunk(Some(2), Some(2))])));
}

#[test]
fn every_fault_of_a_filter_is_shown_at_its_place() {
    let cases = [
        (
            "name",
            "greater_than",
            json!("x"),
            "operator",
            "'greater_than' compares times and numbers, and 'name' is a text",
        ),
        (
            "created_at",
            "contains",
            json!("2024"),
            "operator",
            "'contains' looks into texts, and 'created_at' is a time",
        ),
        ("airweave_system_metadata.chunk_index", "contains", json!("1"), "operator", "is a number"),
        ("name", "equals", json!(["x"]), "value", "this operator takes a single value; 'in' and 'not_in' take lists"),
        ("name", "equals", json!(true), "value", "Input should be a valid string"),
        ("name", "in", json!(7), "value", "Input should be a valid list"),
        ("name", "in", json!(["x", null]), "value.1", "Input should be a valid string"),
        ("created_at", "equals", json!("yesterday"), "value", "a time in ISO 8601, such as 2024-01-15T00:00:00Z"),
        ("created_at", "in", json!(["2024-01-01", "x"]), "value.1", "a time in ISO 8601"),
        ("airweave_system_metadata.chunk_index", "equals", json!("x"), "value", "this field is compared with a number"),
        (
            "airweave_system_metadata.chunk_index",
            "equals",
            json!(true),
            "value",
            "this field is compared with a number",
        ),
        ("secret", "equals", json!("x"), "field", "Input should be 'entity_id', 'name', "),
        ("name", "like", json!("x"), "operator", "or 'not_in'"),
    ];
    for (field, operator, value, place, msg) in cases {
        let error = one(field, operator, value.clone()).unwrap_err();
        let place = format!("body.filter.0.conditions.0.{place}: ");
        assert!(error.starts_with(&place) && error.contains(msg), "{field} {operator} {value}: {error}");
    }
    let good = json!({"field": "name", "operator": "equals", "value": "x"});
    for (filter, fault) in [
        (json!({"must": []}), "body.filter: Input should be a valid list"),
        (json!(["x"]), "body.filter.0: Input should be a valid dictionary"),
        (json!([{}]), "body.filter.0.conditions: Field required"),
        (json!([{"conditions": {}}]), "body.filter.0.conditions: Input should be a valid list"),
        (
            json!([{"conditions": []}]),
            "body.filter.0.conditions: List should have at least 1 item after validation, not 0",
        ),
        (json!([{"conditions": [good, {}]}]), "body.filter.0.conditions.1.field: Field required; "),
        (
            json!([{"conditions": [good]}, {"conditions": [{"field": "name", "operator": "in"}]}]),
            "body.filter.1.conditions.0.value: Field required",
        ),
    ] {
        let error = read_instant(json!({"query": "q", "filter": filter})).unwrap_err();
        assert!(error.starts_with(fault), "{filter}: {error}");
    }
}

#[test]
fn a_filter_is_of_bounded_size() {
    let most: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
    assert!(one("name", "in", json!(most)).is_ok());
    let more: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let error = one("name", "in", json!(more)).unwrap_err();
    assert_eq!(error, "body.filter.0.conditions.0.value: Value error, a filter can have at most 2000 values");
    let many: Vec<Value> =
        (0..5_000).map(|_| json!({"conditions": [{"field": "x", "operator": "x", "value": 1}]})).collect();
    assert!(read_instant(json!({"query": "q", "filter": many})).unwrap_err().len() < 200_000, "not all are told");
    assert!(one("name", "equals", json!("x".repeat(5_000))).unwrap_err().contains("at most 4096 characters"));
}

#[test]
fn patterns_are_few_and_short() {
    let contains = |value: Value| json!({"field": "name", "operator": "contains", "value": value});
    let filter = |count: usize| json!([{"conditions": vec![contains(json!("x")); count]}]);
    assert!(read_instant(json!({"query": "q", "filter": filter(20)})).is_ok());
    let refused = read_instant(json!({"query": "q", "filter": filter(1_000)})).unwrap_err();
    let told = "Value error, a filter can look for at most 20 texts within others";
    assert_eq!(refused, format!("body.filter.0.conditions.20.value: {told}"));
    assert!(one("name", "contains", json!("x".repeat(256))).is_ok());
    assert!(one("name", "contains", json!("x".repeat(257))).unwrap_err().contains("at most 256 characters"));
    let older = json!({"must": vec![json!({"key": "name", "match": {"text": "x"}}); 21]});
    assert!(legacy_filter_of(older).unwrap_err().contains(told));
}

#[test]
fn groups_and_conditions_are_counted_even_if_they_hold_no_value() {
    let too_many = "a filter can have at most 2000 groups and conditions";
    let empty_list = json!({"field": "name", "operator": "in", "value": []});
    let filter = |conditions: usize| json!([{"conditions": vec![empty_list.clone(); conditions]}]);
    assert!(read_instant(json!({"query": "q", "filter": filter(1_999)})).is_ok());
    let refused = read_instant(json!({"query": "q", "filter": filter(2_000)})).unwrap_err();
    assert!(refused.contains(too_many) && refused.len() < 200, "{refused}");
    for part in [json!({"must": []}), json!({"has_id": []}), json!({"key": "name", "match": {"any": []}})] {
        let refused = legacy_filter_of(json!({"must_not": vec![part.clone(); 50_000]})).unwrap_err();
        assert!(refused.contains(too_many) && refused.len() < 200, "{part}: {refused}");
    }
    for many in [json!([{"conditions": vec![1; 50_000]}]), json!(vec![1; 50_000])] {
        let refused = read_instant(json!({"query": "q", "filter": many})).unwrap_err();
        assert!(refused.contains(too_many) && refused.len() < 200, "nothing of the list is looked at: {refused}");
    }
    let long = "x".repeat(1_000_000);
    let refused = legacy_filter_of(json!({long: 1})).unwrap_err();
    assert!(refused.len() < 500, "{}", refused.len());
}

#[test]
fn older_filters_are_groups_of_must_should_and_must_not() {
    let filter = json!({
        "must": [
            {"key": "source_name", "match": {"value": "stub"}},
            {"should": [{"key": "name", "match": "x"}, {"key": "airweave_system_metadata.entity_type", "match": {"any": ["A"]}}]},
            {"key": "created_at", "range": {"gte": "1970-01-01", "lt": "1970-01-02T00:00:00Z", "gt": null}},
        ],
        "must_not": [{"key": "entity_type", "match": {"except": ["B"]}}, {"has_id": ["1"]}],
    });
    let all = |parts| Filter::All(parts);
    let one_of = |field, value: &str| Filter::OneOf(field, vec![text(value)]);
    assert_eq!(
        legacy_filter_of(filter).unwrap().unwrap(),
        all(vec![
            all(vec![is(TextField::SourceName, "stub")]),
            all(vec![Filter::Any(vec![
                all(vec![is(TextField::Name, "x")]),
                all(vec![one_of(TextField::EntityType, "A")]),
            ])]),
            all(vec![all(vec![created(Some(0), None), created(None, Some(86_399))])]),
            not(all(vec![not(one_of(TextField::EntityType, "B"))])),
            not(one_of(TextField::EntityId, "1")),
        ])
    );
    for nothing in [json!(null), json!({})] {
        assert_eq!(legacy_filter_of(nothing).unwrap(), None);
    }
    assert_eq!(legacy_filter_of(json!({"must": [], "should": null})).unwrap(), Some(all(vec![])));
    let crumbs = json!({"must": [{"nested": {"key": "breadcrumbs", "filter": {"must": [
        {"key": "entity_id", "match": {"value": "1"}}, {"key": "name", "match": {"text": "x"}}]}}}]});
    let both = vec![
        (BreadcrumbField::EntityId, TextTest::Is(text("1"))),
        (BreadcrumbField::Name, TextTest::Contains(text("x"))),
    ];
    assert_eq!(legacy_filter_of(crumbs).unwrap().unwrap(), all(vec![Filter::Breadcrumb(both)]));
}

#[test]
fn an_older_filter_that_does_not_map_is_refused_never_ignored() {
    let crumb =
        |condition: Value| json!({"must": [{"nested": {"key": "breadcrumbs", "filter": {"must": [condition]}}}]});
    let deep = (0..40).fold(json!({"must": []}), |inner, _| json!({"must": [inner]}));
    for (filter, place) in [
        (json!({"key": "source_name", "match": {"value": "stub"}}), "key"),
        (json!({"must": {"key": "name"}}), "must"),
        (json!({"must": [{"key": "name", "is_null": true}]}), "must.0.is_null"),
        (json!({"must": [{"key": "access.viewers", "match": {"value": "x"}}]}), "must.0.key"),
        (json!({"must": [{"key": "name"}]}), "must.0"),
        (json!({"must": [{"match": {"value": "x"}}]}), "must.0.key"),
        (json!({"must": [{"key": "name", "match": {"phrase": "x"}}]}), "must.0.match.phrase"),
        (json!({"must": [{"key": "name", "match": {}}]}), "must.0.match"),
        (json!({"must": [{"key": "name", "range": {"gt": "x"}}]}), "must.0.range.gt"),
        (json!({"must": [{"key": "created_at", "range": {"from": "2024-01-01"}}]}), "must.0.range.from"),
        (json!({"should": [{"nested": {"key": "breadcrumbs", "filter": {"should": []}}}]}), "should.0.nested"),
        (json!({"should": [{"nested": {"key": "breadcrumbs", "filter": {"must": []}, "x": 1}}]}), "should.0.nested"),
        (crumb(json!({"key": "name", "match": {"value": "x", "except": ["y"]}})), "must.0.nested.filter.must.0.match"),
        (crumb(json!({"key": "name", "match": "x"})), "must.0.nested.filter.must.0.match"),
        (crumb(json!({"key": "name", "match": {"value": "x"}, "x": 1})), "must.0.nested.filter.must.0.match"),
        (json!({"must": [{"key": "name", "match": {"value": "x", "text": "x"}}]}), "must.0.match"),
        (json!({"must": [{"key": "name", "match": null, "range": null}]}), "must.0"),
        (json!({"should": [], "minimum_should_match": 2}), "minimum_should_match"),
        (deep, "must.0.must.0.must"),
    ] {
        let error = legacy_filter_of(filter.clone()).unwrap_err();
        assert!(error.starts_with(&format!("body.filter.{place}")), "{filter}: {error}");
    }
    let bare = legacy_filter_of(json!({"key": "source_name", "match": {"value": "stub"}})).unwrap_err();
    assert!(bare.contains("filter") && bare.contains("must"), "{bare}");
    assert_eq!(legacy_filter_of(json!([1])).unwrap_err(), "body.filter: Input should be a valid dictionary");
}

#[test]
fn a_filter_has_at_most_eight_levels() {
    let nested = |levels: usize| (1..levels).fold(json!({"must": []}), |inner, _| json!({"should": [inner]}));
    assert!(legacy_filter_of(nested(8)).is_ok());
    let refused = legacy_filter_of(nested(9)).unwrap_err();
    assert!(refused.contains("at most 8 levels"), "{refused}");
}

#[test]
fn the_two_older_forms_are_told_apart_by_their_fields() {
    let form = |value: Value| legacy(&body(value)).map(|input| (input.form, input.search.strategy)).unwrap();
    let newer = json!({"query": "q", "retrieval_strategy": "neural", "rerank": false, "temporal_relevance": 0.0});
    assert_eq!(form(newer), (LegacyForm::Newer, RetrievalStrategy::Semantic));
    assert_eq!(form(json!({"query": "q"})), (LegacyForm::Newer, RetrievalStrategy::Hybrid));
    let older = json!({"query": "q", "response_type": "completion", "expansion_strategy": "auto", "enable_reranking": true,
        "search_method": "keyword", "recency_bias": 0.3, "score_threshold": null});
    assert_eq!(form(older.clone()), (LegacyForm::Older(ResponseType::Completion), RetrievalStrategy::Keyword));
    assert!(legacy(&body(older)).unwrap().asks_for_recency);
    for wrong in [
        json!({"response_type": "x"}),
        json!({"retrieval_strategy": "x"}),
        json!({"recency_bias": 2}),
        json!({"expand_query": "perhaps"}),
        json!({"expansion_strategy": "x"}),
        json!({"limit": 1001}),
    ] {
        let mut given = wrong.clone();
        given["query"] = json!("q");
        assert!(legacy(&body(given)).is_err(), "{wrong}");
    }
}

#[test]
fn named_connections_are_kept() {
    let id = SourceConnectionId::random();
    let read = |ids: Value| {
        legacy(&body(json!({"query": "q", "source_connection_ids": ids}))).map(|input| input.search.connections)
    };
    assert_eq!(read(json!([id])).unwrap(), Some(vec![id]));
    assert_eq!(read(json!([])).unwrap(), Some(vec![]));
    assert_eq!(read(Value::Null).unwrap(), None);
    assert!(read(json!(["x"])).is_err());
}
