//! PostgreSQL, the index and the blobs are restored from backups that are older than a deletion (DEL-10).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{
    Api, Gateway, System,
    api::{id_of, ids_of},
    fast_times, postgres_program, write_file,
};
use tempfile::TempDir;
use test_support::{copy_folder, wait_until};

const SOON: Duration = Duration::from_secs(60);

/// What an operator has: a dump, and copies of the index and of the blobs.
struct Backup {
    folder: TempDir,
}

impl Backup {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn of(system: &System) -> Self {
        let backup = Self { folder: TempDir::new().unwrap() };
        let dump = backup.path("dump");
        let dump = ["--format=custom", "--file", dump.to_str().unwrap(), &system.database.url];
        run(postgres_program("pg_dump").args(dump)).await;
        copy_folder(&system.vespa.data(), &backup.path("index"));
        copy_folder(&system.arf(), &backup.path("arf"));
        backup
    }

    /// Everything but the ledger store, which nobody restores.
    async fn restore(&self, system: &mut System) {
        system.database.make_empty().await;
        let dump = self.path("dump");
        let restore = ["--exit-on-error", "--dbname", &system.database.url, dump.to_str().unwrap()];
        run(postgres_program("pg_restore").args(restore)).await;
        system.vespa.go_back(&self.path("index")).await;
        empty(&system.arf());
        copy_folder(&self.path("arf"), &system.arf());
    }
}

async fn run(command: &mut tokio::process::Command) {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn empty(folder: &Path) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
}

async fn search(api: &Api, collection: &str) -> (u16, Vec<String>) {
    let body = json!({"query": "pelican", "retrieval_strategy": "keyword", "limit": 100});
    let answer = api.post(&format!("/collections/{collection}/search/instant"), body).await;
    let syncs = answer.body["results"].as_array().into_iter().flatten();
    let sync = |hit: &Value| hit["airweave_system_metadata"]["sync_id"].as_str().unwrap().to_owned();
    (answer.status, syncs.map(sync).collect())
}

async fn receipts(api: &Api, cleanup: &str) -> Vec<Value> {
    let answer = api.get(&format!("/cleanups/{cleanup}/receipts")).await.ok();
    answer.as_array().unwrap().clone()
}

/// A connection that was synced; its ids.
async fn synced(system: &System, gateway: &Gateway, collection: &str) -> (String, String) {
    let created = gateway.api.create_connection(collection, "files", json!({"root": "test"}), json!({})).await;
    system.wait_for_job(&gateway.api, &id_of(&created), "completed").await;
    ids_of(&created)
}

#[tokio::test(flavor = "multi_thread")]
async fn del_10_after_a_restore_of_everything_nothing_deleted_is_seen_and_all_of_it_goes_again() {
    let mut system = System::new(&fast_times()).await;
    write_file(system.files.path(), "file.txt", "a pelican on a pier");
    for event in [
        "PostgreSQL has lost history: nothing is searched, synced or purged",
        "PostgreSQL's history is whole again: searches, syncs and purges go on",
    ] {
        system.expects.event(event);
    }
    let gateway = system.gateway().await;
    let (sync_worker, cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let collection = gateway.api.create_collection().await;
    let (deleted, deleted_sync) = synced(&system, &gateway, &collection).await;
    let (kept, kept_sync) = synced(&system, &gateway, &collection).await;
    let backup = Backup::of(&system).await;

    let answer = gateway.api.delete(&format!("/source-connections/{deleted}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cleanup = answer.headers["x-cleanup-id"].to_str().unwrap().to_owned();
    system.wait_for_cleanups(1).await;
    let published = "ledger_checkpoint WHERE published_at IS NOT NULL AND size >= 2";
    wait_until("the receipt is published", SOON, async || system.count(published).await > 0).await;
    let before = receipts(&gateway.api, &cleanup).await;
    assert_eq!(before.len(), 1);
    drop((gateway, sync_worker, cleanup_worker));

    backup.restore(&mut system).await;
    assert_eq!(system.count(&format!("source_connection WHERE id = '{deleted}'")).await, 1, "it is back");
    let held = system.holdings(&deleted_sync).await;
    assert!(held.documents > 0 && held.blobs > 0, "{held:?}");
    let gateway = system.gateway().await;
    let _workers = system.workers_without_history().await;
    let api = &gateway.api;
    // A job that somebody asks for waits.
    assert_eq!(api.post(&format!("/source-connections/{deleted}/run"), json!({})).await.status, 200);
    assert_eq!(api.post(&format!("/source-connections/{kept}/run"), json!({})).await.status, 200);
    for _ in 0..10 {
        let (status, hits) = search(api, &collection).await;
        assert_eq!((status, hits), (503, vec![]));
        assert_eq!(system.count("sync_job WHERE status = 'running'").await, 0);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let ready = api.get("/health/ready").await;
    assert_eq!(ready.status, 200, "a gateway that stands still deletes: {}", ready.body);
    assert!(ready.body["checks"]["ledger"]["error"].as_str().unwrap().contains("unweave ledger recover"));
    assert_eq!(system.holdings(&deleted_sync).await, held, "nothing is purged");

    let (code, said) = system.unweave(&["ledger", "recover", "--dry-run"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&deleted) && !said.contains(&kept), "{said}");
    assert_eq!(system.count(&format!("source_connection WHERE id = '{deleted}'")).await, 1, "only looked at");
    let (code, said) = system.unweave(&["ledger", "recover"]).await;
    assert_eq!(code, Some(2), "nobody was asked: {said}");
    let (code, said) =
        system.unweave(&["ledger", "recover", "--yes", "--lease-ttl", "4s", "--lease-guard", "2s"]).await;
    assert_eq!(code, Some(0), "{said}");

    wait_until("searches are served again", SOON, async || search(api, &collection).await.0 == 200).await;
    let hits = search(api, &collection).await.1;
    assert!(hits.iter().all(|sync| *sync == kept_sync), "{hits:?}");
    assert_eq!(api.get(&format!("/source-connections/{deleted}")).await.status, 404);
    wait_until("it is purged again", SOON, async || {
        system.count(&format!("cleanup WHERE id = '{cleanup}' AND state = 'done'")).await == 1
    })
    .await;
    let held = system.holdings(&deleted_sync).await;
    assert!(held.is_empty(), "{held:?}");
    // The old receipt is there, and holds no longer; the new one does.
    let after = receipts(api, &cleanup).await;
    assert_eq!(after.len(), 2, "{after:?}");
    assert_eq!(after[1]["receipt"], before[0]["receipt"]);
    assert_eq!(after[1]["signature"], before[0]["signature"], "the same key signs the same");
    assert_eq!(after[1]["superseded_reason"], "restored", "{}", after[1]);
    assert_eq!(after[0]["holds"], true, "{}", after[0]);
    // The job of the connection that stays ran, and read everything.
    system.wait_for_job(api, &kept, "completed").await;
    let (_, hits) = search(api, &collection).await;
    assert!(!hits.is_empty() && hits.iter().all(|sync| *sync == kept_sync), "{hits:?}");
    let naming = system.rows_naming(&[&deleted, &deleted_sync]).await;
    assert!(naming.values().all(|rows| *rows == 0), "{naming:?}");
}
