//! A store that fails keeps nothing of the other one in place, whenever it began to fail (DEL-5).

use serde_json::json;
use shared_models::{PurgeTarget, SyncId};
use test_support::{Fault, wait_until};

use crate::support::{SOON, World};

/// From now on Vespa answers removals with an error.
async fn refuse_removals(world: &World, is_refusing: bool) {
    let url = format!("{}/standin/v1/faults", world.standin.url.trim_end_matches('/'));
    let client = reqwest::Client::new();
    let rules = json!([{"on": ["remove"], "fault": "error"}]);
    let request = if is_refusing { client.post(url).json(&rules) } else { client.delete(url) };
    request.send().await.unwrap().error_for_status().unwrap();
}

#[tokio::test]
async fn blobs_go_while_vespa_answers_queries_and_refuses_removals() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 300).await;
    world.capture(sync, 20).await;
    world.expects.fault(Fault::VespaAway);
    refuse_removals(&world, true).await;
    let id = world.rows.cleanup_of(sync).await;
    let _worker = world.worker(&[]);
    wait_until("no blobs are left", SOON, async || world.blobs(sync).await == 0).await;
    let failing = async || world.rows.column(id, "attempts").await.parse::<u32>().unwrap() > 3;
    wait_until("the failure of Vespa shows", SOON, failing).await;
    assert!(world.rows.column(id, "error_code").await.starts_with("vespa_"));
    assert_eq!((world.documents(sync).await, world.rows.receipts(id).await.len()), (300, 0));
    refuse_removals(&world, false).await;
    world.rows.wait_for_state(id, "done").await;
    let receipt = world.rows.receipt(id).await;
    let of = |target| (receipt.targets[&target].found, receipt.targets[&target].removed);
    assert_eq!((of(PurgeTarget::Vespa), of(PurgeTarget::Arf)), ((300, 300), (20, 20)));
}

#[tokio::test]
async fn blobs_go_while_vespa_is_away_since_the_middle_of_its_purge() {
    let mut world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 4_000).await;
    world.capture(sync, 20).await;
    world.expects.fault(Fault::VespaAway);
    let id = world.rows.cleanup_of(sync).await;
    let _worker = world.worker(&[("CLEANUP_DOCUMENTS_PER_SECOND", "500")]);
    let removed = async || world.rows.column(id, "progress->'vespa'->>'removed'").await.parse().unwrap_or(0_u64);
    wait_until("progress is stored", SOON, async || removed().await > 0).await;
    world.standin.service().kill();
    assert_eq!(world.blobs(sync).await, 20, "their turn hadn't come");
    wait_until("no blobs are left", SOON, async || world.blobs(sync).await == 0).await;
    assert_eq!(world.rows.receipts(id).await.len(), 0);
    world.standin.restart().await;
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.rows.receipt(id).await.targets[&PurgeTarget::Vespa].found, 4_000);
}
