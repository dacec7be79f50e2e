//! Every step run twice has the effect of one, and a worker may die after any step (DEL-6).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cleanup_worker::end::End;
use cleanup_worker::heartbeat::ClaimTimes;
use cleanup_worker::machine::Step;
use cleanup_worker::targets::{KNOWN, Stores};
use cleanup_worker::work::{AttemptError, Purge, Worker};
use shared_database::cleanups::{ClaimedCleanup, PurgeSchedule};
use shared_models::invariant::facts::Idempotent;
use shared_models::{CleanupId, CleanupWork, Facts as _, PurgeTarget, SyncId};
use shared_service::{Bell, Tasks};
use shared_stores::VespaClient;
use test_support::wait_until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;
use url::Url;

use crate::support::{SOON, World, policy, signer};

pub fn worker(world: &World) -> Worker {
    Worker {
        database: world.rows.database.clone(),
        stores: Stores::new(world.vespa.clone(), world.arf.clone()),
        signer: signer(),
        to_ledger: Bell::default(),
        policy: policy(),
        tasks: Tasks::new(),
    }
}

/// What a worker claimed.
#[derive(Clone)]
pub struct Claimed(pub CleanupWork, pub ClaimedCleanup);

/// Claims what is due, whatever work it needs.
pub async fn claim(world: &World) -> Claimed {
    let (ttl, always) = (Duration::from_secs(60), PurgeSchedule::default());
    let mut claimed = None;
    wait_until("a row is due", SOON, async || {
        let (database, now) = (&world.rows.database, &mut claimed);
        if let Some(cleanup) = database.claim_look(ttl, KNOWN).await.unwrap() {
            *now = Some(Claimed(CleanupWork::Look, cleanup));
        } else if let Some(cleanup) = database.claim_purge(ttl, KNOWN, &always).await.unwrap() {
            *now = Some(Claimed(CleanupWork::Purge, cleanup));
        }
        now.is_some()
    })
    .await;
    claimed.unwrap()
}

/// The work of one claim, whole.
pub async fn work(worker: &Worker, Claimed(work, cleanup): Claimed) -> End {
    match work {
        CleanupWork::Look => worker.look(vec![cleanup], Instant::now()).await.remove(0),
        CleanupWork::Purge => worker.purge(cleanup, Instant::now()).await,
    }
}

async fn world_with_a_cleanup() -> (World, SyncId, CleanupId) {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 200).await;
    world.capture(sync, 20).await;
    let id = world.rows.cleanup_of(sync).await;
    (world, sync, id)
}

async fn assert_done_once(world: &World, sync: SyncId, id: CleanupId, blobs: u64) {
    assert_eq!(world.rows.state(id).await, "done");
    assert_eq!((world.documents(sync).await, world.blobs(sync).await), (0, 0));
    let (receipts, ends) = (world.rows.receipts(id).await.len(), world.rows.events("CleanupCompleted").await);
    let (receipts, ends) = (receipts.try_into().unwrap(), ends.try_into().unwrap());
    Idempotent { owners: 0, cleanups: 1, receipts, ends }.check().unwrap();
    let receipt = world.rows.receipt(id).await;
    let found = |target| (receipt.targets[&target].found, receipt.targets[&target].rounds);
    assert_eq!((found(PurgeTarget::Vespa), found(PurgeTarget::Arf)), ((200, 1), (blobs, 1)));
}

