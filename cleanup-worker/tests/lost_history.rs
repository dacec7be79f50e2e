//! PostgreSQL goes back in time: every process notices it and stands still (DEL-10).

use std::time::Duration;

use cleanup_worker::ledger::Ledger;
use shared_database::DatabaseError;
use shared_database::jobs::JobChoice;
use shared_ledger::recover::is_small;
use shared_ledger::{RecoveryError, Watch};
use shared_models::history::LostHistory;
use shared_models::{LeaseOwner, PublisherId};
use shared_stores::LedgerStore;
use tempfile::TempDir;
use url::Url;

use crate::support::installation::Installation;
use crate::support::{ORIGIN, keys, signer};

#[tokio::test]
async fn del_10_a_failover_under_a_running_process_stops_its_next_statement_and_little_is_put_back() {
    let world = Installation::new().await;
    let (first, second) = (world.live().await, world.live().await);
    world.delete(first).await;
    world.publish().await;
    let database = world.rows.another_process();
    let watch = world.watch(&database, false).with_recovery(world.recovery(&database));
    watch.begin().await;
    assert!(watch.state().is_ok());
    let kept = world.rows.test.keep().await;
    let cleanup = world.delete(second).await;
    world.publish().await;
    watch.begin().await;

    world.go_back(&kept).await;
    let refused = database.live_syncs(shared_models::CollectionId::random(), None).await;
    // The new session shows that the server isn't what it was: nothing goes on before the store was looked at.
    let lost = LostHistory::Unread;
    assert!(matches!(refused, Err(DatabaseError::HistoryLost(told)) if told == lost), "{refused:?}");
    let claim = database.claim_job(JobChoice::PendingFor(Duration::ZERO), LeaseOwner::random(), Duration::from_secs(9));
    assert!(claim.await.unwrap().is_none());
    assert!(database.fire_schedules(9).await.unwrap().fired.is_empty());
    assert!(watch.state().is_err());

    watch.begin().await;
    assert!(watch.state().is_ok(), "{:?}", watch.state());
    assert_eq!(world.count(&format!("cleanup WHERE id = '{cleanup}' AND state = 'scheduled'")).await, 1);
    assert_eq!(world.count("source_connection").await, 0);
    assert!(database.live_syncs(shared_models::CollectionId::random(), None).await.is_ok());
}

#[tokio::test]
async fn del_10_whoever_starts_behind_waits_for_a_person() {
    let world = Installation::new().await;
    let live = world.live().await;
    let kept = world.rows.test.keep().await;
    world.delete(live).await;
    world.publish().await;
    world.go_back(&kept).await;
    let database = world.rows.another_process();
    let watch = world.watch(&database, false).with_recovery(world.recovery(&database));
    for _ in 0..3 {
        watch.begin().await;
        assert_eq!(database.history().lost(), Some(LostHistory::Behind { store: 1, database: 0 }));
    }
    assert_eq!(world.count("source_connection").await, 1, "it may be a clone that publishes here");
}

#[tokio::test]
async fn a_clone_that_publishes_here_makes_the_original_wait_for_a_person_while_it_runs_and_after_a_restart() {
    let world = Installation::new().await;
    let live = world.live().await;
    world.publish().await;
    let database = world.rows.another_process();
    let watch = world.watch(&database, false).with_recovery(world.recovery(&database));
    watch.begin().await;
    let original = world.rows.test.keep().await;
    // What a copy of the database does under the same settings.
    world.delete(live).await;
    world.publish().await;
    world.go_back(&original).await;

    watch.begin().await;
    let behind = Some(LostHistory::Behind { store: 1, database: 0 });
    assert_eq!(database.history().lost(), behind, "this process never saw more");
    let restarted = world.rows.another_process();
    world.watch(&restarted, false).with_recovery(world.recovery(&restarted)).begin().await;
    assert_eq!(restarted.history().lost(), behind);
    assert_eq!(world.count("source_connection").await, 1, "nothing of ours is deleted by itself");
    // A place in the ledger isn't given meanwhile, so that the two don't fork.
    world.delete(live).await;
    let (signer, keys, publisher) = (signer(), keys(), PublisherId::random());
    let ours = Ledger { database: restarted, signer, keys, store: Some(world.store()), publisher };
    ours.run().await.unwrap();
    assert_eq!(world.count("ledger_index").await, 0);
}

