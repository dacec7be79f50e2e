//! Purges from the row to the receipt.

use std::collections::BTreeMap;
use std::path::PathBuf;

use shared_models::invariant::facts::Honest;
use shared_models::receipt::Receipt;
use shared_models::{Facts as _, Invariant, Message, PurgeTarget, SyncId, WriterEnd};
use test_support::{Fault, Leftover, wait_until};

use crate::support::{SOON, World, fields, keys};

/// A checksum over the sync's documents, and its blobs.
async fn stored(world: &World, sync: SyncId) -> (String, BTreeMap<PathBuf, Vec<u8>>) {
    let field = "field=airweave_system_metadata_sync_id";
    let url = format!("{}/standin/v1/checksum?{field}&value={sync}", world.standin.url);
    let documents = reqwest::get(url).await.unwrap().error_for_status().unwrap().text().await.unwrap();
    let mut blobs = BTreeMap::new();
    let mut folders = vec![world.arf_folder.path().join("raw").join(sync.to_string())];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                blobs.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
    }
    (documents, blobs)
}

/// Ids that our own writer never makes: another namespace, numbers, groups.
async fn feed_foreign(world: &World, sync: SyncId) -> u64 {
    let paths =
        ["other/base_entity/docid/x", "airweave/web_entity/number/7/a%2Fb", "airweave/file_entity/group/it%27s/c"];
    for path in paths {
        let body = serde_json::json!({ "fields": fields(sync, 1) });
        let put = reqwest::Client::new().post(format!("{}/document/v1/{path}", world.standin.url)).json(&body);
        put.send().await.unwrap().error_for_status().unwrap();
    }
    paths.len().try_into().unwrap()
}

#[tokio::test]
async fn del_4_a_purge_empties_both_stores_touches_nothing_else_and_proves_it() {
    let world = World::new().await;
    let (gone, stays) = (SyncId::random(), SyncId::random());
    world.feed(gone, 5_000).await;
    let foreign = feed_foreign(&world, gone).await;
    world.capture(gone, 500).await;
    world.feed(stays, 700).await;
    world.capture(stays, 60).await;
    let (documents, blobs) = (world.documents(gone).await, world.blobs(gone).await);
    assert_eq!((documents, blobs), (5_000 + foreign, 500));
    let before = stored(&world, stays).await;

    let id = world.rows.cleanup_of(gone).await;
    let (worker, admin) = world.ready_worker(&[]).await;
    world.rows.wait_for_state(id, "done").await;

    assert_eq!((world.documents(gone).await, world.blobs(gone).await), (0, 0));
    assert_eq!(stored(&world, stays).await, before, "the other sync is untouched");
    let receipt = world.rows.receipt(id).await;
    assert_counts(&receipt, PurgeTarget::Vespa, documents);
    assert_counts(&receipt, PurgeTarget::Arf, blobs);
    assert_eq!(receipt.targets[&PurgeTarget::Vespa].removed_by_type.len(), 5);
    assert_eq!((receipt.sync_id, receipt.entity_rows_deleted), (gone, 7));
    assert_eq!((receipt.writer_end, receipt.checked_again_at), (WriterEnd::Acknowledged, None));
    assert_eq!(world.rows.events("CleanupCompleted").await, 1);

    let purged = world.metric(&admin, "unweave_purged_total{target=\"vespa\"}").await;
    assert!((purged - f64::from(u32::try_from(documents).unwrap())).abs() < 0.5, "{purged}");
    assert!(world.metric(&admin, "unweave_cleanups{state=\"done\"}").await > 0.5);
    let request = world.rows.column(id, "request_id").await;
    let lines: Vec<String> = worker.log().lines().filter(|line| line.contains(&request)).map(str::to_owned).collect();
    for said in ["cleanup claimed", "settling", "cleanup done"] {
        assert!(lines.iter().any(|line| line.contains(said)), "{said} carries the request id");
    }
}