/// Runs the purge to its end; before each step a clone runs the same step, as a worker would have that died before it
/// could remember that it had.
async fn run_each_step_twice(purge: &mut Purge<'_>, seen: &mut BTreeSet<String>) -> End {
    loop {
        seen.insert(format!("{:?}", purge.next()));
        let once = purge.clone().step().await.unwrap();
        match purge.step().await {
            Ok(None) => assert_eq!(once, None),
            Ok(Some(end)) => panic!("{end:?} happened twice"),
            // The first run gave the claim away: the second has no power any more.
            Err(AttemptError::Lost) => return once.unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn del_6_every_step_run_twice_has_the_effect_of_one() {
    let (world, sync, id) = world_with_a_cleanup().await;
    world.capture(sync, 1_200).await;
    let (worker, mut seen) = (worker(&world), BTreeSet::new());
    loop {
        let claimed = claim(&world).await;
        let end = if claimed.0 == CleanupWork::Look {
            let once = work(&worker, claimed.clone()).await;
            assert_eq!(work(&worker, claimed).await, End::Lost, "the second has no power any more");
            once
        } else {
            run_each_step_twice(&mut Purge::new(&worker, &claimed.1, Instant::now()), &mut seen).await
        };
        seen.insert(format!("{end:?}"));
        if end == End::Done {
            break;
        }
    }
    assert_done_once(&world, sync, id, 1_200).await;
    let steps = PurgeTarget::ALL.iter().map(|target| format!("{:?}", Step::Purge(*target)));
    let ends = [End::Found, End::Emptied, End::Settled, End::Done].map(|end| format!("{end:?}"));
    let every: BTreeSet<String> = steps.chain(ends).chain([format!("{:?}", Step::Count(PurgeTarget::Arf))]).collect();
    assert!(every.is_subset(&seen), "every step there is was repeated: {seen:?}");
}

#[tokio::test]
async fn del_5_a_worker_may_die_after_any_step() {
    let (world, sync, id) = world_with_a_cleanup().await;
    let worker = worker(&world);
    let mut steps = 0;
    loop {
        // One step further before each death, so that every step is the last of one worker.
        steps += 1;
        assert!(steps < 30, "it gets further with each worker");
        let Claimed(kind, cleanup) = claim(&world).await;
        let mut end = None;
        if kind == CleanupWork::Look {
            // Claimed, and dead: or alive to the end.
            if steps % 2 == 0 {
                end = Some(work(&worker, Claimed(kind, cleanup)).await);
            }
        } else {
            let mut purge = Purge::new(&worker, &cleanup, Instant::now());
            for _ in 0..steps {
                end = purge.step().await.unwrap();
                if end.is_some() {
                    break;
                }
            }
        }
        if end == Some(End::Done) {
            break;
        }
        world.rows.set(id, "claim_expires_at = NULL, next_attempt_at = clock_timestamp()").await;
    }
    assert_done_once(&world, sync, id, 20).await;
}

#[tokio::test]
async fn del_6_two_holders_at_once_write_one_receipt() {
    let (world, sync, id) = world_with_a_cleanup().await;
    let worker = Arc::new(worker(&world));
    loop {
        let first = claim(&world).await;
        // The claim runs out while its holder still works; the next one takes the row.
        world.rows.set(id, "claim_expires_at = clock_timestamp() - interval '1 second'").await;
        let second = claim(&world).await;
        let ends = futures::join!(work(&worker, first), work(&worker, second));
        assert!(matches!(ends.0, End::Lost), "{:?}", ends.0);
        if ends.1 == End::Done {
            break;
        }
        assert!(matches!(ends.1, End::Found | End::Emptied | End::Settled), "{:?}", ends.1);
    }
    assert_done_once(&world, sync, id, 20).await;
}

#[tokio::test]
async fn a_long_purge_yields_its_slot_only_while_others_wait() {
    let (world, sync, id) = world_with_a_cleanup().await;
    let mut worker = worker(&world);
    assert_eq!(work(&worker, claim(&world).await).await, End::Found);
    worker.policy.yield_after = Duration::ZERO;
    let waiting = world.rows.cleanup_of(SyncId::random()).await;
    world.rows.set(waiting, "next_work = 'purge'").await;
    let claimed = claim(&world).await;
    assert_eq!(claimed.1.claim.cleanup_id, id);
    assert_eq!(work(&worker, claimed).await, End::Released);
    assert_eq!((world.rows.state(id).await.as_str(), world.documents(sync).await), ("scheduled", 200));
    assert_eq!(world.rows.column(id, "attempts").await, "0");
    let other = claim(&world).await;
    assert_eq!(other.1.claim.cleanup_id, waiting, "the one that gave way is the last in the queue");
    assert_eq!(work(&worker, claim(&world).await).await, End::Emptied);
}

/// A Vespa that answers every query with this, over HTTP/1.1.
async fn vespa_that_answers(tasks: &Tasks, body: &'static str) -> VespaClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tasks.spawn("canned Vespa", async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The queries are small enough to come in one piece.
            let _asked = stream.read(&mut [0; 8_192]).await.unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    VespaClient::builder(&url).http1().build().unwrap()
}

#[tokio::test]
async fn a_zero_that_cannot_be_trusted_never_ends_a_cleanup() {
    const PARTIAL: &str = r#"{"root":{"fields":{"totalCount":0},
        "coverage":{"full":false,"coverage":100,"results":5,"resultsFull":4,"degraded":{"timeout":true}}}}"#;
    const FOUR_OF_FIVE: &str = r#"{"root":{"fields":{"totalCount":0},
        "coverage":{"full":true,"coverage":100,"results":4,"resultsFull":4}}}"#;
    const WITH_ERRORS: &str = r#"{"root":{"fields":{"totalCount":0},"errors":[{"code":12,"summary":"Timed out"}],
        "coverage":{"full":true,"coverage":100,"results":5,"resultsFull":5}}}"#;
    let (world, sync, id) = world_with_a_cleanup().await;
    // Blobs would be removed meanwhile.
    assert!(world.arf.purge(sync, SOON).await.is_exhausted().unwrap());
    let mut worker = worker(&world);
    for answer in [PARTIAL, FOUR_OF_FIVE, WITH_ERRORS] {
        let vespa = vespa_that_answers(&worker.tasks, answer).await;
        worker.stores = Stores::new(vespa, world.arf.clone());
        for state in ["scheduled", "purging", "settling"] {
            world.rows.set(id, &format!("state = '{state}', next_attempt_at = clock_timestamp()")).await;
            let end = work(&worker, claim(&world).await).await;
            assert_eq!(end, End::Failed, "{state}: {answer}");
            assert_eq!(world.rows.column(id, "error_code").await, "vespa_untrustworthy");
        }
    }
    assert_eq!((world.rows.state(id).await.as_str(), world.rows.receipts(id).await.len()), ("scheduled", 0));
}

