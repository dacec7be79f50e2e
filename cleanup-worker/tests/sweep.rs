//! The sweep for orphans: what has a tombstone is purged again, what is unknown is told, what lives is left alone.

use std::process::Command;
use std::time::Duration;

use cleanup_worker::ledger::Ledger;
use serde_json::{Value, json};
use shared_database::orphans::Sorted;
use shared_models::{CleanupId, PublisherId, SweepOwner, SyncId};
use shared_stores::LedgerStore;
use shared_sweep::{Report, Sweep, SweepError};
use test_support::{service_binary, wait_until};
use url::Url;

use crate::support::installation::facts;
use crate::support::{SOON, World, keys, signer};

fn sweep(world: &World) -> Sweep {
    Sweep { database: world.rows.database.clone(), vespa: world.vespa.clone(), arf: world.arf.clone() }
}

/// Rows as a cleanup leaves them that is done.
async fn done(world: &World, id: CleanupId) {
    let at = "clock_timestamp() - interval '1 hour'";
    let progress = "jsonb_build_object('vespa', jsonb_build_object('found', 1, 'removed', 1, 'rounds', 1,
        'verified_empty_at', clock_timestamp() - interval '1 hour'))";
    let progress = format!("{progress} || jsonb_build_object('arf', ({progress})->'vespa')");
    world.rows.set(id, &format!("state = 'done', completed_at = {at}, progress = {progress}")).await;
}

async fn orphans(world: &World) -> Vec<(SyncId, i64, bool, i32)> {
    let orphans = world.rows.database.orphans(0, 100).await.unwrap();
    orphans.iter().map(|orphan| (orphan.sync_id, orphan.documents, orphan.has_blobs, orphan.sweeps)).collect()
}

/// Six syncs: one that lives, one being cleaned up, one that is done and came back, one in each store alone that nobody
/// knows, one in both.
struct Six {
    live: SyncId,
    returned: (SyncId, CleanupId),
    open: (SyncId, CleanupId),
    unknown: [SyncId; 3],
}

impl Six {
    async fn new(world: &World) -> Self {
        let new = SyncId::random;
        let (live, returned, open, unknown) = (new(), new(), new(), [new(), new(), new()]);
        world.rows.live(live).await;
        for (sync, documents, blobs) in [
            (live, 20, 10),
            (returned, 9, 0),
            (open, 3, 0),
            (unknown[0], 7, 0),
            (unknown[1], 0, 10),
            (unknown[2], 15, 10),
        ] {
            world.feed(sync, documents).await;
            if blobs > 0 {
                world.capture(sync, blobs).await;
            }
        }
        let (returned_id, open_id) = (world.rows.cleanup_of(returned).await, world.rows.cleanup_of(open).await);
        done(world, returned_id).await;
        Self { live, returned: (returned, returned_id), open: (open, open_id), unknown }
    }

    fn expected(&self, sweeps: i32) -> Vec<(SyncId, i64, bool, i32)> {
        let [first, second, third] = self.unknown;
        let mut expected = vec![(first, 7, false, sweeps), (second, 0, true, sweeps), (third, 15, true, sweeps)];
        expected.sort_unstable();
        expected
    }
}

#[tokio::test]
async fn what_has_a_tombstone_is_opened_again_and_what_nobody_knows_is_noted() {
    let world = World::new().await;
    let six = Six::new(&world).await;
    let report = sweep(&world).run().await.unwrap();
    // In pages with a purge key and without, and in two stores.
    assert!(report.sorted.live >= 2 && report.sorted.orphans >= 4, "{report:?}");
    assert_eq!((report.sorted.reopened, report.unreadable, report.is_cut), (1, 0, false));
    assert_eq!(world.rows.state(six.returned.1).await, "scheduled");
    assert_eq!(world.rows.column(six.returned.1, "next_work").await, "look");
    assert_eq!(world.rows.column(six.open.1, "claim").await, "0", "an open one is left to its work");
    let mut noted = orphans(&world).await;
    noted.sort_unstable();
    assert_eq!(noted, six.expected(1));

    let again = sweep(&world).run().await.unwrap();
    assert_eq!(again.sorted.reopened, 0);
    let mut noted = orphans(&world).await;
    noted.sort_unstable();
    assert_eq!(noted, six.expected(2), "counted anew, not added up");

    let _worker = world.worker(&[("ORPHAN_SWEEP_INTERVAL", "none")]);
    world.rows.wait_for_state(six.returned.1, "done").await;
    world.rows.wait_for_state(six.open.1, "done").await;
    assert_eq!(world.documents(six.returned.0).await + world.documents(six.open.0).await, 0);
    for sync in six.unknown {
        assert!(world.documents(sync).await + world.blobs(sync).await > 0, "nobody said that these may go");
    }
    assert_eq!((world.documents(six.live).await, world.blobs(six.live).await), (20, 10));
}

