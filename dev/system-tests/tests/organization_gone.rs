//! `unweave organizations delete`: an organization goes with everything under load, and another one beside it notices
//! nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{
    Api, System,
    api::{id_of, ids_of},
    fast_times, write_file,
};
use test_support::wait_until;

const SOON: Duration = Duration::from_secs(60);

/// Makes collections and connections as fast as it is answered, until its key is refused.
async fn press_on(api: Api, made: Arc<AtomicU64>, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        let collection = api.post("/collections", json!({"name": "more"})).await;
        let Some(readable_id) = collection.body["readable_id"].as_str() else {
            assert_eq!(collection.status, 403, "{}", collection.body);
            return;
        };
        made.fetch_add(1, Ordering::Relaxed);
        let body = json!({
            "short_name": "stub", "readable_collection_id": readable_id, "config": {"entity_count": 5},
            "authentication": {"credentials": {"stub_key": "k"}}, "schedule": {"cron": null},
        });
        let created = api.post("/source-connections", body).await;
        assert!([200, 403, 404, 409].contains(&created.status), "{}", created.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_goes_with_everything_under_load_and_another_notices_nothing() {
    let system = System::new(&fast_times()).await;
    write_file(system.files.path(), "file.txt", "a pelican on a pier");
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let stays = &gateway.api;
    let goes = system.second_organization(&gateway).await;

    let beside = stays.create_collection().await;
    let created = stays.create_connection(&beside, "files", json!({"root": "test"}), json!({})).await;
    system.wait_for_job(stays, &id_of(&created), "completed").await;
    let (_, beside_sync) = ids_of(&created);
    let before = (system.holdings(&beside_sync).await, stays.search(&beside, "pelican").await.len());

    let collection = goes.create_collection().await;
    let running = goes.create_timed(&collection, 5000, 60.0).await;
    let (connection, sync) = ids_of(&running);
    system.wait_until_writing(&goes, &connection, &sync).await;
    let organization = "SELECT organization_id::text FROM source_connection WHERE id = $1::text::uuid";
    let organization: String = system.sql().await.query_one(organization, &[&connection]).await.unwrap().get(0);
    let (made, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let load: Vec<_> = (0..4).map(|_| tokio::spawn(press_on(goes.clone(), made.clone(), is_over.clone()))).collect();
    wait_until("the load is under way", SOON, async || made.load(Ordering::Relaxed) > 4).await;

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let summary = file("summary.json");
    let (code, said) = system.unweave(&["organizations", "delete", &organization, "--summary", &summary]).await;
    assert!(code == Some(2) && said.contains("--yes"), "nobody is there to be asked: {said}");
    assert_eq!(system.count(&format!("organization WHERE id = '{organization}'")).await, 1);
    let delete =
        ["organizations", "delete", &organization, "--reference", "contract ended", "--summary", &summary, "--yes"];
    let (code, said) = system.unweave(&delete).await;
    assert_eq!(code, Some(0), "{said}");
    is_over.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }

    // Nothing of it is left anywhere but in what proves that.
    let naming = system.rows_naming(&[&organization, &connection, &sync]).await;
    assert_eq!(naming.values().sum::<i64>(), 0, "{naming:?}");
    let syncs = "SELECT sync_id::text FROM cleanup WHERE organization_id = $1::text::uuid";
    let syncs = system.sql().await.query(syncs, &[&organization]).await.unwrap();
    assert!(!syncs.is_empty());
    for sync in &syncs {
        system.assert_gone(sync.get(0)).await;
    }
    assert_eq!(goes.get("/collections").await.status, 403);
    let after = (system.holdings(&beside_sync).await, stays.search(&beside, "pelican").await.len());
    assert_eq!(after, before, "the other is untouched");
    assert_eq!(stays.get(&format!("/collections/{beside}")).await.status, 200);

    // One summary names every receipt, and all of it is evidence for somebody with nothing but files and keys.
    let (code, keys) = system.unweave(&["ledger", "keys"]).await;
    assert_eq!(code, Some(0));
    std::fs::write(file("keys.txt"), keys).unwrap();
    let archive = file("receipts.zip");
    let export = ["receipt", "export", "--organization", &organization, "--format", "ndjson", "--to", &archive];
    assert_eq!(system.unweave(&export).await.0, Some(0));
    std::fs::create_dir(folder.path().join("receipts")).unwrap();
    for line in std::fs::read_to_string(&archive).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["holds"] == true {
            let name = format!("receipts/{}.json", line["receipt_id"].as_str().unwrap());
            std::fs::write(folder.path().join(name), line["file"].to_string()).unwrap();
        }
    }
    let published = "receipt r JOIN ledger_index i ON i.entry_id = r.entry_id
                     JOIN (SELECT max(size) AS size FROM ledger_checkpoint WHERE published_at IS NOT NULL) c
                         ON i.index < c.size WHERE r.superseded_at IS NULL";
    let all = i64::try_from(syncs.len()).unwrap();
    wait_until("all receipts are published", SOON, async || system.count(published).await >= all).await;
    let (keys, receipts, copy) = (file("keys.txt"), file("receipts"), system.ledger());
    let copy = copy.to_str().unwrap();
    let verify = ["receipt", "verify-summary", &summary, "--keys", &keys, "--receipts", &receipts, "--ledger", copy];
    let (code, said) = system.unweave(&verify).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("all {all} are there")), "{said}");

    // Again: it only says the same, and a receipt that is missing is missed.
    let (code, said) = system.unweave(&["organizations", "delete", &organization, "--output", "json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let again: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(again["summary"]["receipts"].as_array().unwrap().len(), syncs.len());
    let first = again["summary"]["receipts"][0]["receipt_id"].as_str().unwrap();
    std::fs::remove_file(folder.path().join(format!("receipts/{first}.json"))).unwrap();
    let (code, said) = system.unweave(&verify).await;
    assert!(code == Some(1) && said.contains("refused (missing)"), "{said}");
    let unknown = ["organizations", "delete", "00000000-0000-4000-8000-000000000000", "--yes"];
    let (code, said) = system.unweave(&unknown).await;
    assert!(code == Some(1) && said.contains("refused (not_found)"), "{said}");
}