#[tokio::test]
async fn a_receipt_says_when_the_key_went_and_calls_unreadable_only_what_is() {
    let world = World::new().await;
    let told = [
        ("blob_key_destroyed_at = rows_deleted_at, has_plain_blobs = false", true),
        ("blob_key_destroyed_at = rows_deleted_at, has_plain_blobs = true", false),
        ("blob_key_destroyed_at = NULL, has_plain_blobs = false", false),
    ];
    let mut cleanups = Vec::new();
    for (assignments, is_unreadable) in told {
        let id = world.rows.cleanup_of(SyncId::random()).await;
        world.rows.set(id, assignments).await;
        cleanups.push((id, is_unreadable));
    }
    let _worker = world.ready_worker(&[]).await;
    for (id, is_unreadable) in cleanups {
        world.rows.wait_for_state(id, "done").await;
        let receipt = world.rows.receipt(id).await;
        assert_eq!(receipt.form, 3);
        let had_key = !world.rows.column(id, "blob_key_destroyed_at").await.is_empty();
        assert_eq!(receipt.blob_key_destroyed_at, had_key.then_some(receipt.rows_deleted_at));
        let out_of_reach = receipt.out_of_reach.join(" ");
        assert_eq!(out_of_reach.contains("unreadable"), is_unreadable, "{out_of_reach}");
        assert_eq!(out_of_reach.contains("may be readable"), !is_unreadable, "{out_of_reach}");
        assert!(out_of_reach.contains("embedder"), "{out_of_reach}");
    }
}

fn assert_counts(receipt: &Receipt, target: PurgeTarget, count: u64) {
    let proof = &receipt.targets[&target];
    assert_eq!((proof.found, proof.removed, proof.rounds), (count, count, 1));
    assert_eq!(proof.removed_by_type.values().sum::<u64>(), count);
    assert!(proof.verified_empty_at > receipt.rows_deleted_at && proof.verified_empty_at <= receipt.issued_at);
}

/// Such a row was written before the build knew its other target.
#[tokio::test]
async fn del_7_a_row_that_names_one_target_is_done_when_every_target_of_the_build_is_empty() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 20).await;
    world.capture(sync, 30).await;
    for target in PurgeTarget::ALL {
        let id = world.rows.cleanup_of(sync).await;
        world.rows.set(id, &format!("targets = ARRAY['{target}'], sync_id = '{sync}'")).await;
        let (mut worker, _) = world.ready_worker(&[]).await;
        world.rows.wait_for_state(id, "done").await;
        assert_eq!((world.documents(sync).await, world.blobs(sync).await), (0, 0));
        let receipt = world.rows.receipt(id).await;
        let certified: Vec<PurgeTarget> = receipt.targets.into_keys().collect();
        Honest { required: PurgeTarget::ALL, verified: &certified, is_settled: true }.check().unwrap();
        worker.kill();
        world.rows.test.execute("DELETE FROM receipt; DELETE FROM cleanup").await;
        world.feed(sync, 20).await;
        world.capture(sync, 30).await;
    }
}

#[tokio::test]
async fn nothing_to_remove_is_proven_too() {
    let world = World::new().await;
    let id = world.rows.cleanup_of(SyncId::random()).await;
    let _worker = world.worker(&[]);
    world.rows.wait_for_state(id, "done").await;
    let receipt = world.rows.receipt(id).await;
    let found: BTreeMap<_, _> = receipt.targets.iter().map(|(target, proof)| (*target, proof.found)).collect();
    assert_eq!(found, BTreeMap::from([(PurgeTarget::Vespa, 0), (PurgeTarget::Arf, 0)]));
}

#[tokio::test]
async fn a_message_is_a_bell_that_is_acknowledged_at_once() {
    let world = World::new().await;
    let (worker, _) = world.ready_worker(&[("CLEANUP_POLL_INTERVAL", "1h")]).await;
    world.wait_until_consuming(&worker).await;
    let id = world.rows.cleanup_of(SyncId::random()).await;
    let bell = Message::CleanupRequested { cleanup_id: id }.encode();
    assert!(world.broker.publish_raw("", "cleanup.requests", &bell, &[]).await);
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.broker.queue_depth("cleanup.requests").await, Some(0));
}

#[tokio::test]
async fn del_5_without_any_broker_the_timer_does_it() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 50).await;
    let id = world.rows.cleanup_of(sync).await;
    let nowhere = format!("amqp://nobody:nothing@127.0.0.1:{}/%2f", test_support::free_port());
    world.expects.fault(Fault::RabbitMqAway);
    let _worker = world.worker(&[("AMQP_URL", &nowhere)]);
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.documents(sync).await, 0);
}

#[tokio::test]
async fn garbage_goes_to_the_dead_and_stops_nobody() {
    let world = World::new().await;
    let (worker, _) = world.ready_worker(&[]).await;
    world.wait_until_consuming(&worker).await;
    world.expects.event("moved a message to the queue of dead ones");
    world.rest.may_leave([Leftover::DeadLetters]);
    assert!(world.broker.publish_raw("", "cleanup.requests", b"\xff not json", &[]).await);
    wait_until("it is dead", SOON, async || world.broker.queue_depth("dead").await == Some(1)).await;
    let newer = br#"{"type":"CleanupRequested","version":9}"#;
    assert!(world.broker.publish_raw("", "cleanup.requests", newer, &[]).await);
    let id = world.rows.cleanup_of(SyncId::random()).await;
    world.rows.wait_for_state(id, "done").await;
    wait_until("all is consumed", SOON, async || world.broker.queue_depth("cleanup.requests").await == Some(0)).await;
    assert_eq!(world.broker.queue_depth("dead").await, Some(1), "an unknown version isn't garbage");
}