#[tokio::test]
async fn a_look_asks_the_other_store_too_where_one_gets_nowhere() {
    let (world, sync, id) = world_with_a_cleanup().await;
    world
        .rows
        .set(
            id,
            r#"progress = '{"vespa": {"found": 200, "removed": 0, "rounds": 1, "round": {"ended_in_vain": true}}}'"#,
        )
        .await;
    let mut worker = worker(&world);
    worker.policy.retry_base = Duration::from_millis(1);
    assert_eq!(work(&worker, claim(&world).await).await, End::Failed);
    let known = "error_code || ' ' || (progress->'arf'->>'found') || ' ' || (progress->'arf'->>'round_open')";
    assert_eq!(world.rows.column(id, known).await, "vespa_no_headway 20 true");
    assert_eq!(work(&worker, claim(&world).await).await, End::Found);
    assert_eq!(work(&worker, claim(&world).await).await, End::Emptied);
    assert_eq!((world.documents(sync).await, world.blobs(sync).await), (0, 0));
}

#[tokio::test]
async fn times_of_100_years_overflow_nothing() {
    let world = World::new().await;
    let id = world.rows.cleanup_of(SyncId::random()).await;
    world.rows.set(id, "writer_end = 'lease'").await;
    let (mut worker, longest) = (worker(&world), shared_service::settings::LONGEST_TIME);
    worker.policy.claim = ClaimTimes { ttl: longest, renewal: longest / 3 };
    (worker.policy.retry_base, worker.policy.retry_longest) = (longest, longest);
    (worker.policy.schedule.settle_delay, worker.policy.late_write_check) = (longest, Duration::MAX);
    assert_eq!(work(&worker, claim(&world).await).await, End::Settled);
    let in_time = async |column| world.rows.column(id, &format!("{column} > now() + interval '99 years'")).await;
    assert_eq!(in_time("next_attempt_at").await, "true");
    world.rows.set(id, "next_attempt_at = clock_timestamp()").await;
    // No receipt names a delay that hasn't passed.
    worker.policy.schedule.settle_delay = Duration::from_millis(1);
    assert_eq!(work(&worker, claim(&world).await).await, End::Done);
    assert_eq!(in_time("check_again_at").await, "true");

    let failing = world.rows.cleanup_of(SyncId::random()).await;
    worker.stores = Stores::new(vespa_that_answers(&worker.tasks, "{}").await, world.arf.clone());
    assert_eq!(work(&worker, claim(&world).await).await, End::Failed);
    assert!(!world.rows.column(failing, "failing_since").await.is_empty());
}
