//! PostgreSQL goes back in time, and what was published is put back (DEL-10).

use std::path::Path;
use std::time::Duration;

use cleanup_worker::ledger::Ledger;
use shared_database::deletion::{Requested, Requester, Subject};
use shared_database::jobs::JobChoice;
use shared_database::{Database, DatabaseError};
use shared_ledger::recover::is_small;
use shared_ledger::{Recovery, RecoveryError, Standing, Watch};
use shared_models::history::LostHistory;
use shared_models::{CleanupId, LeaseOwner, OrganizationId, PublisherId, RequestId, SourceConnectionId, SyncId};
use shared_stores::LedgerStore;
use tempfile::TempDir;
use test_support::KeptDatabase;
use url::Url;
use uuid::Uuid;

use crate::support::dying::dying;
use crate::support::{ORIGIN, Rows, keys, signer};

/// An installation whose ledger is published.
struct Installation {
    rows: Rows,
    folder: TempDir,
}

/// A connection that can be deleted.
#[derive(Debug, Clone, Copy)]
struct Live {
    organization: OrganizationId,
    connection: SourceConnectionId,
    sync: SyncId,
}

impl Installation {
    async fn new() -> Self {
        Self { rows: Rows::new().await, folder: TempDir::new().unwrap() }
    }

    fn store(&self) -> LedgerStore {
        LedgerStore::open(&Url::from_file_path(self.folder.path()).unwrap()).unwrap()
    }

    async fn live(&self) -> Live {
        let sync = SyncId::random();
        self.rows.live(sync).await;
        let sql = "SELECT c.organization_id, c.id FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
                   WHERE s.id = $1";
        let row = self.rows.test.client().await.query_one(sql, &[&sync.0]).await.unwrap();
        Live { organization: OrganizationId(row.get(0)), connection: SourceConnectionId(row.get(1)), sync }
    }

    async fn delete(&self, live: Live) -> CleanupId {
        let requester = Requester { api_key: None, request: RequestId::random(), reference: None };
        let subject = Subject::Connection(live.connection);
        match self.rows.database.request(live.organization, subject, requester).await.unwrap() {
            Requested::Committed { cleanups, .. } => cleanups[0],
            other => panic!("{other:?}"),
        }
    }

    /// A process that has just started publishes what there is.
    async fn publish(&self) {
        let database = self.rows.another_process();
        let (signer, keys, publisher) = (signer(), keys(), PublisherId::random());
        Ledger { database, signer, keys, store: Some(self.store()), publisher }.run().await.unwrap();
    }

    async fn go_back(&self, to: &KeptDatabase) {
        self.rows.test.go_back(to).await;
    }

    fn recovery(&self, database: &Database) -> Recovery {
        Recovery {
            database: database.clone(),
            store: self.store(),
            origin: ORIGIN.parse().unwrap(),
            keys: keys(),
            signer: signer(),
            silence_after: Duration::from_secs(1),
            guard: Duration::ZERO,
            rewrites: true,
        }
    }

    fn watch(&self, database: &Database, is_required: bool) -> Watch {
        Watch::new(database.clone(), self.store(), ORIGIN.parse().unwrap(), is_required).with_keys(keys())
    }

    async fn count(&self, from: &str) -> i64 {
        self.rows.test.count(&format!("SELECT count(*) FROM {from}")).await
    }

    /// So many cleanups that are done, each with a receipt of the ledger's form.
    async fn done(&self, cleanup: CleanupId) {
        // The receipt's content is made by a worker elsewhere; here its form is enough.
        let receipt = Uuid::new_v4();
        self.rows
            .test
            .arrange(&format!(
                "UPDATE cleanup SET state = 'done', completed_at = clock_timestamp() WHERE id = '{cleanup}';
                 WITH told AS (
                     SELECT jsonb_build_object('form', 2, 'receipt_id', '{receipt}'::uuid, 'sync_id', sync_id,
                                'organization_id', organization_id, 'issued_at', ledger_time(clock_timestamp())) AS r,
                            organization_id
                     FROM cleanup WHERE id = '{cleanup}'
                 ), entered AS (
                     INSERT INTO ledger_entry (organization_id, entry)
                     SELECT organization_id, jsonb_build_object('form', 1, 'kind', 'receipt', 'receipt', r) FROM told
                     RETURNING id
                 )
                 INSERT INTO ledger_pending (entry_id) SELECT id FROM entered"
            ))
            .await;
    }
}

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
    assert!(matches!(&standing, Standing::Behind { store, database: 0, .. } if store.size == 3), "{standing:?}");
    assert!(watch.state().unwrap_err().contains("unweave ledger recover"));
    let refused = database.live_syncs(shared_models::CollectionId::random(), None).await;
    assert!(matches!(refused, Err(DatabaseError::HistoryLost(LostHistory::Behind { store: 3, database: 0 }))));

    let recovery = world.recovery(&database);
    let missing = recovery.missing().await.unwrap().unwrap();
    assert_eq!((missing.count(), missing.counts().deleted, missing.counts().receipts), (3, 2, 1));
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
    assert_eq!(standing, Standing::InOrder { store: 3, database: 3 });
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

    let named = Watch::new(world.rows.another_process(), world.store(), "unweave.test/other".parse().unwrap(), false);
    named.begin().await;
    assert!(named.state().unwrap_err().contains("isn't this ledger's"), "{:?}", named.state());
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

#[tokio::test(flavor = "multi_thread")]
async fn del_10_a_recovery_that_dies_anywhere_is_begun_again_and_loses_nothing() {
    let world = Installation::new().await;
    // Over the edge of a tile, so that there is more than one batch.
    let audit = "INSERT INTO ledger_entry (entry)
         SELECT jsonb_build_object('form', 1, 'kind', 'audit', 'at', ledger_time(clock_timestamp()), 'actor', 'operator',
                    'organization_id', NULL, 'action', 'test.made', 'object_id', gen_random_uuid())
         FROM generate_series(1, 400)";
    let first = world.live().await;
    let second = world.live().await;
    let kept = world.rows.test.keep().await;
    let cleanups = [world.delete(first).await, world.delete(second).await];
    world.rows.test.execute(audit).await;
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
