//! What PostgreSQL lost is put back from the ledger store (DEL-10).

use std::path::Path;
use std::time::Duration;

use shared_database::DatabaseError;
use shared_database::api_keys::NewApiKey;
use shared_database::deletion::Subject;
use shared_database::jobs::JobChoice;
use shared_ledger::recover::is_small;
use shared_ledger::{RecoveryError, Standing};
use shared_models::api_key::KeyHash;
use shared_models::history::LostHistory;
use shared_models::ledger::Actor;
use shared_models::{LeaseOwner, SyncId};

use crate::support::dying::dying;
use crate::support::installation::Installation;

async fn files(folder: &Path) -> usize {
    let mut count = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { count += 1 }
        }
    }
    count
}

#[tokio::test]
async fn del_10_what_a_restore_brought_back_goes_again_and_its_cleanup_is_open() {
    let world = Installation::new().await;
    let (kept_live, gone, unknown) = (world.live().await, world.live().await, world.live().await);
    world.publish().await;
    let kept = world.rows.test.keep().await;
    let cleanup = world.delete(gone).await;
    world.done(cleanup).await;
    // One that PostgreSQL, as it was, doesn't know at all.
    world.rows.test.execute(&format!("UPDATE sync SET cursor = '{{}}' WHERE id = '{}'", kept_live.sync)).await;
    let other = world.delete(unknown).await;
    world.publish().await;
    let before = files(world.folder.path()).await;

    world.go_back(&kept).await;
    assert_eq!(world.count("source_connection").await, 3, "everything is back");
    world.rows.test.arrange(&format!("DELETE FROM source_connection WHERE id = '{}'", unknown.connection)).await;
    world.rows.test.execute(&format!("UPDATE sync SET cursor = '{{}}' WHERE id = '{}'", kept_live.sync)).await;
    let database = world.rows.another_process();
    let watch = world.watch(&database, false);
    let standing = watch.look().await.unwrap();
    assert!(matches!(&standing, Standing::Behind { store, database: 0 } if store.size() == 3), "{standing:?}");
    assert!(watch.state().unwrap_err().contains("unweave ledger recover"));
    let refused = database.live_syncs(shared_models::CollectionId::random(), None).await;
    assert!(matches!(refused, Err(DatabaseError::HistoryLost(LostHistory::Behind { store: 3, database: 0 }))));

    let recovery = world.recovery(&database);
    let missing = recovery.missing().await.unwrap().unwrap();
    assert_eq!((missing.count(), missing.counts().deleted, missing.counts().receipts), (3, 2, 1));
    assert!(!missing.is_unsigned() && missing.unsigned_beyond() == 0);
    assert!(is_small(&missing).is_ok());
    let restored = recovery.restored(&missing).await.unwrap();
    assert_eq!(restored.iter().map(|restored| restored.id).collect::<Vec<_>>(), [gone.connection]);
    assert_eq!(world.count("source_connection").await, 2, "looking changes nothing");
    let done = recovery.run(&missing, |_| ()).await.unwrap();
    assert_eq!((done.connections, done.cleanups, done.reopened), (1, 2, 0));

    assert_eq!(world.count("source_connection").await, 1);
    for (live, id) in [(gone, cleanup), (unknown, other)] {
        let open = format!(
            "cleanup WHERE id = '{id}' AND sync_id = '{}' AND source_connection_id = '{}' AND organization_id = '{}'
             AND state = 'scheduled' AND next_attempt_at <= clock_timestamp()",
            live.sync, live.connection, live.organization
        );
        assert_eq!(world.count(&open).await, 1);
    }
    assert_eq!(world.count("sync WHERE cursor IS NOT NULL").await, 0, "every next sync reads everything");
    let standing = watch.look().await.unwrap();
    assert!(matches!(&standing, Standing::InOrder { store, database: 3 } if store.size() == 3), "{standing:?}");
    assert!(watch.state().is_ok() && database.history().lost().is_none());
    assert_eq!(files(world.folder.path()).await, before, "nothing was written into the store");
    assert!(recovery.missing().await.unwrap().is_none());
    world.publish().await;
    let recovered = "ledger_index JOIN ledger_entry ON id = entry_id
                     WHERE index = 3 AND entry->>'kind' = 'audit' AND entry->>'action' = 'ledger.recovered'";
    assert_eq!(world.count(recovered).await, 1);
    assert_eq!(world.count("ledger_checkpoint WHERE published_at IS NOT NULL").await, 2);
}