#[tokio::test]
async fn what_was_verified_empty_after_the_list_began_is_not_opened_again() {
    let world = World::new().await;
    let sync = SyncId::random();
    let id = world.rows.cleanup_of(sync).await;
    done(&world, id).await;
    let owner = SweepOwner::random();
    let began = world.rows.database.hold_sweep(owner, SOON).await.unwrap().unwrap();
    let verified = "progress || jsonb_build_object('vespa', progress->'vespa'
        || jsonb_build_object('verified_empty_at', clock_timestamp()))";
    world.rows.set(id, &format!("progress = {verified}")).await;
    let sort = async |target| world.rows.database.sort_found(target, &[(sync, 3)], began).await.unwrap();
    assert_eq!(sort(shared_models::PurgeTarget::Vespa).await, Sorted::default());
    assert_eq!(world.rows.state(id).await, "done");
    assert_eq!(sort(shared_models::PurgeTarget::Arf).await.reopened, 1, "the other store wasn't");
}

#[tokio::test]
async fn del_4_a_tombstone_beside_a_live_row_is_no_proof() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 5).await;
    let id = world.rows.cleanup_of(sync).await;
    done(&world, id).await;
    world.rows.live(sync).await;
    let report = sweep(&world).run().await.unwrap();
    assert_eq!((report.sorted.reopened, report.sorted.orphans), (0, 0));
    assert_eq!((world.rows.state(id).await.as_str(), world.documents(sync).await), ("done", 5));
}

#[tokio::test]
async fn one_sweep_at_a_time_and_a_dead_ones_lease_runs_out() {
    let world = World::new().await;
    let (first, second) = (SweepOwner::random(), SweepOwner::random());
    let database = &world.rows.database;
    assert!(database.hold_sweep(first, Duration::from_secs(60)).await.unwrap().is_some());
    assert!(database.hold_sweep(second, Duration::from_secs(60)).await.unwrap().is_none());
    assert!(matches!(sweep(&world).run().await, Err(SweepError::Another)));
    assert!(database.hold_sweep(first, Duration::ZERO).await.unwrap().is_some(), "renewed by its owner");
    assert_eq!(sweep(&world).run().await.unwrap(), Report::default());
    assert!(database.hold_sweep(second, SOON).await.unwrap().is_some(), "given back at its end");
}

#[tokio::test]
async fn a_sweep_that_fails_gives_its_lease_back_and_forgets_nothing() {
    let mut world = World::new().await;
    let six = Six::new(&world).await;
    sweep(&world).run().await.unwrap();
    world.standin.service().kill();
    assert!(matches!(sweep(&world).run().await, Err(SweepError::Vespa(_))));
    assert_eq!(orphans(&world).await.len(), 3);
    world.standin.restart().await;
    std::fs::rename(world.arf_folder.path().join("raw"), world.arf_folder.path().join("away")).unwrap();
    assert!(matches!(sweep(&world).run().await, Err(SweepError::Arf(_))));
    assert_eq!(orphans(&world).await.len(), 3);
    std::fs::rename(world.arf_folder.path().join("away"), world.arf_folder.path().join("raw")).unwrap();
    // One of them became a sync after all, the way a restored row would.
    world.rows.live(six.unknown[0]).await;
    sweep(&world).run().await.unwrap();
    assert_eq!(orphans(&world).await.len(), 2, "what is no orphan any more is forgotten");
}

#[tokio::test]
async fn workers_sweep_by_themselves_and_purge_orphans_only_if_told_to_and_only_few() {
    let world = World::new().await;
    let six = Six::new(&world).await;
    world.rows.set(six.open.1, "state = 'done', completed_at = clock_timestamp()").await;
    let settings = [("ORPHAN_SWEEP_INTERVAL", "300ms"), ("ORPHAN_MIN_AGE", "1ms"), ("ORPHAN_PURGE", "true")];
    world.expects.event("orphans are not purged: somebody must look");
    let (_worker, admin) = world.ready_worker(&settings).await;
    let refused = async || world.metric(&admin, "unweave_orphans_refused_total").await;
    wait_until("three of four are too many", SOON, async || refused().await > 2.5).await;
    assert_eq!(world.rows.test.count("SELECT count(*) FROM cleanup WHERE origin = 'orphan'").await, 0);
    assert!(world.metric(&admin, "unweave_orphans").await > 2.5);
    for _ in 0..30 {
        world.rows.live(SyncId::random()).await;
    }
    for sync in six.unknown {
        let gone = async || world.documents(sync).await + world.blobs(sync).await == 0;
        wait_until("the orphan is purged", SOON, gone).await;
    }
    let left = "SELECT count(*) FROM cleanup WHERE origin = 'orphan' AND state <> 'done'";
    wait_until("their cleanups are done", SOON, async || world.rows.test.count(left).await == 0).await;
    let made = "SELECT count(*) FROM cleanup JOIN receipt ON cleanup_id = cleanup.id
                WHERE origin = 'orphan' AND organization_id = '00000000-0000-0000-0000-000000000000'";
    assert_eq!(world.rows.test.count(made).await, 3, "they are nobody's, and have their receipts");
    assert!(world.metric(&admin, "unweave_orphans_purged_total").await > 2.5);
    assert_eq!((world.documents(six.live).await, world.blobs(six.live).await), (20, 10));
    wait_until("the one that came back is gone", SOON, async || world.documents(six.returned.0).await == 0).await;
}

