//! The three limits of a worker: allowed hours, documents per second, slots.

use std::time::Instant;

use shared_models::SyncId;
use test_support::wait_until;

use crate::support::{SOON, World};

/// A window of the day as the setting takes it, from so many seconds of PostgreSQL's now to so many.
async fn window(world: &World, from: i64, to: i64) -> String {
    let sql = "SELECT to_char((now() + make_interval(secs => $1::bigint)) AT TIME ZONE 'UTC', 'HH24:MI:SS') || '-' ||
                      to_char((now() + make_interval(secs => $2::bigint)) AT TIME ZONE 'UTC', 'HH24:MI:SS')";
    world.rows.test.client().await.query_one(sql, &[&from, &to]).await.unwrap().get(0)
}

#[tokio::test]
async fn outside_of_the_allowed_hours_nothing_is_purged() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 50).await;
    let waiting = world.rows.cleanup_of(sync).await;
    let closed = window(&world, 3_600, 7_200).await;
    let _worker = world.worker(&[("CLEANUP_ALLOWED_HOURS", &closed)]);
    // A settle check purges nothing and isn't held up; that it is done shows that the worker looks for work.
    let settling = world.rows.cleanup_of(SyncId::random()).await;
    world.rows.set(settling, "state = 'settling'").await;
    world.rows.wait_for_state(settling, "done").await;
    let known = "next_work || ' ' || (progress->'vespa'->>'found') || ' ' || (progress->'vespa'->>'removed')";
    wait_until("it was looked at", SOON, async || world.rows.column(waiting, known).await == "purge 50 0").await;
    assert_eq!(world.documents(sync).await, 50);
    let _night_shift =
        world.worker(&[("CLEANUP_ALLOWED_HOURS", &format!("{closed},{}", window(&world, -60, 600).await))]);
    world.rows.wait_for_state(waiting, "done").await;
}

#[tokio::test]
async fn a_purge_stops_at_the_end_of_the_allowed_hours_without_a_failure() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 3_000).await;
    let id = world.rows.cleanup_of(sync).await;
    let until_soon = window(&world, -600, 4).await;
    let worker = world.worker(&[("CLEANUP_ALLOWED_HOURS", &until_soon), ("CLEANUP_DOCUMENTS_PER_SECOND", "200")]);
    worker.wait_until_logged("outside of the allowed hours", SOON).await;
    let row = "state || ' ' || attempts || ' ' || coalesce(claim_expires_at::text, 'free') || coalesce(error_code, '')";
    assert_eq!(world.rows.column(id, row).await, "scheduled 0 free");
    let left = world.documents(sync).await;
    assert!(left > 1_500 && left < 3_000, "some are gone, most are left: {left}");
    let _always = world.worker(&[]);
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.documents(sync).await, 0);
}

#[tokio::test]
async fn all_workers_together_keep_to_the_documents_per_second() {
    let world = World::new().await;
    let syncs = [SyncId::random(), SyncId::random(), SyncId::random()];
    let mut ids = Vec::new();
    for sync in syncs {
        world.feed(sync, 300).await;
        ids.push(world.rows.cleanup_of(sync).await);
    }
    let started = Instant::now();
    let limited = [("CLEANUP_DOCUMENTS_PER_SECOND", "300")];
    let _workers = [world.worker(&limited), world.worker(&limited), world.worker(&limited)];
    for sync in syncs {
        world.wait_until_empty_of_documents(sync).await;
    }
    // The first tenth of a second's worth is free.
    assert!(started.elapsed().as_secs_f64() >= (900.0 - 30.0) / 300.0, "{:?}", started.elapsed());
    for id in ids {
        world.rows.wait_for_state(id, "done").await;
    }
}

#[tokio::test]
async fn no_more_slots_than_allowed_are_in_use() {
    let world = World::new().await;
    for _ in 0..5 {
        let sync = SyncId::random();
        world.feed(sync, 100).await;
        world.rows.cleanup_of(sync).await;
    }
    let _worker = world.worker(&[("CLEANUP_SLOTS", "2"), ("CLEANUP_DOCUMENTS_PER_SECOND", "100")]);
    let (mut most, client) = (0, world.rows.test.client().await);
    wait_until("all are done", SOON, async || {
        let sql = "SELECT count(*) FILTER (WHERE claim_expires_at IS NOT NULL AND next_work = 'purge'),
                          count(*) FILTER (WHERE state = 'done')
                   FROM cleanup";
        let row = client.query_one(sql, &[]).await.unwrap();
        most = most.max(row.get::<_, i64>(0));
        row.get::<_, i64>(1) == 5
    })
    .await;
    assert_eq!(most, 2);
}
