//! Claims: who gets which row, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use shared_database::cleanups::{AllowedHours, DailyWindow, LooksDue, PurgeSchedule};
use shared_models::{CleanupId, CleanupState, CleanupWork, PurgeTarget, SyncId};
use uuid::Uuid;

use crate::support::Rows;

const TTL: Duration = Duration::from_secs(60);
const KNOWN: &[PurgeTarget] = PurgeTarget::ALL;
const HOUR: Duration = Duration::from_secs(3_600);

fn always() -> PurgeSchedule {
    PurgeSchedule::default()
}

/// What is claimed of this work until nothing is left to claim.
async fn claim_all(rows: &Rows, work: CleanupWork, schedule: &PurgeSchedule) -> Vec<CleanupId> {
    let mut claimed = Vec::new();
    loop {
        let next = match work {
            CleanupWork::Look => rows.database.claim_look(TTL, KNOWN).await,
            CleanupWork::Purge => rows.database.claim_purge(TTL, KNOWN, schedule).await,
        };
        match next.unwrap() {
            Some(cleanup) => claimed.push(cleanup.claim.cleanup_id),
            None => return claimed,
        }
    }
}

async fn to_purge(rows: &Rows) -> CleanupId {
    let id = rows.cleanup_of(SyncId::random()).await;
    rows.set(id, "next_work = 'purge'").await;
    id
}

#[tokio::test]
async fn the_row_that_is_due_the_longest_comes_first_and_each_row_once() {
    for work in CleanupWork::ALL {
        let rows = Rows::new().await;
        let (young, old, later) = (
            rows.cleanup_of(SyncId::random()).await,
            rows.cleanup_of(SyncId::random()).await,
            rows.cleanup_of(SyncId::random()).await,
        );
        rows.test.arrange(&format!("UPDATE cleanup SET next_work = '{work}'")).await;
        rows.set(old, "next_attempt_at = clock_timestamp() - interval '1 hour'").await;
        rows.set(later, "next_attempt_at = clock_timestamp() + interval '1 hour'").await;
        assert_eq!(claim_all(&rows, *work, &always()).await, [old, young]);
        let wait = match work {
            CleanupWork::Look => rows.database.looks_due(KNOWN, &always(), 10, TTL).await.unwrap().next,
            CleanupWork::Purge => rows.database.next_purge_due(KNOWN, &always()).await.unwrap(),
        };
        assert!(wait.unwrap() <= TTL, "the claims run out before the later row is due: {wait:?}");
    }
}

#[tokio::test]
async fn each_row_is_claimed_for_the_work_that_it_needs() {
    let rows = Rows::new().await;
    let (look, purge) = (rows.cleanup_of(SyncId::random()).await, to_purge(&rows).await);
    assert_eq!(claim_all(&rows, CleanupWork::Look, &always()).await, [look]);
    assert_eq!(claim_all(&rows, CleanupWork::Purge, &always()).await, [purge]);
}

