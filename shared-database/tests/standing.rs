//! How a cleanup stands, told in Rust and in SQL; and the hours that tell why it waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shared_database::cleanup_view::{CleanupFilter, CleanupRow};
use shared_database::cleanups::{AllowedHours, DailyWindow, PurgeSchedule};
use shared_models::{CleanupState, CleanupStatus, Standing};

use crate::fixture::Fixture;

const DAY: i64 = 86_400;

/// Rows in every state, without and with failures, never, no longer and still claimed, due and not due yet.
async fn arrange_all(fixture: &Fixture) -> i64 {
    let states = CleanupState::NAMES.join(",");
    fixture
        .test_database
        .arrange(&format!(
            "TRUNCATE cleanup CASCADE;
             INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, created_at,
                                  deletion_requested_at, entity_rows_deleted, writer_end, targets, state, attempts,
                                  claim_expires_at, next_attempt_at, next_work, opened_at)
             SELECT gen_random_uuid(), gen_random_uuid(), '{organization}', '{organization}', '{organization}', now(),
                    now(), 0, 'acknowledged', '{{vespa,arf}}', state, attempts, now() + claim, now() + due,
                    work, now() - age
             FROM unnest('{{{states}}}'::text[]) state, unnest('{{0,3}}'::int[]) attempts,
                  unnest('{{NULL,-1 hour,1 hour}}'::interval[]) claim, unnest('{{-1 hour,1 hour}}'::interval[]) due,
                  unnest('{{look,purge}}'::text[]) work, unnest('{{0,9 hours}}'::interval[]) age",
            organization = fixture.organization
        ))
        .await;
    fixture.count("cleanup").await
}

async fn listed(fixture: &Fixture, filter: CleanupFilter) -> Vec<CleanupRow> {
    fixture.database.list_cleanups(fixture.organization, filter, 0, 1000).await.unwrap()
}

/// Hours from so many seconds after now to so many, by PostgreSQL's clock.
async fn hours(fixture: &Fixture, from: i64, to: i64) -> AllowedHours {
    let seconds = "SELECT extract(epoch FROM (now() AT TIME ZONE 'UTC')::time)::bigint";
    let now = fixture.test_database.count(seconds).await;
    let second = |offset: i64| u32::try_from((now + offset).rem_euclid(DAY)).unwrap();
    let windows = vec![DailyWindow { from: second(from), to: second(to) }];
    AllowedHours { windows, ..AllowedHours::default() }
}

#[tokio::test]
async fn rust_and_sql_tell_every_row_that_can_be_alike() {
    let fixture = Fixture::new().await;
    let mut seen = BTreeSet::new();
    let organization = Some(fixture.organization);
    for (hours, is_paused) in [
        (AllowedHours::default(), false),
        (AllowedHours::default(), true),
        (hours(&fixture, -600, 600).await, false),
        (hours(&fixture, 600, 1200).await, false),
    ] {
        if is_paused {
            fixture.database.pause_cleanups(organization, None).await.unwrap();
        } else {
            fixture.database.resume_cleanups(organization).await.unwrap();
        }
        let deadline = Some(Duration::from_secs(8 * 3_600));
        let schedule = PurgeSchedule { hours, hurries_after: deadline, deadline, ..PurgeSchedule::default() };
        fixture.database.store_cleanup_schedule(&schedule).await.unwrap();
        let total = arrange_all(&fixture).await;
        let rows = listed(&fixture, CleanupFilter::default()).await;
        assert_eq!(i64::try_from(rows.len()).unwrap(), total);
        for status in CleanupStatus::ALL {
            let of_sql = listed(&fixture, CleanupFilter { status: Some(*status), ..CleanupFilter::default() }).await;
            let of_sql: BTreeSet<_> = of_sql.iter().map(|row| row.id).collect();
            let of_rust = rows.iter().filter(|row| row.standing().status() == *status);
            assert_eq!(of_rust.map(|row| row.id).collect::<BTreeSet<_>>(), of_sql, "{status}");
        }
        // Taken away one by one, so that each is counted by itself.
        let mut counted = fixture.database.cleanup_stats().await.unwrap().by_standing;
        for row in &rows {
            fixture.test_database.arrange(&format!("DELETE FROM cleanup WHERE id = '{}'", row.id)).await;
            let left = fixture.database.cleanup_stats().await.unwrap().by_standing;
            *counted.get_mut(&row.standing()).unwrap() -= 1;
            assert_eq!(counted, left, "{row:?}");
            seen.insert(row.standing());
        }
    }
    assert_eq!(seen, BTreeSet::from(Standing::ALL), "a word that nothing is called by");
}

#[tokio::test]
async fn the_hours_that_were_told_last_are_the_stored_ones() {
    let fixture = Fixture::new().await;
    arrange_all(&fixture).await;
    let waiting_for_hours = async || {
        let stats = fixture.database.cleanup_stats().await.unwrap();
        let waiting = |(standing, count): (&Standing, &u64)| standing.waiting_for().map(|what| (what.as_str(), *count));
        stats.by_standing.iter().filter_map(waiting).collect::<BTreeMap<_, _>>()["hours"]
    };
    let (open, closed) = (hours(&fixture, -600, 600).await, hours(&fixture, 600, 1200).await);
    let windows = [&open, &closed, &open].map(|hours| hours.windows.clone()).concat();
    let both = AllowedHours { windows, ..AllowedHours::default() };
    for (told, is_open) in [(closed, false), (both, true), (open, true), (AllowedHours::default(), true)] {
        let told = PurgeSchedule { hours: told, ..PurgeSchedule::default() };
        fixture.database.store_cleanup_schedule(&told).await.unwrap();
        // A second worker that is told the same changes nothing.
        fixture.database.store_cleanup_schedule(&told).await.unwrap();
        assert_eq!(waiting_for_hours().await == 0, is_open, "{told:?}");
    }
    assert_eq!(fixture.count("cleanup_hours").await, 0);
}