#[tokio::test]
async fn del_10_collections_and_keys_that_were_deleted_go_again_and_other_changes_are_told() {
    let world = Installation::new().await;
    let (empty, used) = (world.live().await, world.live().await);
    let new = NewApiKey { hash: KeyHash([1; 32]), lifetime: Duration::from_secs(86_400), name: None };
    let key = world.rows.database.create_api_key(used.organization, new, Actor::Operator).await.unwrap();
    world.publish().await;
    let kept = world.rows.test.keep().await;
    for live in [empty, used] {
        world.delete_all_of(live, Subject::Collection(live.collection)).await;
    }
    world.rows.database.delete_api_key(used.organization, key.id, Actor::Operator).await.unwrap().unwrap();
    assert!(world.rows.database.pause_cleanups(Some(used.organization), None).await.unwrap());
    world.publish().await;
    world.go_back(&kept).await;
    // Somebody goes on in what is there again.
    let (new, of) = (uuid::Uuid::new_v4(), used.connection);
    let again = format!(
        "INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config, auth_method,
                                        is_authenticated)
         SELECT '{new}', organization_id, collection_id, short_name, 'new', config, auth_method, is_authenticated
         FROM source_connection WHERE id = '{of}'"
    );
    world.rows.test.execute(&again).await;

    let recovery = world.recovery(&world.rows.another_process());
    let missing = recovery.missing().await.unwrap().unwrap();
    let told: Vec<_> = missing.changes().iter().map(|(what, count)| (what.as_str(), *count)).collect();
    assert_eq!(told, [("api_key.deleted", 1), ("cleanups.paused", 1), ("collection.deleted", 2)]);
    let done = recovery.run(&missing, |_| ()).await.unwrap();
    assert_eq!((done.connections, done.cleanups), (2, 2));
    assert_eq!(world.count("api_key").await, 0);
    assert_eq!(world.count(&format!("deleted_api_key WHERE id = '{}'", key.id)).await, 1, "its name is kept");
    assert_eq!(world.count(&format!("collection WHERE id = '{}'", empty.collection)).await, 0);
    assert_eq!(world.count(&format!("collection WHERE id = '{}'", used.collection)).await, 1, "it is in use");
    assert_eq!(world.count(&format!("source_connection WHERE id = '{new}'")).await, 1);
}

#[tokio::test]
async fn del_10_an_organization_that_was_deleted_goes_again_with_everything() {
    let world = Installation::new().await;
    let (gone, stays) = (world.live().await, world.live().await);
    let new = NewApiKey { hash: KeyHash([1; 32]), lifetime: Duration::from_secs(86_400), name: None };
    world.rows.database.create_api_key(gone.organization, new, Actor::Operator).await.unwrap();
    world.publish().await;
    let kept = world.rows.test.keep().await;
    let database = &world.rows.database;
    assert!(database.begin_organization_deletion(gone.organization).await.unwrap());
    assert!(!database.finish_organization_deletion(gone.organization).await.unwrap(), "it has a collection");
    world.delete_all_of(gone, Subject::Collection(gone.collection)).await;
    assert!(database.finish_organization_deletion(gone.organization).await.unwrap());
    world.publish().await;
    world.go_back(&kept).await;

    let recovery = world.recovery(&world.rows.another_process());
    let missing = recovery.missing().await.unwrap().unwrap();
    recovery.run(&missing, |_| ()).await.unwrap();
    let left = format!("organization WHERE id = '{}'", gone.organization);
    assert_eq!((world.count(&left).await, world.count("api_key").await), (0, 0));
    assert_eq!(world.count(&format!("organization WHERE id = '{}'", stays.organization)).await, 1);
    assert_eq!(world.count("source_connection").await, 1);
}

#[tokio::test]
async fn del_10_a_job_of_a_connection_that_is_back_is_stopped_before_its_rows_go() {
    let world = Installation::new().await;
    let live = world.live().await;
    let kept = world.rows.test.keep().await;
    world.delete(live).await;
    world.publish().await;
    world.go_back(&kept).await;
    // A worker that noticed nothing runs a job.
    let unaware = world.rows.another_process();
    unaware.run_connection(live.connection, false, None).await.unwrap();
    let (owner, ttl) = (LeaseOwner::random(), Duration::from_secs(3));
    let job = unaware.claim_job(JobChoice::PendingFor(Duration::ZERO), owner, ttl).await.unwrap().unwrap();
    let database = world.rows.another_process();
    let recovery = world.recovery(&database);
    let missing = recovery.missing().await.unwrap().unwrap();
    let stopped = format!("sync_job WHERE id = '{}' AND status = 'cancelling'", job.job_id);
    let told = async {
        let soon = Duration::from_secs(20);
        test_support::wait_until("the job is told to stop", soon, async || world.count(&stopped).await == 1).await;
        assert!(!unaware.renew_lease(job.job_id, owner, ttl).await.unwrap());
    };
    let (done, ()) = futures::join!(recovery.run(&missing, |_| ()), told);
    assert_eq!(done.unwrap().connections, 1);
    assert_eq!(world.count("source_connection").await, 0);
    assert_eq!(world.count("cleanup WHERE state = 'scheduled'").await, 1);
}

#[tokio::test]
async fn del_10_what_waited_for_its_place_when_it_was_dumped_is_not_there_twice() {
    let world = Installation::new().await;
    let (first, second) = (world.live().await, world.live().await);
    let early = world.delete(first).await;
    // Dumped between the fact and its place.
    let kept = world.rows.test.keep().await;
    let late = world.delete(second).await;
    world.publish().await;
    world.go_back(&kept).await;
    assert_eq!(world.count("ledger_pending").await, 1);
    let recovery = world.recovery(&world.rows.another_process());
    let missing = recovery.missing().await.unwrap().unwrap();
    let done = recovery.run(&missing, |_| ()).await.unwrap();
    assert_eq!((missing.count(), done.connections, done.cleanups), (2, 1, 1));
    for cleanup in [early, late] {
        let entries =
            format!("ledger_entry JOIN ledger_index ON entry_id = id WHERE entry->>'cleanup_id' = '{cleanup}'");
        assert_eq!(world.count(&entries).await, 1);
    }
    let waiting = "ledger_pending JOIN ledger_entry ON entry_id = id WHERE entry->>'kind' = 'deleted'";
    assert_eq!(world.count(waiting).await, 0);
}