#[tokio::test]
async fn many_workers_at_once_never_get_the_same_row() {
    for work in CleanupWork::ALL {
        let rows = Rows::new().await;
        for _ in 0..20 {
            rows.cleanup_of(SyncId::random()).await;
        }
        rows.test.arrange(&format!("UPDATE cleanup SET next_work = '{work}'")).await;
        let claim = async || match work {
            CleanupWork::Look => rows.database.claim_look(TTL, KNOWN).await.unwrap(),
            CleanupWork::Purge => rows.database.claim_purge(TTL, KNOWN, &always()).await.unwrap(),
        };
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
}

#[tokio::test]
async fn an_organization_with_a_thousand_does_not_keep_another_ones_one_waiting() {
    let rows = Rows::new().await;
    let (crowd, other) = (Uuid::new_v4(), Uuid::new_v4());
    for _ in 0..30 {
        let id = to_purge(&rows).await;
        rows.set(id, &format!("organization_id = '{crowd}', next_attempt_at = now() - interval '1 day'")).await;
    }
    let claim = async || rows.database.claim_purge(TTL, KNOWN, &always()).await.unwrap().unwrap().claim.cleanup_id;
    claim().await;
    claim().await;
    let single = to_purge(&rows).await;
    rows.set(single, &format!("organization_id = '{other}'")).await;
    assert_eq!(claim().await, single, "nothing of that organization is under way");
    assert_ne!(claim().await, single);
}

#[tokio::test]
async fn one_that_hurries_comes_before_its_organizations_others_at_any_hour() {
    let rows = Rows::new().await;
    let organization = Uuid::new_v4();
    let (old, late) = (to_purge(&rows).await, to_purge(&rows).await);
    for (id, due) in [(old, "1 day"), (late, "1 second")] {
        let due = format!("next_attempt_at = now() - interval '{due}'");
        rows.set(id, &format!("organization_id = '{organization}', {due}")).await;
    }
    rows.set(late, "opened_at = now() - interval '20 hours'").await;
    let hurries_after = Some(18 * HOUR);
    let closed = PurgeSchedule { hurries_after, ..schedule(window(&rows, 3_600, 7_200).await) };
    assert_eq!(rows.database.next_purge_due(KNOWN, &closed).await.unwrap(), Some(Duration::ZERO));
    let claimed = rows.database.claim_purge(TTL, KNOWN, &closed).await.unwrap().unwrap();
    assert_eq!(claimed.claim.cleanup_id, late);
    let guard = rows.database.cleanup_guard(claimed.claim, KNOWN, &closed).await.unwrap();
    assert!(guard.is_allowed && guard.hurries && !guard.others_wait, "{guard:?}");
    assert!(rows.database.claim_purge(TTL, KNOWN, &closed).await.unwrap().is_none());
    rows.set(late, "claim_expires_at = NULL").await;
    let open = PurgeSchedule { hurries_after, ..always() };
    assert_eq!(claim_all(&rows, CleanupWork::Purge, &open).await, [late, old]);
}

#[tokio::test]
async fn a_pause_wins_over_everything_and_is_its_organizations_alone() {
    let rows = Rows::new().await;
    let (paused, free) = (Uuid::new_v4(), Uuid::new_v4());
    let mut ids = BTreeMap::new();
    for (organization, work) in [(paused, "look"), (paused, "purge"), (free, "look"), (free, "purge")] {
        let id = rows.cleanup_of(SyncId::random()).await;
        let late = "opened_at = now() - interval '9 days'";
        rows.set(id, &format!("organization_id = '{organization}', next_work = '{work}', {late}")).await;
        ids.insert((organization, work), id);
    }
    let hurry = PurgeSchedule { hurries_after: Some(HOUR), ..always() };
    let organization = Some(shared_models::OrganizationId(paused));
    let held = rows.database.claim_purge(TTL, KNOWN, &hurry).await.unwrap().unwrap();
    assert!(rows.database.pause_cleanups(organization, Some("migration")).await.unwrap());
    assert!(!rows.database.pause_cleanups(organization, None).await.unwrap(), "paused already");
    let pauses = rows.database.cleanup_pauses().await.unwrap();
    assert_eq!((pauses.len(), pauses[0].reason.as_deref()), (1, Some("migration")));
    let is_of_paused = held.organization_id.0 == paused;
    let guard = rows.database.cleanup_guard(held.claim, KNOWN, &hurry).await.unwrap();
    assert_eq!(guard.is_paused, is_of_paused, "also one that is under way");
    rows.database.release_claims(&[held.claim]).await.unwrap();
    assert_eq!(claim_all(&rows, CleanupWork::Look, &hurry).await, [ids[&(free, "look")]]);
    assert_eq!(claim_all(&rows, CleanupWork::Purge, &hurry).await, [ids[&(free, "purge")]]);
    rows.test.arrange("UPDATE cleanup SET claim_expires_at = NULL").await;
    rows.database.pause_cleanups(None, None).await.unwrap();
    assert!(claim_all(&rows, CleanupWork::Look, &hurry).await.is_empty());
    assert!(claim_all(&rows, CleanupWork::Purge, &hurry).await.is_empty());
    assert_eq!(rows.database.looks_due(KNOWN, &hurry, 10, TTL).await.unwrap(), LooksDue::default());
    assert_eq!(rows.database.next_purge_due(KNOWN, &hurry).await.unwrap(), None);
    assert!(rows.database.resume_cleanups(None).await.unwrap());
    assert!(!rows.database.resume_cleanups(None).await.unwrap(), "it wasn't paused any more");
    assert_eq!(claim_all(&rows, CleanupWork::Look, &hurry).await, [ids[&(free, "look")]], "the other pause stands");
    assert!(rows.database.resume_cleanups(organization).await.unwrap());
    assert_eq!(claim_all(&rows, CleanupWork::Look, &hurry).await, [ids[&(paused, "look")]]);
}

#[tokio::test]
async fn a_claim_that_ran_out_is_taken_over_in_the_state_it_was_left_in() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    rows.set(id, "state = 'settling', claim = 4, claim_expires_at = clock_timestamp() - interval '1 second'").await;
    let taken = rows.database.claim_look(TTL, KNOWN).await.unwrap().unwrap();
    assert_eq!((taken.state, taken.claim.number), (CleanupState::Settling, 5));
    assert!(rows.database.claim_look(TTL, KNOWN).await.unwrap().is_none());
}

