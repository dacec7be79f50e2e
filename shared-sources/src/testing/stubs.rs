//! The stubs beside `stub` itself.

use serde_json::{Map, Value, json};
use shared_models::job::ErrorCategory;

use crate::definition::FieldKind;
use crate::run::collected;
use crate::{EntitySink, ReadSummary, Seen, Source, SourceAccess, SourceEntity, SourceError};

async fn read(
    source: Source,
    config: Value,
    cursor: Option<&Value>,
) -> (Vec<SourceEntity>, Result<ReadSummary, SourceError>) {
    let config = source.check_config(config.as_object().unwrap(), None).unwrap();
    let credentials = source.check_credentials(&Map::new()).unwrap();
    let (sink, entities) = EntitySink::new(1);
    let access = SourceAccess::for_tests(|_| {});
    let reading = source.read(&config, &credentials, &access, cursor, sink);
    let (outcome, all) = tokio::join!(reading, collected(entities));
    (all, outcome)
}

fn ids(entities: &[SourceEntity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.id.as_str()).collect()
}

#[tokio::test]
async fn a_run_goes_on_after_the_cursor_and_yields_the_container_again() {
    let config = |count: u32| json!({"entity_count": count, "seed": 7});
    let (first, outcome) = read(Source::IncrementalStub, config(2), None).await;
    let summary = outcome.unwrap();
    assert_eq!(ids(&first), ["inc-stub-container-7", "inc-stub-7-0", "inc-stub-7-1"]);
    assert_eq!((first[0].class, first[1].class), ("StubContainerEntity", "SmallStubEntity"));
    assert_eq!(first[1].breadcrumbs[0].entity_id, "inc-stub-container-7");
    assert_eq!(
        (summary.seen, &summary.cursor),
        (Seen::Everything, &Some(json!({"last_entity_index": 1, "entity_count": 2})))
    );

    let (more, outcome) = read(Source::IncrementalStub, config(4), summary.cursor.as_ref()).await;
    let summary = outcome.unwrap();
    assert_eq!(ids(&more), ["inc-stub-container-7", "inc-stub-7-2", "inc-stub-7-3"]);
    assert_ne!(more[0].text, first[0].text);
    assert_eq!(
        (summary.seen, summary.cursor),
        (Seen::Changes, Some(json!({"last_entity_index": 3, "entity_count": 4})))
    );

    // The same entities, whichever way they come.
    let (all, _) = read(Source::IncrementalStub, config(4), None).await;
    assert_eq!(format!("{:?}", &all[3..]), format!("{:?}", &more[1..]));
}

#[tokio::test]
async fn fewer_entities_than_the_cursor_knows_of_are_no_error() {
    let cursor = json!({"last_entity_index": 99, "entity_count": 100});
    let (entities, outcome) = read(Source::IncrementalStub, json!({"entity_count": 3}), Some(&cursor)).await;
    assert_eq!(ids(&entities), ["inc-stub-container-42"]);
    assert_eq!(outcome.unwrap().cursor.unwrap()["last_entity_index"], 2);
    for unreadable in
        [json!(null), json!("x"), json!({"last_entity_index": -1}), json!({"last_entity_index": u64::MAX})]
    {
        let (entities, outcome) = read(Source::IncrementalStub, json!({"entity_count": 3}), Some(&unreadable)).await;
        assert_eq!((entities.len(), outcome.unwrap().seen), (4, Seen::Everything), "{unreadable}");
    }
}

#[tokio::test]
async fn the_failure_comes_after_the_asked_number_of_entities() {
    for (trigger, yielded) in [(0, 0), (3, 3), (-1, 4), (4, 4)] {
        let config = json!({"entity_count": 5, "trigger_after": trigger, "seed": 1});
        let (entities, outcome) = read(Source::ExceptionStub, config, None).await;
        assert_eq!(entities.len(), 1 + yielded, "{trigger}");
        assert_eq!(entities[0].id, "exception-stub-container-1");
        let text = format!("[ExceptionStub] runtime_error triggered after {yielded} entities (simulated failure)");
        assert_eq!(outcome.unwrap_err().to_string(), text);
    }
    let (entities, outcome) = read(Source::ExceptionStub, json!({"entity_count": 5, "trigger_after": 5}), None).await;
    assert_eq!((entities.len(), outcome.unwrap()), (5, ReadSummary::everything()));
}

#[tokio::test]
async fn each_kind_of_failure_is_the_error_that_it_stands_for() {
    let config_fields = Source::ExceptionStub.definition().config_fields;
    let FieldKind::Choice(kinds) = config_fields.iter().find(|field| field.name == "exception_type").unwrap().kind
    else {
        panic!()
    };
    for kind in kinds {
        let config = json!({"exception_type": kind, "trigger_after": 0, "auth_provider_kind": "static"});
        let error = read(Source::ExceptionStub, config, None).await.1.unwrap_err();
        assert!(error.to_string().starts_with(&format!("[ExceptionStub] {kind} triggered")), "{error}");
        let category = match *kind {
            "source_auth_error" | "token_credentials_invalid" => Some(ErrorCategory::ApiKeyInvalid),
            "source_token_refresh_error" | "token_expired" => Some(ErrorCategory::OauthCredentialsExpired),
            _ => None,
        };
        assert_eq!(error.category(), category, "{kind}");
        assert!(!matches!(error, SourceError::Stopped), "nobody has stopped it");
    }
}
