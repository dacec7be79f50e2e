//! `make bench-ledger`: a ledger of a million entries. How fast it is sequenced and published, what it takes in the
//! store, what checking it takes, what a proof takes, and what it takes to put ten thousand lost deletions back. Then
//! how long a receipt waits for its proof.
//!
//! `LEDGER_SCALE` divides the numbers; docs/performance.md shows 1.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench panics, and talks to people"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::{System, copies, fast_times};
use test_support::wait_until;
use uuid::Uuid;

const ENTRIES: u64 = 1_000_000;
const LOST: u64 = 10_000;
const PROOFS: usize = 200;
const CLEANUPS: usize = 50;
const LONG: Duration = Duration::from_secs(1_800);

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench());
}

#[expect(clippy::disallowed_methods, reason = "a bench has no settings struct")]
async fn bench() {
    let scale: u64 = std::env::var("LEDGER_SCALE").map_or(1, |scale| scale.parse().unwrap());
    let (entries, lost) = (ENTRIES / scale, LOST / scale);
    let system = System::for_bench(&fast_times()).await;
    let mut gateway = Some(system.gateway().await);
    let key = verifier_key(&system).await;
    let cleanup_with_receipt = a_receipt(&system).await;
    make_connections(&system, gateway.as_ref().unwrap(), lost).await;
    fill(&system, entries - lost).await;
    sequence_and_publish(&system).await;
    proofs(gateway.as_ref().unwrap(), &cleanup_with_receipt).await;
    verify(&system, &key).await;
    drop(gateway.take());
    recover(&system, lost).await;
    lag(&system).await;
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

fn per_second(count: i64, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / seconds
}

async fn verifier_key(system: &System) -> String {
    let (code, said) = system.unweave(&["ledger", "keys"]).await;
    assert_eq!(code, Some(0), "{said}");
    said.lines().last().unwrap().to_owned()
}

/// A cleanup that is done, whose receipt is the first entry.
async fn a_receipt(system: &System) -> Uuid {
    let cleanup = system.request_cleanup(Uuid::new_v4()).await.0;
    system
        .database
        .arrange(&format!(
            "UPDATE cleanup SET state = 'done', completed_at = clock_timestamp(),
                    organization_id = (SELECT id FROM organization) WHERE id = '{cleanup}';
             WITH told AS (
                 SELECT gen_random_uuid() AS id, jsonb_build_object('receipt', jsonb_build_object('form', 3), 'signature',
                            jsonb_build_object('algorithm', 'Ed25519', 'key_id', 'x', 'value', 'x')) AS signed
             ), entered AS (
                 INSERT INTO ledger_entry (entry)
                 SELECT jsonb_build_object('form', 1, 'kind', 'receipt', 'receipt', signed->'receipt') FROM told
                 RETURNING id
             ), waits AS (INSERT INTO ledger_pending (entry_id) SELECT id FROM entered)
             INSERT INTO receipt (id, cleanup_id, signed, entry_id)
             SELECT told.id, '{cleanup}', signed, entered.id FROM told, entered"
        ))
        .await;
    cleanup
}

/// Connections that are deleted later.
async fn make_connections(system: &System, gateway: &system_tests::Gateway, count: u64) {
    let collection = gateway.api.create_collection().await;
    assert!(gateway.api.create_stub(&collection, 10, 1).await["id"].is_string());
    copies::make(&system.database, 0..usize::try_from(count).unwrap()).await;
}

/// So many deletions that nothing else knows of.
async fn fill(system: &System, count: u64) {
    let ids = "gen_random_uuid()";
    system
        .database
        .execute(&format!(
            "INSERT INTO ledger_entry (organization_id, entry)
             SELECT gone.organization_id, ledger_deleted(gone) FROM (
                 SELECT (jsonb_populate_record(NULL::cleanup, jsonb_build_object('id', {ids}, 'sync_id', {ids},
                     'organization_id', {ids}, 'collection_id', {ids}, 'source_connection_id', {ids},
                     'requested_by', {ids}, 'request_id', {ids}, 'deletion_requested_at', clock_timestamp(),
                     'rows_deleted_at', clock_timestamp(), 'entity_rows_deleted', 7, 'writer_end', 'acknowledged',
                     'targets', jsonb_build_array('vespa', 'arf'), 'blob_key_destroyed_at', clock_timestamp(),
                     'has_plain_blobs', false))).* FROM generate_series(1, {count})
             ) AS gone;
             ANALYZE ledger_entry, ledger_pending"
        ))
        .await;
}

async fn sequence_and_publish(system: &System) {
    let entries = system.count("ledger_pending").await;
    let worker = system.cleanup_worker().await;
    let began = Instant::now();
    let checkpoints = "ledger_checkpoint WHERE size = (SELECT count(*) FROM ledger_entry) AND published_at IS NOT NULL";
    wait_until("everything is published", LONG, async || system.count(checkpoints).await == 1).await;
    let took = seconds(began);
    let cpu = system_tests::process::cpu_of(&worker.service);
    let peak = system_tests::process::peak_kib(&worker.service) / 1024;
    let spans = "SELECT extract(epoch FROM max(signed_at) - min(signed_at))::float8 FROM ledger_checkpoint";
    let sequencing: f64 = system.sql().await.query_one(spans, &[]).await.unwrap().get(0);
    let (files, bytes) = footprint(&system.ledger());
    println!(
        "{entries} entries sequenced and published in {took:.0} s ({:.0} a second; from the first to the last signature \
         {sequencing:.0} s), {cpu:.0} s of processor time, peak {peak} MiB; in the store {files} files, {:.0} MiB",
        per_second(entries, took),
        f64::from(u32::try_from(bytes / 1024).unwrap()) / 1024.0,
    );
}

fn footprint(folder: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                bytes += entry.metadata().unwrap().len();
            }
        }
    }
    (files, bytes)
}