#[tokio::test]
async fn a_row_with_an_unknown_target_is_left_alone() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    for work in CleanupWork::ALL {
        let claim = async |known: &[PurgeTarget]| match work {
            CleanupWork::Look => rows.database.claim_look(TTL, known).await.unwrap(),
            CleanupWork::Purge => rows.database.claim_purge(TTL, known, &always()).await.unwrap(),
        };
        rows.set(id, &format!("next_work = '{work}', targets = ARRAY['vespa', 'arf', 'tape']")).await;
        assert!(claim(KNOWN).await.is_none());
        rows.set(id, "targets = ARRAY['vespa', 'arf']").await;
        assert!(claim(&[PurgeTarget::Vespa]).await.is_none());
        assert!(claim(KNOWN).await.is_some());
        rows.set(id, "claim_expires_at = NULL").await;
    }
}

fn schedule(hours: AllowedHours) -> PurgeSchedule {
    PurgeSchedule { hours, ..PurgeSchedule::default() }
}

/// A window of the day that begins and ends so many seconds from PostgreSQL's now.
pub async fn window(rows: &Rows, from: i64, to: i64) -> AllowedHours {
    window_in(rows, "UTC", from, to).await
}

/// The same by the clock of a time zone.
async fn window_in(rows: &Rows, time_zone: &str, from: i64, to: i64) -> AllowedHours {
    let of_day = format!("SELECT extract(epoch FROM (now() AT TIME ZONE '{time_zone}')::time)::bigint");
    let now = rows.test.count(&of_day).await;
    let second = |offset: i64| u32::try_from((now + offset).rem_euclid(86_400)).unwrap();
    let windows = vec![DailyWindow { from: second(from), to: second(to) }];
    AllowedHours { windows, time_zone: time_zone.to_owned() }
}