#[tokio::test]
async fn del_10_a_connection_that_was_deleted_once_more_before_the_recovery_keeps_its_newer_cleanup() {
    let world = Installation::new().await;
    let live = world.live().await;
    let kept = world.rows.test.keep().await;
    let older = world.delete(live).await;
    world.publish().await;
    world.go_back(&kept).await;
    let newer = world.delete(live).await;
    assert_ne!(older, newer);
    let recovery = world.recovery(&world.rows.another_process());
    let missing = recovery.missing().await.unwrap().unwrap();
    assert!(recovery.restored(&missing).await.unwrap().is_empty());
    let done = recovery.run(&missing, |_| ()).await.unwrap();
    assert_eq!((done.connections, done.cleanups), (0, 0));
    assert_eq!(world.count(&format!("cleanup WHERE id = '{newer}' AND state = 'scheduled'")).await, 1);
    assert_eq!(world.count("cleanup").await, 1);
    world.publish().await;
    assert!(recovery.missing().await.unwrap().is_none());
    assert_eq!(world.count("ledger_index").await, 3, "both deletions, and the recovery");
}

#[tokio::test]
async fn del_11_a_recovery_from_a_store_that_somebody_altered_is_refused_and_changes_nothing() {
    let world = Installation::new().await;
    let (one, other) = (world.live().await, world.live().await);
    let kept = world.rows.test.keep().await;
    world.delete(one).await;
    world.delete(other).await;
    world.publish().await;
    world.go_back(&kept).await;
    let database = world.rows.another_process();
    let recovery = world.recovery(&database);
    // Another deletion in place of one of them, written as an entry is written.
    let bundle = world.folder.path().join("log/tile/entries/000.p/2");
    let text = std::fs::read_to_string(&bundle).unwrap();
    std::fs::write(&bundle, text.replace(&one.sync.to_string(), &SyncId::random().to_string())).unwrap();
    assert!(matches!(recovery.missing().await, Err(RecoveryError::Altered)));
    // One that changes after it was looked at.
    std::fs::write(&bundle, &text).unwrap();
    let missing = recovery.missing().await.unwrap().unwrap();
    std::fs::write(&bundle, text.replace(&one.connection.to_string(), &other.connection.to_string())).unwrap();
    assert!(matches!(recovery.run(&missing, |_| ()).await, Err(RecoveryError::Altered)));
    assert_eq!(world.count("source_connection").await, 2);
    assert_eq!(world.count("cleanup").await + world.count("ledger_index").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn del_10_a_recovery_that_dies_anywhere_is_begun_again_and_loses_nothing() {
    let world = Installation::new().await;
    // Over the edge of a tile, so that there is more than one batch.
    let first = world.live().await;
    let second = world.live().await;
    let kept = world.rows.test.keep().await;
    let cleanups = [world.delete(first).await, world.delete(second).await];
    world.facts(400).await;
    world.done(cleanups[0]).await;
    world.publish().await;
    let mut polls = 1;
    let mut deaths = 0;
    loop {
        world.go_back(&kept).await;
        let database = world.rows.another_process();
        let recovery = world.recovery(&database);
        let recover = async {
            match recovery.missing().await.unwrap() {
                Some(missing) => recovery.run(&missing, |_| ()).await.map(drop),
                None => Ok(()),
            }
        };
        let ended = dying(polls, recover).await;
        if let Some(outcome) = &ended {
            outcome.as_ref().unwrap();
        } else {
            deaths += 1;
        }
        // Whoever comes after it ends it.
        let again = world.recovery(&world.rows.another_process());
        // What was sent by the one that died may end first.
        test_support::wait_until("nobody holds the sequencer's lock", Duration::from_secs(20), async || {
            world.count("pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await == 0
        })
        .await;
        if let Some(missing) = again.missing().await.unwrap() {
            again.run(&missing, |_| ()).await.unwrap();
        }
        assert!(again.missing().await.unwrap().is_none());
        assert_eq!(world.count("ledger_index").await, 403);
        assert_eq!(world.count("source_connection").await, 0);
        assert_eq!(world.count("cleanup WHERE state = 'scheduled'").await, 2);
        let pending = world
            .count("ledger_pending p JOIN ledger_entry e ON e.id = p.entry_id WHERE entry->>'action' IS DISTINCT FROM 'ledger.recovered' AND entry->>'kind' <> 'superseded'");
        assert_eq!(pending.await, 0, "no entry is there twice");
        if ended.is_some() {
            break;
        }
        polls += 3;
    }
    assert!(deaths > 10, "{deaths} deaths");
}