/// A receipt with its proof, as clients ask for it.
async fn proofs(gateway: &system_tests::Gateway, cleanup: &Uuid) {
    let path = format!("/cleanups/{cleanup}/receipt");
    let mut times = Vec::new();
    let mut hashes = 0;
    for _ in 0..PROOFS {
        let began = Instant::now();
        let answer = gateway.api.get(&path).await;
        times.push(seconds(began) * 1000.0);
        hashes = answer.ok()["ledger"]["inclusion_proof"].as_array().unwrap().len();
    }
    times.sort_by(f64::total_cmp);
    let peak = system_tests::process::peak_kib(&gateway.service) / 1024;
    println!(
        "a receipt with its proof of {hashes} hashes: median {:.1} ms, 99 of 100 within {:.1} ms; the gateway's peak {peak} MiB",
        times[PROOFS / 2],
        times[PROOFS * 99 / 100]
    );
}

/// How long a command took, its peak in MiB, and what it said.
async fn measured(system: &System, arguments: &[&str]) -> (f64, u64, String) {
    let began = Instant::now();
    let child = system.unweave_command(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id().unwrap();
    let watch = async move {
        let mut peak = 0;
        while let Ok(status) = tokio::fs::read_to_string(format!("/proc/{pid}/status")).await {
            let Some(kib) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { break };
            peak = kib.trim().trim_end_matches(" kB").parse().unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        peak
    };
    let (peak, output): (u64, _) = futures::join!(watch, child.wait_with_output());
    let output = output.unwrap();
    let took = seconds(began);
    let mut said = String::from_utf8(output.stdout).unwrap();
    if !output.status.success() {
        write!(said, "{:?} {}", output.status, String::from_utf8_lossy(&output.stderr)).unwrap();
        panic!("{said}");
    }
    (took, peak / 1024, said)
}

async fn verify(system: &System, key: &str) {
    let folder = system.ledger();
    let folder = folder.to_str().unwrap();
    let (took, peak, _) = measured(system, &["ledger", "verify", folder, "--key", key]).await;
    println!("unweave ledger verify of the whole copy: {took:.1} s, peak {peak} MiB");
    let (took, peak, _) = measured(system, &["ledger", "status", folder, "--key", key]).await;
    println!("unweave ledger status: {took:.2} s, peak {peak} MiB");
}

/// The connections are deleted, that is published, and PostgreSQL goes back to before.
async fn recover(system: &System, lost: u64) {
    let kept = system.database.keep().await;
    let prefix = copies::CONNECTION;
    system
        .database
        .execute(&format!(
            "INSERT INTO ledger_entry (organization_id, entry)
             SELECT gone.organization_id, ledger_deleted(gone) FROM (
                 SELECT (jsonb_populate_record(NULL::cleanup, jsonb_build_object('id', gen_random_uuid(),
                     'sync_id', s.id, 'organization_id', c.organization_id, 'collection_id', c.collection_id,
                     'source_connection_id', c.id, 'requested_by', gen_random_uuid(), 'request_id', gen_random_uuid(),
                     'deletion_requested_at', clock_timestamp(), 'rows_deleted_at', clock_timestamp(),
                     'entity_rows_deleted', 20, 'writer_end', 'acknowledged', 'targets', jsonb_build_array('vespa', 'arf'),
                     'has_plain_blobs', true))).*
                 FROM source_connection c JOIN sync s ON s.source_connection_id = c.id WHERE c.id::text LIKE '{prefix}-%'
             ) AS gone;
             DELETE FROM source_connection WHERE id::text LIKE '{prefix}-%'"
        ))
        .await;
    let worker = system.cleanup_worker().await;
    let all = "ledger_checkpoint WHERE size = (SELECT count(*) FROM ledger_entry) AND published_at IS NOT NULL";
    wait_until("the deletions are published", LONG, async || system.count(all).await == 1).await;
    drop(worker);
    system.database.go_back(&kept).await;
    let (looked, _, said) = measured(system, &["ledger", "recover", "--dry-run", "--output", "json"]).await;
    let plan: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(plan["connections"].as_array().unwrap().len(), usize::try_from(lost).unwrap());
    let (took, peak, said) = measured(system, &["ledger", "recover", "--yes", "--output", "json"]).await;
    let done: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(done["put_back"]["connections_deleted"], json!(lost), "{done}");
    assert_eq!(system.count(&format!("source_connection WHERE id::text LIKE '{prefix}-%'")).await, 0);
    println!(
        "recover with {lost} lost deletions, all of them back: {took:.1} s, peak {peak} MiB; --dry-run {looked:.1} s"
    );
}

/// From done to a published receipt.
async fn lag(system: &System) {
    // What was put back is no part of it, and nobody holds it yet.
    system.database.arrange("UPDATE cleanup SET state = 'done' WHERE state <> 'done'").await;
    let _worker = system.cleanup_worker_with(&[("SETTLE_DELAY", "100ms")]).await;
    for _ in 0..CLEANUPS {
        system.request_cleanup(Uuid::new_v4()).await;
    }
    let open = "cleanup WHERE state <> 'done'";
    wait_until("every cleanup is done", LONG, async || system.count(open).await == 0).await;
    let unpublished = "receipt r LEFT JOIN ledger_index i USING (entry_id)
                       WHERE i.index IS NULL OR NOT EXISTS (SELECT FROM ledger_checkpoint c
                                                            WHERE c.size > i.index AND c.published_at IS NOT NULL)";
    wait_until("every receipt is published", LONG, async || system.count(unpublished).await == 0).await;
    let row = system
        .sql()
        .await
        .query_one(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY lag), max(lag), count(*) FROM (
                 SELECT extract(epoch FROM (SELECT min(published_at) FROM ledger_checkpoint c WHERE c.size > i.index)
                                           - r.issued_at)::float8 AS lag
                 FROM receipt r JOIN ledger_index i USING (entry_id)
                 ORDER BY r.issued_at DESC LIMIT $1) AS lags",
            &[&i64::try_from(CLEANUPS).unwrap()],
        )
        .await
        .unwrap();
    let (median, longest): (f64, f64) = (row.get(0), row.get(1));
    println!(
        "from done to a published receipt, {CLEANUPS} cleanups: median {median:.2} s, longest {longest:.2} s (target: 5)"
    );
}