#[tokio::test]
async fn outside_of_the_allowed_hours_nothing_is_handed_out_to_be_purged() {
    let rows = Rows::new().await;
    to_purge(&rows).await;
    for zone in ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"] {
        for (from, to) in [(3_600, 7_200), (-7_200, -3_600), (3_600, -3_600)] {
            let closed = schedule(window_in(&rows, zone, from, to).await);
            assert!(rows.database.claim_purge(TTL, KNOWN, &closed).await.unwrap().is_none());
            assert_eq!(rows.database.next_purge_due(KNOWN, &closed).await.unwrap(), None);
        }
        for (from, to) in [(-60, 3_600), (-43_000, 43_000), (-3_600, 60)] {
            let open = schedule(window_in(&rows, zone, from, to).await);
            let claimed = rows.database.claim_purge(TTL, KNOWN, &open).await.unwrap().unwrap();
            assert!(rows.database.cleanup_guard(claimed.claim, KNOWN, &open).await.unwrap().is_allowed);
            let closed = schedule(window_in(&rows, zone, 3_600, 7_200).await);
            assert!(!rows.database.cleanup_guard(claimed.claim, KNOWN, &closed).await.unwrap().is_allowed);
            rows.database.release_claims(&[claimed.claim]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn verifications_are_collected_only_while_more_are_to_come() {
    let rows = Rows::new().await;
    let due = async || rows.database.looks_due(KNOWN, &always(), 2, Duration::from_secs(5)).await.unwrap();
    assert_eq!(due().await, LooksDue::default());
    let verified = rows.cleanup_of(SyncId::random()).await;
    assert!(due().await.has_new, "nobody has looked at it yet");
    let known = r#"progress = '{"vespa": {"found": 3, "removed": 3, "rounds": 1}}'"#;
    rows.set(verified, &format!("{known}, next_attempt_at = clock_timestamp() - interval '3 seconds'")).await;
    let one = due().await;
    assert_eq!((one.count, one.has_new, one.more_soon, one.next), (1, false, false, None));
    assert!(one.oldest >= Duration::from_secs(3) && one.oldest < TTL);

    let other = rows.cleanup_of(SyncId::random()).await;
    for (arranged, more_soon) in [
        ("state = 'settling', next_attempt_at = clock_timestamp() + interval '4 seconds'", true),
        ("state = 'settling', next_attempt_at = clock_timestamp() + interval '9 seconds'", false),
        ("state = 'scheduled', next_work = 'purge', next_attempt_at = clock_timestamp()", true),
        ("state = 'purging', claim_expires_at = clock_timestamp() + interval '1 minute'", true),
        ("state = 'done', claim_expires_at = NULL", false),
    ] {
        rows.set(other, arranged).await;
        assert_eq!(due().await.more_soon, more_soon, "{arranged}");
    }
    rows.set(other, "state = 'scheduled'").await;
    let closed = schedule(window(&rows, 3_600, 7_200).await);
    let waits = rows.database.looks_due(KNOWN, &closed, 2, Duration::from_secs(5)).await.unwrap();
    assert!(!waits.more_soon, "what waits for its hours isn't waited for");
    for _ in 0..5 {
        rows.cleanup_of(SyncId::random()).await;
    }
    assert_eq!(due().await.count, 2, "counted up to what was asked");
}

#[tokio::test]
async fn a_later_check_that_is_due_reopens_its_row() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    let done = "state = 'done', writer_end = 'lease', claim = 3, completed_at = clock_timestamp()";
    rows.set(id, &format!("{done}, check_again_at = clock_timestamp() + interval '1 hour'")).await;
    rows.set(id, "opened_at = clock_timestamp() - interval '9 days'").await;
    rows.database.reopen_for_check(KNOWN).await.unwrap();
    assert!(rows.database.claim_look(TTL, KNOWN).await.unwrap().is_none());
    let wait = rows.database.next_check_due(KNOWN).await.unwrap().unwrap();
    assert!(wait > Duration::from_secs(3_500) && wait <= HOUR, "{wait:?}");
    rows.set(id, "check_again_at = clock_timestamp() - interval '1 second'").await;
    assert_eq!(rows.database.next_check_due(KNOWN).await.unwrap(), Some(Duration::ZERO));
    rows.database.reopen_for_check(KNOWN).await.unwrap();
    let claimed = rows.database.claim_look(TTL, KNOWN).await.unwrap().unwrap();
    assert_eq!((claimed.state, claimed.is_check_again), (CleanupState::Purging, true));
    assert!(claimed.claim.number > 4, "reopened and claimed, both under new numbers");
    let age = rows.column(id, "clock_timestamp() - opened_at < interval '1 minute'").await;
    assert_eq!(age, "true", "its deadline counts from now");
}

#[tokio::test]
async fn all_workers_together_keep_to_the_documents_per_second() {
    let rows = Rows::new().await;
    let per_second = std::num::NonZeroU32::new(100).unwrap();
    let reserve = async |wait| rows.database.reserve_removals(10, per_second, wait).await.unwrap();
    rows.test.arrange("UPDATE cleanup_rate SET next_at = clock_timestamp() - interval '1 hour'").await;
    let mut last = Duration::ZERO;
    // Whichever worker asks: the row knows none.
    for _ in 0..100 {
        last = reserve(TTL).await.unwrap();
    }
    // 100 batches of 10: the first at once, the last when 990 documents have had their time, less what asking took.
    assert!(last > Duration::from_secs(7) && last <= Duration::from_millis(9_900), "{last:?}");
    let before = rows.test.count("SELECT (extract(epoch FROM next_at) * 1000)::bigint FROM cleanup_rate").await;
    assert_eq!(reserve(Duration::from_millis(100)).await, None, "that is later than it would wait");
    let after = rows.test.count("SELECT (extract(epoch FROM next_at) * 1000)::bigint FROM cleanup_rate").await;
    assert_eq!(before, after, "and then nothing is taken");
}

#[tokio::test]
async fn the_figures_are_counts_by_state_and_the_age_of_the_oldest_open_row() {
    let rows = Rows::new().await;
    assert!(rows.database.cleanup_stats().await.unwrap().oldest_open_age_seconds.abs() < f64::EPSILON);
    let open = rows.cleanup_of(SyncId::random()).await;
    let done = rows.cleanup_of(SyncId::random()).await;
    rows.set(open, "opened_at = clock_timestamp() - interval '90 seconds'").await;
    rows.set(done, "state = 'done', opened_at = clock_timestamp() - interval '7 days'").await;
    let deadline = Some(Duration::from_secs(60));
    rows.database.store_cleanup_schedule(&PurgeSchedule { deadline, ..always() }).await.unwrap();
    let stats = rows.database.cleanup_stats().await.unwrap();
    let counts: Vec<u64> = CleanupState::ALL.iter().map(|state| stats.by_state[state]).collect();
    assert_eq!(counts, [1, 0, 0, 1, 0]);
    assert!((90.0..120.0).contains(&stats.oldest_open_age_seconds), "{}", stats.oldest_open_age_seconds);
    assert_eq!(stats.overdue, 1);
    rows.database.store_cleanup_schedule(&always()).await.unwrap();
    assert_eq!(rows.database.cleanup_stats().await.unwrap().overdue, 0);
}

#[tokio::test]
async fn a_time_zone_that_there_is_not_is_refused() {
    let rows = Rows::new().await;
    let hours = AllowedHours { windows: vec![], time_zone: "Mars/Olympus_Mons".to_owned() };
    assert!(rows.database.store_cleanup_schedule(&schedule(hours)).await.is_err());
}