#[tokio::test]
async fn what_reappears_while_settling_is_purged_and_settles_anew() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 20).await;
    let id = world.rows.cleanup_of(sync).await;
    let worker = world.worker(&[("SETTLE_DELAY", "3s")]);
    world.rows.wait_for_state(id, "settling").await;
    world.feed(sync, 3).await;
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.documents(sync).await, 0);
    let vespa = world.rows.receipt(id).await.targets[&PurgeTarget::Vespa].clone();
    assert_eq!((vespa.found, vespa.removed, vespa.rounds), (23, 23, 2));
    let took = world.rows.column(id, "extract(epoch FROM completed_at - rows_deleted_at)").await;
    assert!(took.parse::<f64>().unwrap() >= 6.0, "two settle delays, not {took} s");
    assert_eq!(worker.log().matches("all targets verified empty; settling").count(), 2);
}

#[tokio::test]
async fn after_a_writer_that_ended_by_its_lease_a_later_check_appends_a_receipt() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 20).await;
    let id = world.rows.cleanup_of(sync).await;
    world.rows.set(id, "writer_end = 'lease'").await;
    let worker = world.worker(&[("LATE_WRITE_CHECK", "3s")]);
    world.rows.wait_for_state(id, "done").await;
    let first: Receipt = serde_json::from_value(world.rows.receipts(id).await[0].receipt.clone()).unwrap();
    assert!(first.checked_again_at.unwrap() > first.issued_at);
    world.feed(sync, 2).await;
    wait_until("a second receipt", SOON, async || world.rows.receipts(id).await.len() == 2).await;
    assert_eq!((world.rows.state(id).await.as_str(), world.documents(sync).await), ("done", 0));
    let receipts = world.rows.receipts(id).await;
    receipts[1].signed_by(&keys()).unwrap();
    let second: Receipt = serde_json::from_value(receipts[1].receipt.clone()).unwrap();
    assert_eq!(second.checked_again_at, first.checked_again_at);
    assert!(second.checked_again_at.unwrap() < second.issued_at, "this is that check's receipt");
    assert_eq!((second.targets[&PurgeTarget::Vespa].found, second.targets[&PurgeTarget::Vespa].removed), (22, 22));
    assert_eq!(world.rows.column(id, "check_again_at").await, "", "and there is no third");
    assert_eq!(worker.log().matches("cleanup done").count(), 2);
}

/// A cleanup is refused, and stays so.
fn refuse_expected(world: &World) {
    world.expects.event("refused to purge: the sync is live in PostgreSQL");
    world.expects.violation(Invariant::Exact);
    world.rest.may_leave([Leftover::Cleanups]);
}

#[tokio::test]
async fn del_4_a_live_sync_is_refused_and_nothing_of_it_is_touched() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 40).await;
    world.capture(sync, 10).await;
    refuse_expected(&world);
    world.rows.live(sync).await;
    let before = stored(&world, sync).await;
    let (worker, admin) = world.ready_worker(&[]).await;
    let id = world.rows.cleanup_of(sync).await;
    world.rows.wait_for_state(id, "refused").await;
    assert_eq!(stored(&world, sync).await, before);
    assert_eq!(world.rows.receipts(id).await.len(), 0);
    let refused = async || world.metric(&admin, "unweave_cleanup_refused_total").await > 0.5;
    wait_until("the alarm's metric", SOON, refused).await;
    let violations = "unweave_invariant_violations_total{invariant=\"DEL-4\"}";
    assert_eq!(world.metric(&admin, violations).await, 1.0);
    assert!(worker.log().contains("DEL-4"));
}

#[tokio::test]
async fn del_4_a_sync_that_turns_out_live_in_mid_purge_is_refused_at_the_next_slice() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 1_000).await;
    let id = world.rows.cleanup_of(sync).await;
    let _worker = world.worker(&[("CLEANUP_DOCUMENTS_PER_SECOND", "100")]);
    wait_until("the purge has begun", SOON, async || world.documents(sync).await < 1_000).await;
    refuse_expected(&world);
    world.rows.live(sync).await;
    world.rows.wait_for_state(id, "refused").await;
    assert!(world.documents(sync).await > 500, "it stopped within a slice");
}
