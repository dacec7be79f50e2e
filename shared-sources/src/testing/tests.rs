//! The sources for tests: what they yield follows from their config and nothing else.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::run::collected;
use crate::{EntitySink, Source, SourceAccess, SourceEntity, SourceError};

fn access() -> SourceAccess {
    SourceAccess::for_tests(|_| {})
}

async fn read(source: Source, config: Value) -> (Vec<SourceEntity>, Result<(), SourceError>) {
    let config = source.check_config(config.as_object().unwrap(), None).unwrap();
    let credentials = source.check_credentials(&Map::new()).unwrap();
    let (sink, entities) = EntitySink::new(1);
    let access = access();
    let reading = source.read(&config, &credentials, &access, None, sink);
    let (outcome, all) = tokio::join!(reading, collected(entities));
    (all, outcome.map(|summary| assert_eq!(summary.skipped.count(), 0)))
}

fn ids(entities: &[SourceEntity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.id.as_str()).collect()
}

#[tokio::test]
async fn timed_spreads_its_entities_over_the_duration() {
    let begun = tokio::time::Instant::now();
    let (entities, outcome) = read(Source::Timed, json!({"entity_count": 4, "duration_seconds": 0.4, "seed": 7})).await;
    outcome.unwrap();
    assert_eq!(ids(&entities), ["timed-container-7", "timed-7-0", "timed-7-1", "timed-7-2", "timed-7-3"]);
    assert_eq!(entities[0].class, "TimedContainerEntity");
    assert_eq!(entities[1].class, "TimedEntity");
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn many_timed_entities_keep_to_a_short_duration() {
    let begun = tokio::time::Instant::now();
    let (entities, outcome) = read(Source::Timed, json!({"entity_count": 10_000, "duration_seconds": 0.1})).await;
    outcome.unwrap();
    assert_eq!(entities.len(), 10_001);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn timed_content_changes_with_its_config_only() {
    let config = |count: u32| json!({"entity_count": count, "duration_seconds": 0.1});
    let (one, _) = read(Source::Timed, config(3)).await;
    let (two, _) = read(Source::Timed, config(3)).await;
    let (other, _) = read(Source::Timed, config(4)).await;
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
    assert_ne!(one[1].text, other[1].text);
}

#[tokio::test]
async fn a_sleeping_source_stops_when_nobody_takes_entities() {
    let begun = tokio::time::Instant::now();
    let config = json!({"entity_count": 2, "duration_seconds": 600.0, "seed": 1});
    let (sink, mut entities) = EntitySink::new(4);
    let nothing = Map::new();
    let access = access();
    let reading = Source::Timed.read(config.as_object().unwrap(), &nothing, &access, None, sink);
    let taking = async {
        entities.recv().await.unwrap();
        entities.recv().await.unwrap();
        drop(entities);
    };
    let (outcome, ()) = tokio::join!(reading, taking);
    assert!(matches!(outcome, Err(SourceError::Stopped)));
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn the_stub_counts_its_container_and_repeats_itself() {
    let (one, outcome) = read(Source::Stub, json!({"entity_count": 200, "seed": 9})).await;
    outcome.unwrap();
    let (two, _) = read(Source::Stub, json!({"entity_count": 200, "seed": 9})).await;
    assert_eq!(one.len(), 200);
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
    assert_eq!((one[0].class, one[0].id.as_str()), ("StubContainerEntity", "stub-container-9"));
    for class in Source::Stub.definition().entity_classes {
        assert!(one.iter().any(|entity| entity.class == *class), "{class}");
    }
}

#[tokio::test]
async fn every_kind_of_the_stub_has_its_form() {
    let kinds = [
        ("small_entity_weight", "small-42-0", "SmallStubEntity", 100..=200, "stub://entity/small/small-42-0"),
        ("medium_entity_weight", "medium-42-0", "MediumStubEntity", 500..=1_000, "stub://entity/medium/medium-42-0"),
        ("large_entity_weight", "large-42-0", "LargeStubEntity", 3_000..=5_000, "stub://entity/large/large-42-0"),
        (
            "small_file_weight",
            "small-file-42-0",
            "SmallStubFileEntity",
            200..=500,
            "stub://file/small-file/small-file-42-0",
        ),
        (
            "large_file_weight",
            "large-file-42-0",
            "LargeStubFileEntity",
            5_000..=10_000,
            "stub://file/large-file/large-file-42-0",
        ),
        (
            "code_file_weight",
            "code-file-42-0",
            "CodeStubFileEntity",
            200..=2_000,
            "stub://file/code-file/code-file-42-0",
        ),
    ];
    for (weight, id, class, length, web_url) in &kinds {
        let mut config = Map::from_iter(kinds.iter().map(|(name, ..)| ((*name).to_owned(), json!(0))));
        config.insert((*weight).to_owned(), json!(1));
        config.insert("entity_count".to_owned(), json!(20));
        let (entities, _) = read(Source::Stub, Value::Object(config)).await;
        let entity = &entities[1];
        assert_eq!((&*entity.id, entity.class, &*entity.web_url), (*id, *class, *web_url));
        for entity in &entities[1..] {
            assert!(length.contains(&entity.text.len()), "{}: {}", entity.id, entity.text.len());
            assert_eq!(entity.file.is_some(), class.ends_with("FileEntity"));
            assert_eq!(entity.breadcrumbs[0].entity_id, "stub-container-42");
        }
    }
}

#[tokio::test]
async fn weights_that_are_all_zero_are_equal() {
    let names = ["small_entity", "medium_entity", "large_entity", "small_file", "large_file", "code_file"];
    let mut config = Map::from_iter(names.map(|name| (format!("{name}_weight"), json!(0))));
    config.insert("entity_count".to_owned(), json!(301));
    let (entities, _) = read(Source::Stub, Value::Object(config)).await;
    for class in &Source::Stub.definition().entity_classes[1..] {
        let count = entities.iter().filter(|entity| entity.class == *class).count();
        assert!((25..=75).contains(&count), "{class}: {count}");
    }
}

#[tokio::test]
async fn the_stub_fails_after_the_asked_number() {
    for (fail_after, yielded) in [(0, 1), (1, 1), (3, 3)] {
        let (entities, outcome) = read(Source::Stub, json!({"entity_count": 10, "fail_after": fail_after})).await;
        assert_eq!(entities.len(), yielded + 1);
        let error = outcome.unwrap_err();
        assert!(matches!(error, SourceError::Failed(_)));
        let text = format!("Stub source simulated failure after {yielded} entities (fail_after={fail_after})");
        assert_eq!(error.to_string(), text);
    }
    read(Source::Stub, json!({"entity_count": 3, "fail_after": 3})).await.1.unwrap();
}

#[tokio::test]
async fn prefix_and_special_tokens_are_in_the_text() {
    let config = json!({"inject_special_tokens": true, "custom_content_prefix": "marker 17"});
    let (entities, _) = read(Source::Stub, config).await;
    for entity in &entities[1..] {
        assert!(entity.text.starts_with("marker 17\n\n"));
        assert!((1..=3).contains(&entity.text.matches("<|").count()));
    }
}

#[tokio::test]
async fn the_stub_waits_between_entities() {
    let begun = tokio::time::Instant::now();
    read(Source::Stub, json!({"entity_count": 5, "generation_delay_ms": 20})).await.1.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn what_the_catalogue_would_not_accept_is_misconfigured() {
    let nothing = Map::new();
    let (sink, _entities) = EntitySink::new(1);
    let error = Source::Timed.read(&nothing, &nothing, &access(), None, sink).await.unwrap_err();
    let problem = "config is not valid: missing field";
    assert!(matches!(&error, SourceError::Misconfigured(text) if text.starts_with(problem)), "{error}");
}

#[tokio::test]
async fn a_wrong_credential_is_not_quoted() {
    let config = json!({"path": null, "include": [], "exclude": []});
    let credentials = json!({"root": 987_654});
    let (sink, _entities) = EntitySink::new(1);
    let (config, credentials) = (config.as_object().unwrap(), credentials.as_object().unwrap());
    let error = Source::Files.read(config, credentials, &access(), None, sink).await.unwrap_err();
    assert_eq!(error.to_string(), "credentials are not valid");
}
