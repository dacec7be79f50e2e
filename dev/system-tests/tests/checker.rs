//! The checker finds every violation that is planted in a real database or in the stores.

use std::time::Duration;

use shared_models::Invariant;
use system_tests::{Checker, System, api::Delete, api::ids_of, fast_times};

/// A system without workers, with the sync of a live connection and that of one that was deleted and cleaned up.
async fn settled_system() -> (System, String, String) {
    let system = System::new(&fast_times()).await;
    let mut gateway = system.gateway().await;
    let (mut sync_worker, mut cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let (live, gone) = (api.create_stub(&collection, 20, 1).await, api.create_stub(&collection, 20, 2).await);
    let ((live, live_sync), (gone, gone_sync)) = (ids_of(&live), ids_of(&gone));
    system.wait_for_job(api, &live, "completed").await;
    system.wait_for_job(api, &gone, "completed").await;
    assert_eq!(api.delete(&format!("/source-connections/{gone}")).await.status, 200);
    system.wait_for_cleanups(1).await;
    assert!(system.rest.wait().is_empty());
    for service in [&mut gateway.service, &mut sync_worker.service, &mut cleanup_worker.service] {
        service.kill();
    }
    assert_eq!(system.checker().violations().await, []);
    (system, live_sync, gone_sync)
}

async fn broken(checker: &Checker) -> Vec<Invariant> {
    checker.violations().await.into_iter().map(|violation| violation.invariant).collect()
}

/// What each planted change of rows breaks, and how it is undone.
const ROWS: [(Invariant, &str, &str); 8] = [
    (
        Invariant::Atomic,
        "UPDATE outbox SET message = message || '{\"type\": \"Lost\"}' WHERE message->>'type' = 'SourceConnectionDeleted'",
        "UPDATE outbox SET message = message || '{\"type\": \"SourceConnectionDeleted\"}' WHERE message->>'type' = 'Lost'",
    ),
    (
        Invariant::Atomic,
        "INSERT INTO witness.sync VALUES (gen_random_uuid())",
        "DELETE FROM witness.sync WHERE id NOT IN (SELECT id FROM sync UNION SELECT sync_id FROM cleanup)",
    ),
    (
        Invariant::Complete,
        "UPDATE cleanup SET state = 'scheduled', rows_deleted_at = rows_deleted_at - interval '1 hour'",
        "UPDATE cleanup SET state = 'done', rows_deleted_at = rows_deleted_at + interval '1 hour'",
    ),
    (
        Invariant::Complete,
        "UPDATE source_connection SET deletion_requested_at = now() - interval '31 seconds', deletion_request_id = id",
        "UPDATE source_connection SET deletion_requested_at = NULL, deletion_request_id = NULL",
    ),
    (
        Invariant::Idempotent,
        "INSERT INTO outbox (message_id, published_at, message)
         SELECT gen_random_uuid(), now(), message || '{\"twice\": true}' FROM outbox WHERE message->>'type' = 'CleanupCompleted'",
        "DELETE FROM outbox WHERE message ? 'twice'",
    ),
    (
        Invariant::Honest,
        "UPDATE cleanup SET progress = jsonb_set(progress, '{kept}', progress->'arf') - 'arf'",
        "UPDATE cleanup SET progress = jsonb_set(progress, '{arf}', progress->'kept') - 'kept'",
    ),
    (
        Invariant::Honest,
        "UPDATE cleanup SET next_attempt_at = next_attempt_at + interval '1 hour'",
        "UPDATE cleanup SET next_attempt_at = next_attempt_at - interval '1 hour'",
    ),
    (
        Invariant::Isolated,
        "INSERT INTO organization (id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'Stranger');
         UPDATE collection SET organization_id = '00000000-0000-4000-8000-000000000001'",
        "UPDATE collection SET organization_id = (SELECT organization_id FROM source_connection)",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_in_rows_is_found() {
    let (system, _, _) = settled_system().await;
    let checker = system.checker();
    for (invariant, plant, undo) in ROWS {
        system.database.arrange(plant).await;
        assert_eq!(broken(&checker).await, [invariant], "{plant}");
        system.database.arrange(undo).await;
        assert_eq!(broken(&checker).await, [], "{undo}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_in_stores_and_answers_is_found() {
    let (system, live, gone) = settled_system().await;
    let checker = system.checker();
    let raw = |sync: &str| system.arf().join("raw").join(sync);

    std::fs::create_dir_all(raw(&gone)).unwrap();
    std::fs::write(raw(&gone).join("late.json"), "{}").unwrap();
    assert_eq!(broken(&checker).await, [Invariant::Fenced], "a blob of a cleanup that is done");
    std::fs::remove_dir_all(raw(&gone)).unwrap();

    let aside = system.arf().join("aside");
    std::fs::rename(raw(&live), &aside).unwrap();
    assert_eq!(broken(&checker).await, [Invariant::Exact], "a live sync without its blobs");
    std::fs::rename(&aside, raw(&live)).unwrap();

    let delete = |status| Delete { path: "/source-connections/x".to_owned(), status, took: Duration::from_secs(1) };
    let late = Delete { took: Duration::from_secs(11), ..delete(404) };
    for (answers, invariant) in [(vec![late], Invariant::Bounded), (vec![delete(200); 2], Invariant::Idempotent)] {
        let checker = Checker { deletes: std::sync::Arc::new(answers.into()), ..checker.clone() };
        assert_eq!(broken(&checker).await, [invariant]);
    }
}
