//! How a cleanup stands against its deadline, to the microsecond, as it is shown and as workers go by it.

use std::time::Duration;

use shared_database::cleanup_view::{CleanupFilter, CleanupRow, Urgency};
use shared_database::cleanups::{AllowedHours, DailyWindow, PurgeSchedule};
use shared_models::{CleanupState, OrganizationId, PurgeTarget};

use crate::clock::Clock;

const TTL: Duration = Duration::from_secs(60);
const KNOWN: &[PurgeTarget] = PurgeTarget::ALL;
const HOUR: Duration = Duration::from_secs(3_600);

/// Closed at every time that is asked about here.
fn schedule() -> PurgeSchedule {
    let windows = vec![DailyWindow { from: 5 * 3_600, to: 6 * 3_600 }];
    let hours = AllowedHours { windows, ..AllowedHours::default() };
    PurgeSchedule { hours, hurries_after: Some(18 * HOUR), deadline: Some(24 * HOUR), ..PurgeSchedule::default() }
}

async fn found(clock: &Clock, is_overdue: Option<bool>) -> Vec<CleanupRow> {
    let filter = CleanupFilter { is_overdue, ..CleanupFilter::default() };
    clock.database.list_cleanups(clock.organization, filter, 0, 10).await.unwrap()
}

/// What is shown of the cleanup, which the filter and the count say as well.
async fn shown(clock: &Clock) -> Urgency {
    let [row] = <[CleanupRow; 1]>::try_from(found(clock, None).await).unwrap();
    let (overdue, others) = (found(clock, Some(true)).await.len(), found(clock, Some(false)).await.len());
    assert_eq!((overdue == 1, others == 1), (row.urgency.is_overdue, !row.urgency.is_overdue));
    let counted = clock.database.cleanup_stats().await.unwrap().overdue;
    assert_eq!(counted == 1, row.urgency.is_overdue);
    row.urgency
}

#[tokio::test]
async fn a_cleanup_hurries_when_workers_say_so_and_is_overdue_from_its_deadline_on() {
    let clock = Clock::new().await;
    clock.database.store_cleanup_schedule(&schedule()).await.unwrap();
    let deadline_at = Some("2026-01-02T00:00:00Z".parse().unwrap());
    for (time, hurries, is_overdue) in [
        ("2026-01-01 00:00:00Z", false, false),
        ("2026-01-01 17:59:59.999999Z", false, false),
        ("2026-01-01 18:00:00Z", true, false),
        ("2026-01-01 23:59:59.999999Z", true, false),
        ("2026-01-02 00:00:00Z", true, true),
        ("2026-03-04 00:00:00Z", true, true),
    ] {
        clock.set(time).await;
        assert_eq!(shown(&clock).await, Urgency { deadline_at, hurries, is_overdue }, "{time}");
        let claimed = clock.database.claim_purge(TTL, KNOWN, &schedule()).await.unwrap();
        assert_eq!(claimed.is_some(), hurries, "the hours are closed at {time}");
        if let Some(claimed) = claimed {
            assert!(clock.database.cleanup_guard(claimed.claim, KNOWN, &schedule()).await.unwrap().hurries, "{time}");
            clock.give_back().await;
        }
    }
}

#[tokio::test]
async fn without_a_deadline_nothing_hurries_or_is_overdue() {
    let clock = Clock::new().await;
    clock.set("2036-01-01 00:00:00Z").await;
    let never = Urgency { deadline_at: None, hurries: false, is_overdue: false };
    assert_eq!(shown(&clock).await, never, "no worker has told its schedule yet");
    clock.database.store_cleanup_schedule(&schedule()).await.unwrap();
    assert_ne!(shown(&clock).await, never);
    clock.database.store_cleanup_schedule(&PurgeSchedule::default()).await.unwrap();
    assert_eq!(shown(&clock).await, never);
}

#[tokio::test]
async fn what_is_paused_is_overdue_without_a_hurry_and_what_has_ended_is_neither() {
    let clock = Clock::new().await;
    clock.database.store_cleanup_schedule(&schedule()).await.unwrap();
    clock.set("2026-01-03 00:00:00Z").await;
    let late = shown(&clock).await;
    assert!(late.hurries && late.is_overdue);
    let other = Some(OrganizationId::random());
    for (paused, hurries) in [(other, true), (Some(clock.organization), false), (None, false)] {
        clock.database.pause_cleanups(paused, None).await.unwrap();
        assert_eq!(shown(&clock).await, Urgency { hurries, ..late }, "paused: {paused:?}");
        clock.database.resume_cleanups(paused).await.unwrap();
    }
    for state in CleanupState::ALL {
        clock.test.arrange(&format!("UPDATE cleanup SET state = '{state}'")).await;
        let ended = Urgency { deadline_at: None, hurries: false, is_overdue: false };
        assert_eq!(shown(&clock).await, if state.is_open() { late } else { ended }, "{state}");
    }
}
