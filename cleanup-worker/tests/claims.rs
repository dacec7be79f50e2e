//! Claims: who gets which row, and when.

use std::time::Duration;

use shared_database::cleanups::{AllowedHours, DailyWindow};
use shared_models::{CleanupState, PurgeTarget, SyncId};

use crate::support::Rows;

const TTL: Duration = Duration::from_secs(60);
const KNOWN: &[PurgeTarget] = PurgeTarget::ALL;

fn always() -> AllowedHours {
    AllowedHours::default()
}

#[tokio::test]
async fn the_row_that_is_due_the_longest_comes_first_and_each_row_once() {
    let rows = Rows::new().await;
    let (young, old, later) = (
        rows.cleanup_of(SyncId::random()).await,
        rows.cleanup_of(SyncId::random()).await,
        rows.cleanup_of(SyncId::random()).await,
    );
    rows.set(old, "next_attempt_at = clock_timestamp() - interval '1 hour'").await;
    rows.set(later, "next_attempt_at = clock_timestamp() + interval '1 hour'").await;
    let mut claimed = Vec::new();
    while let Some(cleanup) = rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap() {
        claimed.push(cleanup.claim.cleanup_id);
    }
    assert_eq!(claimed, [old, young]);
    let wait = rows.database.next_cleanup_due(KNOWN, &always()).await.unwrap().unwrap();
    assert!(wait <= TTL, "the claims run out before the later row is due: {wait:?}");
}

#[tokio::test]
async fn many_workers_at_once_never_get_the_same_row() {
    let rows = Rows::new().await;
    for _ in 0..20 {
        rows.cleanup_of(SyncId::random()).await;
    }
    let claim = async || rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap();
    let claims = futures::future::join_all((0..40).map(|_| claim())).await;
    let mut ids: Vec<_> = claims.into_iter().flatten().map(|cleanup| cleanup.claim.cleanup_id).collect();
    // A claim that only met locked rows comes back empty; the next one gets what is left.
    while let Some(cleanup) = claim().await {
        ids.push(cleanup.claim.cleanup_id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    assert_eq!(rows.test.count("SELECT count(*) FROM cleanup WHERE claim <> 1").await, 0);
}

#[tokio::test]
async fn a_claim_that_ran_out_is_taken_over_in_the_state_it_was_left_in() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    rows.set(id, "state = 'purging', claim = 4, claim_expires_at = clock_timestamp() - interval '1 second'").await;
    let taken = rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap().unwrap();
    assert_eq!((taken.state, taken.claim.number), (CleanupState::Purging, 5));
    assert!(rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_row_with_an_unknown_target_is_left_alone() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    rows.set(id, "targets = ARRAY['vespa', 'arf', 'tape']").await;
    assert!(rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap().is_none());
    rows.set(id, "targets = ARRAY['vespa', 'arf']").await;
    assert!(rows.database.claim_next_cleanup(TTL, &[PurgeTarget::Vespa], &always()).await.unwrap().is_none());
    assert!(rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap().is_some());
}

/// A window of the day that begins and ends so many seconds from PostgreSQL's now.
pub async fn window(rows: &Rows, from: i64, to: i64) -> AllowedHours {
    let now = rows.test.count("SELECT extract(epoch FROM (now() AT TIME ZONE 'UTC')::time)::bigint").await;
    let second = |offset: i64| u32::try_from((now + offset).rem_euclid(86_400)).unwrap();
    AllowedHours(vec![DailyWindow { from: second(from), to: second(to) }])
}

#[tokio::test]
async fn outside_of_the_allowed_hours_only_settle_checks_are_handed_out() {
    let rows = Rows::new().await;
    let waiting = rows.cleanup_of(SyncId::random()).await;
    let settling = rows.cleanup_of(SyncId::random()).await;
    rows.set(settling, "state = 'settling'").await;
    for (from, to) in [(3_600, 7_200), (-7_200, -3_600), (3_600, -3_600)] {
        let closed = window(&rows, from, to).await;
        rows.set(settling, "claim_expires_at = NULL").await;
        let claimed = rows.database.claim_next_cleanup(TTL, KNOWN, &closed).await.unwrap().unwrap();
        assert_eq!(claimed.claim.cleanup_id, settling);
        assert!(rows.database.claim_next_cleanup(TTL, KNOWN, &closed).await.unwrap().is_none());
        assert!(!rows.database.cleanup_guard(claimed.sync_id, KNOWN, &closed).await.unwrap().is_allowed);
    }
    for (from, to) in [(-60, 3_600), (-43_000, 43_000), (-3_600, 60)] {
        let open = window(&rows, from, to).await;
        rows.set(waiting, "claim_expires_at = NULL").await;
        let claimed = rows.database.claim_next_cleanup(TTL, KNOWN, &open).await.unwrap().unwrap();
        assert_eq!(claimed.claim.cleanup_id, waiting);
        assert!(rows.database.cleanup_guard(claimed.sync_id, KNOWN, &open).await.unwrap().is_allowed);
    }
}

#[tokio::test]
async fn a_row_that_became_due_since_the_last_claim_is_not_waited_for() {
    let rows = Rows::new().await;
    let (open, closed) = (always(), window(&rows, 3_600, 7_200).await);
    let wait = async |hours| rows.database.next_cleanup_due(KNOWN, hours).await.unwrap();
    assert_eq!(wait(&open).await, None);
    let id = rows.cleanup_of(SyncId::random()).await;
    for (assignments, in_the_closed_hours) in [
        ("state = 'settling'", Some(Duration::ZERO)),
        ("state = 'scheduled'", None),
        ("state = 'purging', claim_expires_at = clock_timestamp() - interval '1 second'", None),
        ("state = 'done', check_again_at = clock_timestamp() - interval '1 second'", None),
    ] {
        rows.set(id, assignments).await;
        assert_eq!(wait(&open).await, Some(Duration::ZERO), "{assignments}");
        assert_eq!(wait(&closed).await, in_the_closed_hours, "{assignments}");
    }
    // One that is due later, beside it, changes nothing.
    let later = rows.cleanup_of(SyncId::random()).await;
    rows.set(later, "next_attempt_at = clock_timestamp() + interval '1 hour'").await;
    assert_eq!(wait(&open).await, Some(Duration::ZERO));
    assert!(wait(&closed).await.is_some_and(|wait| wait > Duration::from_secs(3_500)));
}

#[tokio::test]
async fn a_later_check_that_is_due_reopens_its_row() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    let done = "state = 'done', writer_end = 'lease', claim = 3, completed_at = clock_timestamp()";
    rows.set(id, &format!("{done}, check_again_at = clock_timestamp() + interval '1 hour'")).await;
    assert!(rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap().is_none());
    let wait = rows.database.next_cleanup_due(KNOWN, &always()).await.unwrap().unwrap();
    assert!(wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_600), "{wait:?}");
    rows.set(id, "check_again_at = clock_timestamp() - interval '1 second'").await;
    let claimed = rows.database.claim_next_cleanup(TTL, KNOWN, &always()).await.unwrap().unwrap();
    assert_eq!((claimed.state, claimed.is_check_again), (CleanupState::Scheduled, true));
    assert!(claimed.claim.number > 4, "reopened and claimed, both under new numbers");
}

