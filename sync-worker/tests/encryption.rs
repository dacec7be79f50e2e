//! Blobs and names: what lies in ARF, with encryption on, off, and without the key.

use serde_json::{Map, Value, json};
use shared_models::JobStatus;

use crate::job::counts;
use crate::sealed::ring;
use crate::stage::{Connection, Stage};

/// What nobody may find in a store that isn't allowed to read it.
const CONTENT: &str = "pelican";

async fn has_plain_blobs(stage: &Stage, connection: Connection) -> bool {
    let sql = format!("SELECT count(*) FROM sync WHERE id = '{}' AND has_plain_blobs", connection.sync);
    stage.rows.count(&sql).await == 1
}

fn tells(blob: &[u8]) -> bool {
    blob.windows(CONTENT.len()).any(|window| window == CONTENT.as_bytes())
}

#[tokio::test]
async fn every_blob_is_encrypted_and_no_name_tells_what_it_names() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    stage.write_file("pelican one.txt", "the text of a pelican");
    stage.write_file("two.md", "# Another pelican");
    let connection = stage.files_connection().await;
    assert_eq!(counts(&stage.sync(connection).await), [2, 0, 0, 0, 0]);
    stage.assert_keyed(connection).await;
    assert!(!has_plain_blobs(&stage, connection).await);

    let blobs = stage.blobs_by_path(connection);
    assert_eq!(blobs.len(), 5);
    assert!(blobs.iter().all(|(path, blob)| !tells(path.as_bytes()) && !tells(blob)));
    let manifest: Map<String, Value> = serde_json::from_slice(&blobs["manifest.json"]).unwrap();
    let said: Vec<&str> = manifest.keys().map(String::as_str).collect();
    let ids = ["collection_id", "created_at", "organization_id", "source_short_name", "sync_id", "sync_jobs"];
    assert_eq!(said, [ids.as_slice(), &["updated_at"]].concat());
    for id in stage.documents_by_id(connection).await.keys() {
        assert!(!tells(id.as_bytes()));
    }

    // What a name doesn't tell stands inside.
    let names = stage.blob_key(connection).await.entity_keys();
    let cipher = stage.blob_cipher(connection).await;
    let class = "SELECT entity_class FROM entity WHERE entity_id = 'pelican one.txt'";
    let class: String = stage.rows.client().await.query_one(class, &[]).await.unwrap().get(0);
    let key = names.key(&class, "pelican one.txt");
    let open = |path: String| cipher.open(&path, &blobs[&path]).unwrap();
    let capture: Value = serde_json::from_slice(&open(format!("entities/{key}.json"))).unwrap();
    assert_eq!((&capture["entity_id"], &capture["file_name"]), (&json!("pelican one.txt"), &json!("pelican one.txt")));
    assert_eq!(open(format!("files/{key}")), b"the text of a pelican");

    // The worker keeps and tells nothing of the key.
    let secret: String = stage.blob_key(connection).await.secret().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((worker.logged(&secret), worker.logged(CONTENT)), (0, 0));
}

#[tokio::test]
async fn without_encryption_blobs_are_plain_and_names_tell_nothing_all_the_same() {
    let stage = Stage::new().await;
    let worker = stage.worker_with(&[("ARF_ENCRYPTION", "off")]).await;
    stage.write_file("pelican.txt", "a pelican");
    stage.write_file("stays.txt", "a pelican that stays");
    let connection = stage.files_connection().await;
    stage.sync(connection).await;
    assert!(has_plain_blobs(&stage, connection).await);
    stage.assert_consistent(connection).await;
    let names = stage.blob_key(connection).await.entity_keys();
    let blobs = stage.blobs_by_path(connection);
    let class = "SELECT DISTINCT entity_class FROM entity";
    let class: String = stage.rows.client().await.query_one(class, &[]).await.unwrap().get(0);
    let path = format!("files/{}", names.key(&class, "pelican.txt"));
    assert_eq!(blobs[&path], b"a pelican");
    assert!(blobs.keys().all(|path| !tells(path.as_bytes())));
    drop(worker);

    // Encrypted again, what changes is rewritten, and the rest is read as it is.
    let _worker = stage.worker().await;
    stage.write_file("pelican.txt", "a new pelican");
    assert_eq!(counts(&stage.sync(connection).await), [0, 1, 0, 1, 0]);
    assert!(has_plain_blobs(&stage, connection).await, "never reset");
    let cipher = stage.blob_cipher(connection).await;
    let blobs = stage.blobs_by_path(connection);
    assert_eq!(cipher.open(&path, &blobs[&path]).unwrap(), b"a new pelican");
    let plain = format!("files/{}", names.key(&class, "stays.txt"));
    assert!(cipher.open(&plain, &blobs[&plain]).is_err());
    assert_eq!(cipher.open_either(&plain, &blobs[&plain]).unwrap(), b"a pelican that stays");
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn del_7_no_plain_blob_is_written_before_the_row_says_so() {
    let stage = Stage::new().await;
    let _worker = stage.worker_with(&[("ARF_ENCRYPTION", "off")]).await;
    stage.write_file("pelican.txt", "a pelican");
    let connection = stage.files_connection().await;
    stage
        .rows
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON sync FOR EACH ROW WHEN (NEW.has_plain_blobs)
             EXECUTE FUNCTION refuse()",
        )
        .await;
    let job = stage.run(connection).await;
    assert_eq!(stage.failed(job).await.status, JobStatus::Failed);
    assert!(stage.blobs_by_path(connection).is_empty());
    assert!(!has_plain_blobs(&stage, connection).await);
}

/// What an operator sees who has lost the ring, and what helps.
#[tokio::test]
async fn a_sync_whose_ring_is_lost_fails_in_plain_words_and_starts_over_with_another_key() {
    const RING: &str = "other:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 5})).await;
    stage.sync(connection).await;
    let before = stage.blobs_by_path(connection);
    let other_key = *stage.blob_key(connection).await.secret();
    drop(worker);

    let worker = stage.worker_with(&[("CREDENTIALS_KEYS", RING)]).await;
    let job = stage.run(connection).await;
    let error = stage.failed(job).await.error;
    let text = "the key of the sync's blobs can't be decrypted: no key of that id in CREDENTIALS_KEYS";
    assert_eq!(error.as_deref(), Some(text));
    assert_eq!(worker.logged(r#""code":"undecryptable""#), 1);
    assert_eq!(stage.blobs_by_path(connection), before, "nothing was touched");
    assert_eq!(*stage.blob_key(connection).await.secret(), other_key);

    // As docs/operations.md says.
    let start_over = "UPDATE sync SET blob_key = NULL, blob_key_id = NULL, cursor = NULL WHERE id = ";
    stage.rows.execute(&format!("{start_over}'{}'", connection.sync)).await;
    assert_eq!(counts(&stage.sync(connection).await), [6, 0, 6, 0, 0]);
    assert!(stage.database.blob_key(&ring(), connection.sync).await.is_err(), "another ring's now");
    stage.assert_consistent(connection).await;
    let after = stage.blobs_by_path(connection);
    assert_eq!(after.keys().filter(|path| before.contains_key(*path)).collect::<Vec<_>>(), ["manifest.json"]);
}
