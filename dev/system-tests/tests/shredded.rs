//! Shredding: after a DELETE a copy of the blobs is worth nothing, whatever else one has.
//!
//! The blobs are read here beside our own code, by what its documentation says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce, XChaCha20Poly1305, XNonce};
use regex::Regex;
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared_models::{SyncId, derived_key};
use system_tests::{
    System,
    api::{id_of, ids_of},
    fast_times, postgres_program, write_file,
};

type Key = [u8; 32];

/// The name of the one key of every system's ring.
const RING_ID: &str = "test";

fn ring_key() -> Key {
    std::array::from_fn(|at| u8::try_from(at + 1).unwrap())
}

/// Blobs of one sync by their path below its prefix, the manifest left out.
type Blobs = BTreeMap<String, Vec<u8>>;

fn copy_of(arf: &Path, sync: &str) -> Blobs {
    let mut blobs = Blobs::new();
    for folder in ["entities", "files"] {
        for blob in std::fs::read_dir(arf.join("raw").join(sync).join(folder)).unwrap() {
            let blob = blob.unwrap();
            let path = format!("{folder}/{}", blob.file_name().to_str().unwrap());
            blobs.insert(path, std::fs::read(blob.path()).unwrap());
        }
    }
    blobs
}

/// What `pg_dump` says of the database, but for what the tests keep there for themselves.
async fn dump(system: &System) -> String {
    let output = postgres_program("pg_dump").args(["--schema=public", &system.database.url]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every key that there is: of the ring and made from it, every 32 bytes in a row of any value in the dump, and what
/// the ring unwraps of it.
fn every_key(dump: &str, sync: SyncId) -> BTreeSet<Key> {
    let ring = ring_key();
    let wrapping = *derived_key(&ring, b"unweave wrap blob keys 1").expose_secret();
    let mut keys = BTreeSet::from([ring, wrapping]);
    keys.insert(*derived_key(&ring, b"unweave entity keys 1").expose_secret());
    let wrapped = [b"unweave blob key 1".as_slice(), sync.0.as_bytes(), RING_ID.as_bytes()].concat();
    for value in Regex::new("[0-9a-f]{64,}").unwrap().find_iter(dump) {
        let value = hex::decode(&value.as_str()[..value.len() / 2 * 2]).unwrap();
        keys.extend(value.windows(32).map(|window| Key::try_from(window).unwrap()));
        for window in value.windows(72) {
            let nonce = XNonce::try_from(&window[..24]).unwrap();
            for key in [ring, wrapping] {
                let payload = Payload { msg: &window[24..], aad: &wrapped };
                let unwrapped = XChaCha20Poly1305::new(&key.into()).decrypt(&nonce, payload);
                keys.extend(unwrapped.ok().map(|key| Key::try_from(key).unwrap()));
            }
        }
    }
    keys
}

/// The content of a blob of `sync`, if the key is its.
fn open(key: &Key, sync: SyncId, path: &str, blob: &[u8]) -> Option<Vec<u8>> {
    assert_eq!(&blob[..5], b"\x93UWB\x01", "{path}");
    let aad = [&[1], sync.0.as_bytes().as_slice(), format!("{sync}/{path}").as_bytes()].concat();
    let payload = |aad| Payload { msg: &blob[29..], aad };
    let nonce = XNonce::try_from(&blob[5..29]).unwrap();
    let opened = XChaCha20Poly1305::new(&(*key).into()).decrypt(&nonce, payload(&aad));
    // Nor does anything else of it, taken for what it isn't.
    let short = Nonce::try_from(&blob[5..17]).unwrap();
    assert!(ChaCha20Poly1305::new(&(*key).into()).decrypt(&short, payload(&[])).is_err());
    opened.ok()
}

/// How many of the blobs can be decrypted by anything there is.
async fn readable(system: &System, sync: &str, blobs: &Blobs) -> usize {
    let sync: SyncId = sync.parse().unwrap();
    let keys = every_key(&dump(system).await, sync);
    blobs.iter().filter(|(path, blob)| keys.iter().any(|key| open(key, sync, path, blob).is_some())).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_delete_a_copy_of_the_blobs_is_unreadable_with_a_dump_and_every_key_there_is() {
    let system = System::new(&fast_times()).await;
    for file in 0..8 {
        write_file(system.files.path(), &format!("file-{file}.txt"), &format!("pelican number {file}"));
    }
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let mut twins = Vec::new();
    for _ in 0..2 {
        let twin = api.create_connection(&collection, "files", json!({"root": "test"}), json!({})).await;
        system.wait_for_job(api, &id_of(&twin), "completed").await;
        twins.push(ids_of(&twin));
    }
    let [(deleted, deleted_sync), (_, spared_sync)] = &twins[..] else { panic!() };
    let (copy, spared) = (copy_of(&system.arf(), deleted_sync), copy_of(&system.arf(), spared_sync));
    assert_eq!((copy.len(), spared.len()), (16, 16));
    assert!(copy.keys().all(|path| !spared.contains_key(path)), "the same files have no name in common");

    // The procedure is one: before the DELETE it reads them all.
    assert_eq!(readable(&system, deleted_sync, &copy).await, 16);
    let answer = api.delete(&format!("/source-connections/{deleted}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(readable(&system, deleted_sync, &copy).await, 0, "from the answer on");
    assert_eq!(readable(&system, spared_sync, &spared).await, 16);

    system.wait_for_cleanups(1).await;
    system.assert_gone(deleted_sync).await;
    assert_eq!(readable(&system, deleted_sync, &copy).await, 0);

    let cleanup = answer.headers["x-cleanup-id"].to_str().unwrap();
    let shown = api.get(&format!("/cleanups/{cleanup}")).await.ok();
    let receipt = api.get(&format!("/cleanups/{cleanup}/receipt")).await.ok()["receipt"].clone();
    for told in [&shown, &receipt] {
        assert_eq!(told["blob_key_destroyed_at"], told["rows_deleted_at"], "{told}");
        assert_eq!(told["has_plain_blobs"], false, "{told}");
    }
    assert_eq!(receipt["form"], 3);
    let out_of_reach = receipt["out_of_reach"].to_string();
    assert!(out_of_reach.contains("unreadable since their key went"), "{out_of_reach}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_calls_nothing_unreadable_that_was_ever_plain() {
    let mut settings = fast_times();
    settings.push(("ARF_ENCRYPTION", "off"));
    let system = System::new(&settings).await;
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let (id, sync) = ids_of(&api.create_stub(&collection, 10, 1).await);
    system.wait_for_job(api, &id, "completed").await;
    let copy = copy_of(&system.arf(), &sync);
    assert!(copy.iter().filter(|(path, _)| path.starts_with("entities/")).all(|(_, blob)| blob.starts_with(b"{")));
    let answer = api.delete(&format!("/source-connections/{id}")).await;
    system.wait_for_cleanups(1).await;
    system.assert_gone(&sync).await;
    let cleanup = answer.headers["x-cleanup-id"].to_str().unwrap();
    let receipt = api.get(&format!("/cleanups/{cleanup}/receipt")).await.ok()["receipt"].clone();
    assert_eq!(
        (&receipt["blob_key_destroyed_at"], &receipt["has_plain_blobs"]),
        (&receipt["rows_deleted_at"], &json!(true))
    );
    let out_of_reach = receipt["out_of_reach"].to_string();
    assert!(out_of_reach.contains("may be readable") && !out_of_reach.contains("unreadable"), "{out_of_reach}");
}
