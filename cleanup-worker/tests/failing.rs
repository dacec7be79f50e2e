//! Since when a cleanup has been failing: from the first failure without headway until something is removed or found
//! empty.

use std::collections::BTreeMap;
use std::time::Duration;

use shared_database::cleanups::Claim;
use shared_models::{CleanupId, PurgeTarget, SyncId, TargetsProgress};
use test_support::{Fault, wait_until};

use crate::claims::window;
use crate::support::{Rows, SOON, World};

const TTL: Duration = Duration::from_secs(60);
const NONE: TargetsProgress = BTreeMap::new();

async fn claim(rows: &Rows) -> Claim {
    rows.database.claim_look(TTL, PurgeTarget::ALL).await.unwrap().expect("a due row").claim
}

/// What the row says of its failures: since when, how many, the code and the words of the last.
async fn failures(rows: &Rows, id: CleanupId) -> [String; 4] {
    [
        rows.column(id, "failing_since").await,
        rows.column(id, "attempts").await,
        rows.column(id, "error_code").await,
        rows.column(id, "error_text").await,
    ]
}

/// Claims the row and fails, for the `attempts`th time in a row.
async fn fail(rows: &Rows, attempts: u32) {
    let claim = claim(rows).await;
    rows.database.fail_attempt(claim, &NONE, attempts, "code", "words", Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_row_of_failures_begins_with_its_first_and_ends_with_headway() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    let none = ["", "0", "", ""].map(str::to_owned);
    assert_eq!(failures(&rows, id).await, none);
    fail(&rows, 1).await;
    let [since, ..] = failures(&rows, id).await;
    assert!(!since.is_empty());
    fail(&rows, 2).await;
    assert_eq!(failures(&rows, id).await, [since.as_str(), "2", "code", "words"]);

    // A look is no headway: what holds something that can't be removed would never be seen failing.
    let held = claim(&rows).await;
    rows.database.save_progress(held, &NONE).await.unwrap();
    assert_eq!(failures(&rows, id).await[0], since);
    rows.database.save_headway(held, &NONE).await.unwrap();
    assert_eq!(failures(&rows, id).await, none);
    rows.database.fail_attempt(held, &NONE, 1, "code", "words", Duration::ZERO).await.unwrap();
    let [later, ..] = failures(&rows, id).await;
    assert!(later > since, "{later} {since}");

    let held = claim(&rows).await;
    rows.database.settle(held, &NONE, Duration::ZERO).await.unwrap();
    assert_eq!(failures(&rows, id).await, none);
}

/// A worker of the version before counts failures and doesn't say since when; after it, a time may stand there that
/// means nothing.
#[tokio::test]
async fn a_worker_of_the_version_before_does_no_harm() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    let stale = "2020-02-03 04:05:06+00";
    rows.set(id, &format!("failing_since = '{stale}'")).await;
    assert!(rows.database.cleanup_stats().await.unwrap().oldest_failing_age_seconds < 1.0, "nothing is failing");
    fail(&rows, 1).await;
    assert!(failures(&rows, id).await[0].as_str() > stale);
    rows.set(id, "failing_since = NULL, attempts = 7, modified_at = clock_timestamp() - interval '1 hour'").await;
    let age = rows.database.cleanup_stats().await.unwrap().oldest_failing_age_seconds;
    assert!((3600.0..3660.0).contains(&age), "at least since its last change: {age}");
    fail(&rows, 8).await;
    assert!(!failures(&rows, id).await[0].is_empty());
}

#[tokio::test]
async fn a_worker_tells_since_when_it_fails_and_shows_the_oldest() {
    let mut world = World::new().await;
    let id = world.rows.cleanup_of(SyncId::random()).await;
    world.expects.fault(Fault::VespaAway);
    world.standin.service().kill();
    let address = format!("127.0.0.1:{}", test_support::free_port());
    let mut worker = world.worker(&[("ADMIN_LISTEN", &address)]);
    worker.wait_until_ready(&format!("http://{address}/health"), SOON).await;
    let rows = &world.rows;
    wait_until("it has failed", SOON, async || !failures(rows, id).await[0].is_empty()).await;
    let [since, ..] = failures(rows, id).await;
    wait_until("it has failed again", SOON, async || {
        failures(rows, id).await[1].parse::<u32>().is_ok_and(|attempts| attempts >= 3)
    })
    .await;
    assert_eq!(failures(rows, id).await[0], since, "since the first");
    let admin = format!("http://{address}");
    let failing = "unweave_cleanups_by_status{status=\"failing\"}";
    let age = "unweave_cleanup_oldest_failing_age_seconds";
    assert!(world.metric(&admin, failing).await > 0.5 && world.metric(&admin, age).await > 0.0);
    world.standin.restart().await;
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(failures(&world.rows, id).await, ["", "0", "", ""].map(str::to_owned));
    assert!(world.metric(&admin, failing).await < 0.5 && world.metric(&admin, age).await < 0.001);
}

#[tokio::test]
async fn a_worker_tells_its_hours_so_that_others_know_why_a_cleanup_waits() {
    let world = World::new().await;
    let hours = window(&world.rows, 3_600, 7_200).await.windows[0];
    let time = |second: u32| format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    let windows = format!("{}-{}", time(hours.from), time(hours.to));
    let waiting = "unweave_cleanups_by_status{status=\"waiting\",waiting_for=\"hours\"}";
    let (mut resting, admin) = world.ready_worker(&[("CLEANUP_ALLOWED_HOURS", &windows)]).await;
    let sync = SyncId::random();
    world.feed(sync, 3).await;
    let id = world.rows.cleanup_of(sync).await;
    wait_until("it waits for its hour", SOON, async || world.metric(&admin, waiting).await > 0.5).await;
    resting.kill();
    let (_worker, admin) = world.ready_worker(&[]).await;
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.rows.test.count("SELECT count(*) FROM cleanup_hours").await, 0);
    assert!(world.metric(&admin, waiting).await < 0.5);
}
