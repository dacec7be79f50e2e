//! What versions before blob keys left, is moved over by the next job: rows, documents and blobs whose names are
//! unkeyed hashes, and blobs that are plain.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared_models::{DocumentId, DocumentType, EntityKey, JobStatus};
use test_support::{Fault, wait_until};
use wiremock::matchers::method;

use crate::job::counts;
use crate::refused::refusing_vespa;
use crate::stage::{BOUND, Connection, Stage};

const STORE: Duration = Duration::from_secs(5);

/// As the first versions named entities.
fn older_key(class: &str, id: &str) -> EntityKey {
    let digest = Sha256::digest([class.as_bytes(), &[0], id.as_bytes()].concat());
    EntityKey(digest.first_chunk::<16>().copied().unwrap())
}

/// A row of `entity`, before it is made an older one.
struct Row {
    key: EntityKey,
    older_key: EntityKey,
    document_type: DocumentType,
    chunk_count: i32,
    file_name: Option<String>,
}

/// Makes everything that a sync left what an older version would have left: names, blobs, hashes, cursor, manifest, and
/// a row without a key.
async fn make_older(stage: &Stage, connection: Connection) {
    let sync = connection.sync;
    let client = stage.rows.client().await;
    let sql = "SELECT entity_key, entity_class, entity_id, document_type, chunk_count, file_name FROM entity
               WHERE sync_id = $1";
    let rows = client.query(sql, &[&sync.0]).await.unwrap();
    let documents = stage.documents_by_id(connection).await;
    for row in rows {
        let row = Row {
            key: EntityKey(row.get::<_, Vec<u8>>(0).try_into().unwrap()),
            older_key: older_key(row.get(1), row.get(2)),
            document_type: row.get::<_, &str>(3).parse().unwrap(),
            chunk_count: row.get(4),
            file_name: row.get(5),
        };
        rename_documents(stage, connection, &row, &documents).await;
        rename_blobs(stage, connection, &row);
        let sql = "UPDATE entity SET entity_key = $3, is_keyed = false, content_hash = sha256(content_hash)
                   WHERE sync_id = $1 AND entity_key = $2";
        client.execute(sql, &[&sync.0, &row.key.0.as_slice(), &row.older_key.0.as_slice()]).await.unwrap();
    }
    let manifest = stage.arf_folder().join("raw").join(sync.to_string()).join("manifest.json");
    let mut said: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    said["collection_readable_id"] = "a-readable-id".into();
    fs::write(manifest, said.to_string()).unwrap();
    let sql = "UPDATE sync SET blob_key = NULL, blob_key_id = NULL, has_plain_blobs = true,
                      cursor_form = CASE WHEN cursor IS NOT NULL THEN 'unweave entity 2' END WHERE id = $1";
    client.execute(sql, &[&sync.0]).await.unwrap();
    stage.assert_consistent(connection).await;
    assert!(stage.database.has_unkeyed_entities(sync).await.unwrap());
}

async fn rename_documents(stage: &Stage, connection: Connection, row: &Row, documents: &BTreeMap<String, Value>) {
    let id = |key, chunk| DocumentId::chunk(row.document_type, connection.sync, key, chunk);
    for chunk in 0..u32::try_from(row.chunk_count).unwrap() {
        let document = &documents[&id(row.key, chunk).to_string()];
        stage.vespa.put(&id(row.older_key, chunk), document, STORE).await.unwrap();
        stage.vespa.remove(&id(row.key, chunk), STORE).await.unwrap();
    }
}

fn rename_blobs(stage: &Stage, connection: Connection, row: &Row) {
    let prefix = stage.arf_folder().join("raw").join(connection.sync.to_string());
    fs::remove_file(prefix.join(format!("entities/{}.json", row.key))).unwrap();
    fs::write(prefix.join(format!("entities/{}.json", row.older_key)), "{}").unwrap();
    if let Some(name) = &row.file_name {
        fs::remove_file(prefix.join(format!("files/{}", row.key))).unwrap();
        // These names have nothing that would have been replaced.
        fs::write(prefix.join(format!("files/{}_{name}", row.older_key)), "plain").unwrap();
    }
}