#[tokio::test]
async fn del_10_much_or_old_history_is_never_put_back_by_itself() {
    let world = Installation::new().await;
    world.publish().await;
    let database = world.rows.another_process();
    let audit = |count: u32, at: &str| {
        format!(
            "INSERT INTO ledger_entry (entry)
             SELECT jsonb_build_object('form', 1, 'kind', 'audit', 'at', ledger_time({at}), 'actor', 'operator',
                        'organization_id', NULL, 'action', 'test.made', 'object_id', gen_random_uuid())
             FROM generate_series(1, {count})"
        )
    };
    for (count, at, why) in [
        (1_001, "clock_timestamp()", Some("1001 entries are missing")),
        (1, "clock_timestamp() - interval '25 hours'", Some("older than a day")),
        (1_000, "clock_timestamp() - interval '23 hours'", None),
    ] {
        // What the recovery before said of itself.
        world.publish().await;
        let kept = world.rows.test.keep().await;
        world.rows.test.execute(&audit(count, at)).await;
        world.publish().await;
        world.go_back(&kept).await;
        let recovery = world.recovery(&database);
        let missing = recovery.missing().await.unwrap().unwrap();
        match (is_small(&missing), why) {
            (Ok(()), None) => {}
            (Err(RecoveryError::NotByItself(text)), Some(why)) => assert!(text.contains(why), "{text}"),
            (other, why) => panic!("{other:?} {why:?}"),
        }
        recovery.run(&missing, |_| ()).await.unwrap();
        assert!(recovery.missing().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_fork_and_a_foreign_store_are_told_and_stop_no_search() {
    let world = Installation::new().await;
    let (one, other) = (world.live().await, world.live().await);
    let kept = world.rows.test.keep().await;
    world.delete(one).await;
    world.publish().await;
    world.go_back(&kept).await;
    world.delete(other).await;
    // Places are given by somebody who publishes nowhere.
    let apart = TempDir::new().unwrap();
    let elsewhere = Installation { rows: world.rows, folder: apart };
    elsewhere.publish().await;
    let world = Installation { rows: elsewhere.rows, folder: world.folder };
    let database = world.rows.another_process();
    let watch = world.watch(&database, true);
    assert!(database.history().lost() == Some(LostHistory::Unread), "nothing starts before the store was read");
    watch.begin().await;
    assert!(watch.state().unwrap_err().contains("contradict"), "{:?}", watch.state());
    assert!(database.live_syncs(shared_models::CollectionId::random(), None).await.is_ok());
    assert!(matches!(world.recovery(&database).missing().await, Err(RecoveryError::Fork { store: 1, database: 1 })));
    assert_eq!(world.count("source_connection").await, 1, "nothing is deleted for it");

    let database = world.rows.another_process();
    let named = Watch::new(database.clone(), world.store(), "unweave.test/other".parse().unwrap(), false);
    named.begin().await;
    assert!(named.state().unwrap_err().contains("isn't this ledger's"), "{:?}", named.state());
    assert!(database.live_syncs(shared_models::CollectionId::random(), None).await.is_ok());
    // Nor for good, once PostgreSQL is another one than before.
    let kept = world.rows.test.keep().await;
    world.go_back(&kept).await;
    assert!(database.live_syncs(shared_models::CollectionId::random(), None).await.is_err());
    named.begin().await;
    assert!(database.live_syncs(shared_models::CollectionId::random(), None).await.is_ok());
}

#[tokio::test]
async fn a_store_that_is_away_stops_nothing_unless_it_is_required() {
    let world = Installation::new().await;
    let missing = Url::from_file_path(world.folder.path().join("not-mounted")).unwrap();
    for (is_required, stops) in [(false, false), (true, true)] {
        let database = world.rows.another_process();
        let store = LedgerStore::open_to_read(&missing).unwrap();
        let watch = Watch::new(database.clone(), store, ORIGIN.parse().unwrap(), is_required);
        watch.begin().await;
        assert_eq!(database.live_syncs(shared_models::CollectionId::random(), None).await.is_err(), stops);
        assert_eq!(watch.state().is_err(), stops);
    }
    // It goes away later, and nothing stops.
    let database = world.rows.another_process();
    let watch = world.watch(&database, true);
    watch.begin().await;
    let (here, away) = (world.folder.path().join("log"), world.folder.path().join("away"));
    std::fs::rename(&here, &away).unwrap();
    watch.begin().await;
    assert!(watch.state().is_ok() && database.history().lost().is_none());
    std::fs::rename(&away, &here).unwrap();
    // It comes back.
    let database = world.rows.another_process();
    let watch =
        Watch::new(database.clone(), LedgerStore::open_to_read(&missing).unwrap(), ORIGIN.parse().unwrap(), true);
    watch.begin().await;
    LedgerStore::open(&missing).unwrap();
    watch.begin().await;
    assert!(watch.state().is_ok() && database.history().lost().is_none());
}
