//! Allowed hours at changes to summer time and back, in the claim, before a slice, and in what is told of a cleanup.

use std::time::Duration;

use shared_database::cleanup_view::CleanupFilter;
use shared_database::cleanups::{AllowedHours, DailyWindow, PurgeSchedule};
use shared_models::{PurgeTarget, Standing, WaitingFor};

use crate::clock::Clock;

const TTL: Duration = Duration::from_secs(60);
const KNOWN: &[PurgeTarget] = PurgeTarget::ALL;

/// Whether the cleanup may be purged, as everyone says who is asked: all alike.
async fn is_open(clock: &Clock, schedule: &PurgeSchedule) -> bool {
    let database = &clock.database;
    database.store_cleanup_schedule(schedule).await.unwrap();
    let listed = database.list_cleanups(clock.organization, CleanupFilter::default(), 0, 1).await.unwrap();
    let waits_for_hours = listed[0].standing() == Standing::Waiting(WaitingFor::Hours);
    let due = database.next_purge_due(KNOWN, schedule).await.unwrap();
    let claimed = database.claim_purge(TTL, KNOWN, schedule).await.unwrap();
    assert_eq!((due, waits_for_hours), (claimed.as_ref().map(|_| Duration::ZERO), claimed.is_none()));
    let is_open = claimed.is_some();
    // Whoever held it already is told the same before the next slice.
    let claim = match claimed {
        Some(claimed) => claimed.claim,
        None => database.claim_purge(TTL, KNOWN, &PurgeSchedule::default()).await.unwrap().unwrap().claim,
    };
    assert_eq!(database.cleanup_guard(claim, KNOWN, schedule).await.unwrap().is_allowed, is_open);
    clock.give_back().await;
    is_open
}

fn schedule(time_zone: &str, (from, to): (u32, u32)) -> PurgeSchedule {
    // Hours and minutes as they are written: 230 is 02:30.
    let second = |time: u32| time / 100 * 3600 + time % 100 * 60;
    let windows = vec![DailyWindow { from: second(from), to: second(to) }];
    PurgeSchedule { hours: AllowedHours { windows, time_zone: time_zone.to_owned() }, ..PurgeSchedule::default() }
}

#[tokio::test]
async fn at_a_change_of_summer_time_a_claim_keeps_to_the_clock_on_the_wall() {
    let clock = Clock::new().await;
    let (berlin, new_york, lord_howe) = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe");
    for (zone, window, times) in [
        // 02:00 is 03:00: nothing is in the hour between, and what begins in it begins at its end.
        (berlin, (200, 300), [("2026-03-29 00:59:59Z", false), ("2026-03-29 01:00:00Z", false)].as_slice()),
        (berlin, (230, 400), &[("2026-03-29 00:59:59Z", false), ("2026-03-29 01:00:00Z", true)]),
        (berlin, (230, 400), &[("2026-03-29 01:59:59Z", true), ("2026-03-29 02:00:00Z", false)]),
        (berlin, (2300, 230), &[("2026-03-29 00:59:59Z", true), ("2026-03-29 01:00:00Z", false)]),
        // 03:00 is 02:00 again: what begins or ends in the hour that comes twice does so twice.
        (berlin, (230, 400), &[("2026-10-25 00:59:59Z", true), ("2026-10-25 01:00:00Z", false)]),
        (berlin, (230, 400), &[("2026-10-25 01:29:59Z", false), ("2026-10-25 01:30:00Z", true)]),
        (berlin, (2300, 230), &[("2026-10-25 00:30:00Z", false), ("2026-10-25 01:00:00Z", true)]),
        (new_york, (200, 300), &[("2026-03-08 06:59:59Z", false), ("2026-03-08 07:00:00Z", false)]),
        (new_york, (100, 200), &[("2026-11-01 05:59:59Z", true), ("2026-11-01 06:59:59Z", true)]),
        // Half an hour is left out, and comes twice.
        (lord_howe, (215, 300), &[("2026-10-03 15:29:59Z", false), ("2026-10-03 15:30:00Z", true)]),
        (lord_howe, (145, 215), &[("2026-04-04 14:59:59Z", true), ("2026-04-04 15:00:00Z", false)]),
    ] {
        let schedule = schedule(zone, window);
        for (time, expected) in times {
            clock.set(time).await;
            assert_eq!(is_open(&clock, &schedule).await, *expected, "{window:?} in {zone} at {time}");
        }
    }
}