/// What `unweave sweep` answers, and its exit code.
fn operate(world: &World, words: &[&str]) -> (Option<i32>, Value) {
    let environment = world.environment(&[]);
    let needed = ["DATABASE_URL", "VESPA_URL", "ARF_URL", "LEDGER_URL", "LEDGER_ORIGIN"];
    let needed = needed.map(|name| (name, environment[name].clone()));
    let mut unweave = Command::new(service_binary("unweave"));
    let output = unweave.arg("sweep").args(words).args(["--output", "json"]).envs(needed).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn an_operator_sees_orphans_first_and_purges_them_then() {
    let world = World::new().await;
    let six = Six::new(&world).await;
    let run = |words: &[&str]| operate(&world, words);
    let (code, before) = run(&["report"]);
    assert_eq!((code, &before["last_sweep_at"], &before["orphans"]), (Some(0), &Value::Null, &json!(0)));
    let (code, unread) = run(&["run"]);
    let why = unread["text"].as_str().unwrap();
    assert!(code == Some(3) && why.contains("can't be compared"), "a ledger store that isn't there: {unread}");
    std::fs::create_dir(world.ledger_folder.path().join("log")).unwrap();
    let (code, found) = run(&["run"]);
    assert_eq!(
        (code, &found["orphans"], &found["ripe"], &found["purged"]),
        (Some(0), &json!(3), &json!(0), &Value::Null)
    );
    assert_eq!(found["swept"]["reopened"], 1);
    for (sync, documents, blobs) in [(six.unknown[0], 7, false), (six.unknown[1], 0, true), (six.unknown[2], 15, true)]
    {
        let listed =
            found["listed"].as_array().unwrap().iter().find(|orphan| orphan["sync_id"] == json!(sync)).unwrap();
        let expected = (&json!(documents), &json!(blobs), &json!(1));
        assert_eq!((&listed["documents"], &listed["has_blobs"], &listed["sweeps"]), expected);
    }
    let (code, found) = run(&["run", "--purge"]);
    assert_eq!((code, &found["purged"]), (Some(0), &json!(0)), "none was found by two sweeps a day apart");
    let young = ["run", "--purge", "--min-age", "1ms"];
    let (code, refused) = run(&young);
    let why = refused["text"].as_str().unwrap();
    assert!(code == Some(1) && why.contains("more than a tenth of all syncs would go"), "{refused}");
    let (code, asked) = run(&[&young[..], &["--force"]].concat());
    assert!(code == Some(2) && asked["text"].as_str().unwrap().contains("--yes"), "{asked}");
    let (code, purged) = run(&[&young[..], &["--force", "--yes"]].concat());
    assert_eq!((code, &purged["purged"]), (Some(0), &json!(3)));
    let _worker = world.worker(&[("ORPHAN_SWEEP_INTERVAL", "none")]);
    let left = "SELECT count(*) FROM cleanup WHERE state <> 'done'";
    wait_until("all cleanups are done", SOON, async || world.rows.test.count(left).await == 0).await;
    assert_eq!((world.documents(six.live).await, world.blobs(six.live).await), (20, 10));
    let (code, found) = run(&["run", "--limit", "0"]);
    assert_eq!((code, &found["orphans"], &found["listed"]), (Some(0), &json!(0), &json!([])));
    let (code, report) = run(&["report"]);
    assert!(code == Some(0) && report["last_sweep_at"].is_string(), "{report}");
}

#[tokio::test]
async fn del_10_nothing_is_swept_by_hand_while_postgresql_has_less_than_the_ledger_store() {
    let world = World::new().await;
    world.rows.live(SyncId::random()).await;
    let kept = world.rows.test.keep().await;
    world.rows.test.execute(&facts(1)).await;
    let store = LedgerStore::open(&Url::from_file_path(world.ledger_folder.path()).unwrap()).unwrap();
    let (database, publisher) = (world.rows.another_process(), PublisherId::random());
    Ledger { database, signer: signer(), keys: keys(), store: Some(store), publisher }.run().await.unwrap();
    world.rows.test.go_back(&kept).await;
    let (code, refused) = operate(&world, &["run", "--purge", "--force", "--yes"]);
    assert_eq!((code, &refused["reason"]), (Some(1), &json!("history")), "{refused}");
    assert_eq!(world.rows.test.count("SELECT count(*) FROM orphan_sweep WHERE last_began_at IS NOT NULL").await, 0);
}
