//! A panic in the work on one cleanup: its claim is given back as a failure, and the others of its batch go on (DEL-5).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cleanup_worker::end::End;
use cleanup_worker::targets::KNOWN;
use shared_database::cleanups::ClaimedCleanup;
use shared_models::{CleanupId, SyncId};
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::steps::{Claimed, claim, work, worker};
use crate::support::World;

/// Panics once, where the worker logs this.
struct PanicsAt {
    message: &'static str,
    has_panicked: AtomicBool,
}

impl PanicsAt {
    /// From now on, on this thread.
    fn set(message: &'static str) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(Self { message, has_panicked: AtomicBool::new(false) })
    }
}

impl Subscriber for PanicsAt {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cleanup_worker")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Says(&'static str, bool);
        impl Visit for Says {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.1 |= field.name() == "message" && format!("{value:?}") == self.0;
            }
        }
        let mut says = Says(self.message, false);
        event.record(&mut says);
        assert!(!says.1 || self.has_panicked.swap(true, Ordering::Relaxed), "as the test wants it");
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What the row says of its last failure, and who holds it.
async fn failure(world: &World, id: CleanupId) -> String {
    let row = "attempts || ' ' || error_code || ' ' || error_text || ' ' || coalesce(claim_expires_at::text, 'free')";
    world.rows.column(id, row).await
}

const TOLD: &str = "1 internal the worker has a fault: its log says which free";

#[tokio::test]
async fn of_a_batch_of_looks_only_the_one_that_panics_fails() {
    let world = World::new().await;
    let worker = worker(&world);
    let mut claimed: Vec<ClaimedCleanup> = Vec::new();
    for _ in 0..3 {
        world.rows.cleanup_of(SyncId::random()).await;
        claimed.extend(world.rows.database.claim_look(Duration::from_secs(60), KNOWN).await.unwrap());
    }
    let ids: Vec<CleanupId> = claimed.iter().map(|cleanup| cleanup.claim.cleanup_id).collect();
    let panics = PanicsAt::set("looked at a store");
    let ends = worker.look(claimed, Instant::now()).await;
    drop(panics);
    assert_eq!(ends, [End::Failed, End::Settled, End::Settled]);
    assert_eq!(failure(&world, ids[0]).await, TOLD);
}

#[tokio::test]
async fn a_look_at_all_that_panics_gives_its_claims_back_as_failures() {
    let world = World::new().await;
    let id = world.rows.cleanup_of(SyncId::random()).await;
    let worker = worker(&world);
    let claimed = claim(&world).await;
    let panics = PanicsAt::set("looked");
    let end = work(&worker, claimed).await;
    drop(panics);
    assert_eq!((end, failure(&world, id).await.as_str()), (End::Failed, TOLD));
}

#[tokio::test]
async fn a_purge_that_panics_gives_its_claim_back_as_a_failure_with_its_progress() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 200).await;
    world.capture(sync, 20).await;
    let id = world.rows.cleanup_of(sync).await;
    let worker = worker(&world);
    assert_eq!(work(&worker, claim(&world).await).await, End::Found);
    let Claimed(_, cleanup) = claim(&world).await;
    let panics = PanicsAt::set("slice done");
    let end = worker.purge(cleanup, Instant::now()).await;
    drop(panics);
    assert_eq!((end, failure(&world, id).await.as_str()), (End::Failed, TOLD));
    assert_eq!(world.rows.column(id, "progress->'vespa'->>'found'").await, "200");
}
