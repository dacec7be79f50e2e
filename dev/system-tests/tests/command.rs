//! The command `unweave` as a client of the API: deletes, waits, and keeps receipts that are evidence.

use std::path::Path;

use serde_json::{Value, json};
use system_tests::{
    Api, System,
    api::{id_of, ids_of},
    fast_times, write_file,
};
use test_support::{Fault, service_binary};
use tokio::process::Command;

/// Nothing but where the API is, and a key.
fn unweave(url: &str, key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(service_binary("unweave"));
    command.args(arguments).env_clear().env("UNWEAVE_URL", url).env("UNWEAVE_API_KEY", key);
    command
}

async fn run(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

async fn at(api: &Api, arguments: &[&str]) -> (Option<i32>, String) {
    run(unweave(&api.url, &api.key, arguments)).await
}

fn kept(folder: &Path) -> Vec<String> {
    let names = folder.read_dir().unwrap().map(|file| file.unwrap().path().to_str().unwrap().to_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_deletes_in_mid_sync_waits_and_keeps_receipts_that_anybody_verifies() {
    let system = System::new(&fast_times()).await;
    write_file(system.files.path(), "file.txt", "a pelican on a pier");
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let folder = tempfile::tempdir().unwrap();
    let receipts = folder.path().join("receipts");
    let receipts = receipts.to_str().unwrap();

    let collection = api.create_collection().await;
    let running = api.create_timed(&collection, 5000, 60.0).await;
    let (id, sync) = ids_of(&running);
    system.wait_until_writing(api, &id, &sync).await;
    let (code, said) = at(api, &["delete", &id, "--wait"]).await;
    assert!(code == Some(2) && said.contains("--yes"), "nobody is there to be asked: {said}");
    let (code, said) =
        at(api, &["delete", &id, "--wait", "--yes", "--reference", "DSAR-2026-042", "--receipts", receipts]).await;
    assert_eq!(code, Some(0), "{said}");
    for line in ["ok  deleted", "ok  gone", "of the ledger"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    system.assert_gone(&sync).await;

    // A collection with two connections.
    for _ in 0..2 {
        let created = api.create_connection(&collection, "files", json!({"root": "test"}), json!({})).await;
        system.wait_for_job(api, &id_of(&created), "completed").await;
    }
    let whole = ["delete", "--collection", &collection, "--wait", "--yes", "--receipts", receipts, "--output", "json"];
    let (code, said) = at(api, &whole).await;
    assert_eq!(code, Some(0), "{said}");
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((answer["cleanups"].as_array().unwrap().len(), answer["receipts"].as_array().unwrap().len()), (2, 2));
    assert_eq!(api.get(&format!("/collections/{collection}")).await.status, 404);

    let files = kept(Path::new(receipts));
    assert_eq!(files.len(), 3);
    let (code, published) = system.unweave(&["ledger", "keys"]).await;
    assert_eq!(code, Some(0), "{published}");
    let keys = folder.path().join("keys.txt");
    std::fs::write(&keys, published).unwrap();
    for file in &files {
        let verify = ["receipt", "verify", file, "--keys", keys.to_str().unwrap()];
        let (code, said) = at(api, &verify).await;
        assert!(code == Some(0) && said.contains("ok  ledger"), "{said}");
    }

    let cleanup = answer["cleanups"][0].as_str().unwrap();
    let (code, said) = at(api, &["cleanups", "watch", cleanup]).await;
    assert!(code == Some(0) && said.lines().count() == 1 && said.contains("verified empty"), "{said}");
    for (arguments, code) in
        [(["delete", &id, "--yes"], 1), (["delete", "--collection", &collection], 1), (["cleanups", "watch", &id], 1)]
    {
        let (ended, said) = at(api, &arguments).await;
        assert!(ended == Some(code) && said.contains("refused (not_found)"), "{arguments:?}: {said}");
    }
    let (code, said) = run(unweave(&api.url, "no-key", &["delete", &id, "--yes"])).await;
    assert!(code == Some(2) && said.contains("UNWEAVE_API_KEY") && !said.contains("no-key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_goes_on_when_the_gateway_has_gone_away_and_is_back() {
    let system = System::new(&fast_times()).await;
    system.expects.fault(Fault::ProcessLost);
    let mut gateway = system.gateway().await;
    let sync_worker = system.sync_worker().await;
    let collection = gateway.api.create_collection().await;
    let created = gateway.api.create_stub(&collection, 50, 1).await;
    let (id, sync) = ids_of(&created);
    system.wait_for_job(&gateway.api, &id, "completed").await;
    drop(sync_worker);

    let (url, key) = (gateway.api.url.clone(), gateway.api.key.clone());
    let mut waiting = unweave(&url, &key, &["delete", &id, "--wait", "--yes", "--output", "json"]);
    let waiting = waiting.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    // No cleanup-worker runs yet: the command waits for one.
    let deleted = async || system.count("cleanup").await == 1;
    test_support::wait_until("it is deleted", std::time::Duration::from_secs(30), deleted).await;
    gateway.service.kill();
    let listen = url.strip_prefix("http://").unwrap().to_owned();
    let _again = system.gateway_with(&[("LISTEN", &listen)]).await;
    let _cleanup_worker = system.cleanup_worker().await;
    let output = waiting.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert!(answer["receipts"][0]["ledger"].is_object(), "{said}");
    system.assert_gone(&sync).await;
}
