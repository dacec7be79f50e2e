//! The stubs beside `stub` itself.

use serde_json::{Map, Value, json};
use shared_models::job::ErrorCategory;
use shared_models::source::exception_stub::ExceptionType;
use shared_models::source::{EXCEPTION_STUB, INCREMENTAL_STUB, SourceDefinition, validate};

use crate::sources::{EntitySink, ReadSummary, Seen, SourceEntity, SourceError, SourceLimits, run};

async fn read(
    source: &SourceDefinition,
    config: Value,
    cursor: Option<&Value>,
) -> (Vec<SourceEntity>, Result<ReadSummary, SourceError>) {
    let config = validate(source.config_fields, config.as_object().unwrap()).unwrap();
    let credentials = validate(source.auth_fields, &Map::new()).unwrap();
    let (sink, mut entities) = EntitySink::new(1);
    let collecting = async {
        let mut all = Vec::new();
        while let Some(entity) = entities.recv().await {
            all.push(entity);
        }
        all
    };
    let limits = SourceLimits::default();
    let reading = run(source.short_name, &config, &credentials, &limits, cursor, sink);
    let (outcome, all) = tokio::join!(reading, collecting);
    (all, outcome)
}

fn ids(entities: &[SourceEntity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.id.as_str()).collect()
}

#[tokio::test]
async fn a_run_goes_on_after_the_cursor_and_yields_the_container_again() {
    let config = |count: u32| json!({"entity_count": count, "seed": 7});
    let (first, outcome) = read(&INCREMENTAL_STUB, config(2), None).await;
    let summary = outcome.unwrap();
    assert_eq!(ids(&first), ["inc-stub-container-7", "inc-stub-7-0", "inc-stub-7-1"]);
    assert_eq!((first[0].class, first[1].class), ("StubContainerEntity", "SmallStubEntity"));
    assert_eq!(first[1].breadcrumbs[0].entity_id, "inc-stub-container-7");
    assert_eq!(
        (summary.seen, &summary.cursor),
        (Seen::Everything, &Some(json!({"last_entity_index": 1, "entity_count": 2})))
    );

    let (more, outcome) = read(&INCREMENTAL_STUB, config(4), summary.cursor.as_ref()).await;
    let summary = outcome.unwrap();
    assert_eq!(ids(&more), ["inc-stub-container-7", "inc-stub-7-2", "inc-stub-7-3"]);
    assert_ne!(more[0].text, first[0].text);
    assert_eq!(
        (summary.seen, summary.cursor),
        (Seen::Changes, Some(json!({"last_entity_index": 3, "entity_count": 4})))
    );

    // The same entities, whichever way they come.
    let (all, _) = read(&INCREMENTAL_STUB, config(4), None).await;
    assert_eq!(format!("{:?}", &all[3..]), format!("{:?}", &more[1..]));
}

#[tokio::test]
async fn fewer_entities_than_the_cursor_knows_of_are_no_error() {
    let cursor = json!({"last_entity_index": 99, "entity_count": 100});
    let (entities, outcome) = read(&INCREMENTAL_STUB, json!({"entity_count": 3}), Some(&cursor)).await;
    assert_eq!(ids(&entities), ["inc-stub-container-42"]);
    assert_eq!(outcome.unwrap().cursor.unwrap()["last_entity_index"], 2);
    for unreadable in
        [json!(null), json!("x"), json!({"last_entity_index": -1}), json!({"last_entity_index": u64::MAX})]
    {
        let (entities, outcome) = read(&INCREMENTAL_STUB, json!({"entity_count": 3}), Some(&unreadable)).await;
        assert_eq!((entities.len(), outcome.unwrap().seen), (4, Seen::Everything), "{unreadable}");
    }
}

#[tokio::test]
async fn the_failure_comes_after_the_asked_number_of_entities() {
    for (trigger, yielded) in [(0, 0), (3, 3), (-1, 4), (4, 4)] {
        let config = json!({"entity_count": 5, "trigger_after": trigger, "seed": 1});
        let (entities, outcome) = read(&EXCEPTION_STUB, config, None).await;
        assert_eq!(entities.len(), 1 + yielded, "{trigger}");
        assert_eq!(entities[0].id, "exception-stub-container-1");
        let text = format!("[ExceptionStub] runtime_error triggered after {yielded} entities (simulated failure)");
        assert_eq!(outcome.unwrap_err().to_string(), text);
    }
    let (entities, outcome) = read(&EXCEPTION_STUB, json!({"entity_count": 5, "trigger_after": 5}), None).await;
    assert_eq!((entities.len(), outcome.unwrap()), (5, ReadSummary::everything()));
}

#[tokio::test]
async fn each_kind_of_failure_is_the_error_that_it_stands_for() {
    for kind in ExceptionType::ALL {
        let config = json!({"exception_type": kind, "trigger_after": 0, "auth_provider_kind": "static"});
        let error = read(&EXCEPTION_STUB, config, None).await.1.unwrap_err();
        assert!(error.to_string().starts_with(&format!("[ExceptionStub] {kind} triggered")), "{error}");
        let category = match kind {
            ExceptionType::SourceAuthError | ExceptionType::TokenCredentialsInvalid => {
                Some(ErrorCategory::ApiKeyInvalid)
            }
            ExceptionType::SourceTokenRefreshError | ExceptionType::TokenExpired => {
                Some(ErrorCategory::OauthCredentialsExpired)
            }
            _ => None,
        };
        assert_eq!(error.category(), category, "{kind}");
        assert!(!matches!(error, SourceError::Stopped), "nobody has stopped it");
    }
}