#[tokio::test]
async fn the_figures_are_counts_by_state_and_the_age_of_the_oldest_open_row() {
    let rows = Rows::new().await;
    assert!(rows.database.cleanup_stats().await.unwrap().oldest_open_age_seconds.abs() < f64::EPSILON);
    let open = rows.cleanup_of(SyncId::random()).await;
    let done = rows.cleanup_of(SyncId::random()).await;
    rows.set(open, "rows_deleted_at = clock_timestamp() - interval '90 seconds'").await;
    let week = "state = 'done', rows_deleted_at = clock_timestamp() - interval '7 days'";
    rows.set(done, &format!("{week}, completed_at = clock_timestamp() - interval '7 days'")).await;
    let stats = rows.database.cleanup_stats().await.unwrap();
    let counts: Vec<u64> = CleanupState::ALL.iter().map(|state| stats.by_state[state]).collect();
    assert_eq!(counts, [1, 0, 0, 1, 0]);
    assert!((90.0..120.0).contains(&stats.oldest_open_age_seconds), "{}", stats.oldest_open_age_seconds);
    // A later check counts from when it was due, not from the deletion.
    rows.set(open, "state = 'done'").await;
    rows.set(done, "state = 'scheduled', check_again_at = clock_timestamp() - interval '10 seconds'").await;
    let stats = rows.database.cleanup_stats().await.unwrap();
    assert!((10.0..40.0).contains(&stats.oldest_open_age_seconds), "{}", stats.oldest_open_age_seconds);
}