/// Names of nothing that is left: neither in rows, nor in documents' ids, nor in blobs'.
async fn assert_renamed(stage: &Stage, connection: Connection) {
    assert!(!stage.database.has_unkeyed_entities(connection.sync).await.unwrap());
    stage.assert_keyed(connection).await;
    let manifest = &stage.blobs_by_path(connection)["manifest.json"];
    assert!(!String::from_utf8_lossy(manifest).contains("a-readable-id"));
}

#[tokio::test]
async fn one_job_moves_everything_that_an_older_version_left_and_a_purge_leaves_nothing() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("stub", json!({"entity_count": 120})).await;
    stage.sync(connection).await;
    let (documents, blobs) = (stage.documents(connection).await, stage.blobs(connection).await);
    assert!(blobs.files > 0);
    make_older(&stage, connection).await;
    let older = stage.documents_by_id(connection).await;

    assert_eq!(counts(&stage.sync(connection).await), [0, 120, 0, 0, 0]);
    assert_renamed(&stage, connection).await;
    assert_eq!((stage.documents(connection).await, stage.blobs(connection).await), (documents, blobs));
    assert!(stage.documents_by_id(connection).await.keys().all(|id| !older.contains_key(id)));
    // Moved, not new: nothing has to be done twice.
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 0, 120, 0]);

    // As the cleanup-worker does, by sync id and prefix.
    while !stage.arf.purge(connection.sync, STORE).await.is_exhausted().unwrap() {}
    assert!(stage.arf.is_empty(connection.sync).await.unwrap());
}

#[tokio::test]
async fn an_entity_that_vanished_meanwhile_goes_under_its_older_name() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.files_connection().await;
    for name in ["stays.txt", "goes.txt"] {
        stage.write_file(name, "some text");
    }
    stage.sync(connection).await;
    make_older(&stage, connection).await;
    fs::remove_file(stage.file("goes.txt")).unwrap();
    assert_eq!(counts(&stage.sync(connection).await), [0, 1, 1, 0, 0]);
    assert_renamed(&stage, connection).await;
}

/// A source with a cursor would never yield again what lies before it.
#[tokio::test]
async fn a_cursor_does_not_keep_older_names_alive() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 5})).await;
    stage.sync(connection).await;
    make_older(&stage, connection).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 6, 0, 0, 0]);
    assert_renamed(&stage, connection).await;

    // Not even one of this form, should an older worker have run in between.
    make_older(&stage, connection).await;
    stage.rows.execute("UPDATE sync SET cursor_form = 'unweave entity 3'").await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 6, 0, 0, 0]);
    assert_renamed(&stage, connection).await;
}

/// A source that says of what it has in which version it is, and is told what needn't be read.
#[tokio::test]
async fn what_a_source_offers_unchanged_is_read_all_the_same_to_be_renamed() {
    let s3 = test_support::TestS3::start().await;
    let stage = Stage::new().await;
    let _worker = stage.worker_with(&[("S3_SOURCE_ENDPOINTS", s3.url.as_str())]).await;
    for number in 0..3 {
        s3.write(&format!("docs-{number}.txt"), format!("file {number}"));
    }
    let connection = stage.connection("s3", json!({"bucket": "bucket"})).await;
    let credentials = json!({
        "endpoint": s3.url, "region": "us-east-1", "path_style": true, "access_key_id": test_support::S3_KEY_ID,
        "secret_access_key": test_support::S3_SECRET,
    });
    stage.give_credentials(connection, credentials).await;
    assert_eq!(counts(&stage.sync(connection).await), [3, 0, 0, 0, 0]);
    make_older(&stage, connection).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 3, 0, 0, 0]);
    assert_renamed(&stage, connection).await;
}

#[tokio::test]
async fn a_worker_killed_while_it_moves_them_leaves_nothing_that_the_next_job_does_not_move() {
    let mut stage = Stage::new().await;
    let mut worker = stage.worker().await;
    let connection = stage.connection("stub", json!({"entity_count": 300})).await;
    stage.sync(connection).await;
    make_older(&stage, connection).await;
    let slowly = "UPDATE source_connection SET config = jsonb_set(config, '{generation_delay_ms}', '5')";
    stage.rows.execute(slowly).await;
    let job = stage.run(connection).await;
    let keyed = "SELECT count(*) FROM entity WHERE is_keyed AND content_hash IS NOT NULL";
    wait_until("some are moved", BOUND, async || stage.rows.count(keyed).await > 0).await;
    stage.expects.fault(Fault::VespaAway);
    stage.standin.service().stop();
    wait_until("a write is under way", BOUND, async || stage.dirty(connection).await > 0).await;
    stage.expects.fault(Fault::ProcessLost);
    worker.service.kill();
    stage.standin.service().cont();
    drop(worker);

    let _other = stage.worker().await;
    assert_eq!(stage.ended(job).await.status, JobStatus::Failed);
    assert!(stage.database.has_unkeyed_entities(connection.sync).await.unwrap());
    let [inserted, updated, deleted, kept, failed] = counts(&stage.sync(connection).await);
    assert_eq!((inserted, updated + kept, deleted, failed), (0, 300, 0, 0));
    assert!(kept > 0 && updated > 0);
    assert_renamed(&stage, connection).await;
}

/// Vespa takes the new documents and no removal: both names stand for a while, nothing is lost, and the next job ends
/// it.
#[tokio::test]
async fn a_removal_that_is_refused_is_made_up_for_by_the_next_job() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 3})).await;
    stage.sync(connection).await;
    make_older(&stage, connection).await;
    drop(worker);

    stage.expects.event("an entity was refused");
    let vespa = refusing_vespa(method("DELETE")).await;
    let worker = stage.worker_with(&[("VESPA_URL", &vespa.uri())]).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 0, 0, 4]);
    stage.rows.assert_counts_are_kept().await;
    assert_eq!((stage.dirty(connection).await, stage.settled(connection).await), (8, 0));
    drop(worker);

    let _worker = stage.worker().await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 4, 0, 0, 0]);
    assert_renamed(&stage, connection).await;
}

/// Vespa refuses the new documents of one entity: what is there of it stays, under its older name.
#[tokio::test]
async fn an_entity_that_is_refused_keeps_its_older_documents() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let connection = stage.files_connection().await;
    stage.write_file("a.txt", "welcome");
    stage.write_file("b.txt", "welcome");
    stage.sync(connection).await;
    make_older(&stage, connection).await;
    stage.write_file("b.txt", "unwelcome");
    drop(worker);

    stage.expects.event("an entity was refused");
    let refused = wiremock::matchers::body_string_contains("unwelcome");
    let vespa = refusing_vespa(refused).await;
    let worker = stage.worker_with(&[("VESPA_URL", &vespa.uri())]).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 1, 0, 0, 1]);
    let kept = "entity WHERE NOT is_keyed AND content_hash IS NOT NULL AND entity_id = 'b.txt'";
    assert_eq!(stage.rows.count(&format!("SELECT count(*) FROM {kept}")).await, 1);
    stage.rows.assert_counts_are_kept().await;
    drop(worker);

    let _worker = stage.worker().await;
    // Of the first one the stand-in has only what it had: the other Vespa took its documents, and their removal.
    let sql = "UPDATE entity SET content_hash = NULL WHERE entity_id = 'a.txt'";
    stage.rows.execute(sql).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 2, 0, 0, 0]);
    assert!(!stage.database.has_unkeyed_entities(connection.sync).await.unwrap());
}
