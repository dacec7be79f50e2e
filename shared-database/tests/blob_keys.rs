//! The keys of syncs' blobs: wrapped in the rows, one for each sync, and gone with it.

use secrecy::SecretString;
use serde_json::Map;
use shared_database::RowCipher;
use shared_database::connections::{CreatedConnection, Credentials, NewConnection};
use shared_database::deletion::{Commit, Requested, Subject};
use shared_database::entities::EntityWriter;
use shared_database::jobs::{JobChoice, JobCounts, JobOutcome};
use shared_database::{Database, DatabaseError};
use shared_models::wire::source_connection::AuthMethod;
use shared_models::{BlobEncryption, LeaseOwner, RequestId, SourceConnectionId, SyncId};

use crate::fixture::{Fixture, TTL};

fn cipher(keys: &[(&str, u8)]) -> RowCipher {
    RowCipher::new(keys.iter().map(|(id, byte)| ((*id).to_owned(), [*byte; 32]))).unwrap()
}

/// A running job's writer, of a sync whose row was made by a gateway that knows no keys.
async fn writer(fixture: &Fixture) -> (SourceConnectionId, EntityWriter) {
    let (connection, sync) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    (connection, EntityWriter { sync, job, owner })
}

async fn key(database: &Database, cipher: &RowCipher, sync: SyncId) -> [u8; 32] {
    *database.blob_key(cipher, sync).await.unwrap().unwrap().secret()
}

async fn ready(fixture: &Fixture, cipher: &RowCipher, writer: EntityWriter, encryption: BlobEncryption) {
    assert!(fixture.database.ready_blob_key(cipher, writer, encryption).await.unwrap());
}

async fn has_plain_blobs(fixture: &Fixture, sync: SyncId) -> bool {
    fixture.count(&format!("sync WHERE id = '{sync}' AND has_plain_blobs")).await == 1
}

async fn create(fixture: &Fixture, cipher: &RowCipher) -> SyncId {
    let collection = format!("docs-{}", fixture.collection);
    let new = NewConnection {
        readable_collection_id: collection,
        short_name: "stub".to_owned(),
        name: "Stub".to_owned(),
        description: None,
        config: Map::new(),
        auth_method: AuthMethod::Direct,
        credentials: Credentials(Map::new()),
        cron: None,
        continuous: false,
        cursor_field: None,
        sync_immediately: false,
    };
    let made = fixture.database.create_connection(cipher, fixture.organization, new, RequestId::random()).await;
    match made.unwrap() {
        CreatedConnection::Created(view) => view.sync_id,
        CreatedConnection::NoCollection => panic!("no collection"),
    }
}

async fn delete(fixture: &Fixture, connection: SourceConnectionId) {
    let subject = Subject::Connection(connection);
    let requested = fixture.database.request(fixture.organization, subject, fixture.requester()).await.unwrap();
    assert!(matches!(requested, Requested::Committed { .. }), "{requested:?}");
    let again = fixture.database.try_commit(subject, shared_database::deletion::Watched::Briefly).await.unwrap();
    assert!(matches!(again, Commit::AlreadyGone), "{again:?}");
}

#[tokio::test]
async fn a_new_sync_has_a_key_of_its_own_and_no_plain_blobs() {
    let fixture = Fixture::new().await;
    let ring = cipher(&[("k", 1)]);
    let (one, two) = (create(&fixture, &ring).await, create(&fixture, &ring).await);
    let (of_one, of_two) = (key(&fixture.database, &ring, one).await, key(&fixture.database, &ring, two).await);
    assert_ne!(of_one, of_two);
    assert!(!has_plain_blobs(&fixture, one).await);
    let hex = hex(&of_one);
    assert_eq!(fixture.count(&format!("sync s WHERE s::text LIKE '%{hex}%'")).await, 0, "wrapped");
}

#[tokio::test]
async fn a_key_unwraps_only_in_its_row_and_with_its_ring() {
    let fixture = Fixture::new().await;
    let ring = cipher(&[("k", 1)]);
    let (one, two) = (create(&fixture, &ring).await, create(&fixture, &ring).await);
    let lost = fixture.database.blob_key(&cipher(&[("new", 1)]), one).await.unwrap_err();
    assert!(matches!(lost, DatabaseError::Undecryptable { .. }) && !lost.is_retryable());
    assert_eq!(
        lost.to_string(),
        "the key of the sync's blobs can't be decrypted: no key of that id in CREDENTIALS_KEYS"
    );
    assert!(fixture.database.blob_key(&cipher(&[("k", 2)]), one).await.is_err(), "another key of the same id");
    let renamed = cipher(&[("n", 1)]);
    fixture.sql(&format!("UPDATE sync SET blob_key_id = 'n' WHERE id = '{one}'")).await;
    assert!(fixture.database.blob_key(&renamed, one).await.is_err(), "the same key under another id");
    fixture.sql(&format!("UPDATE sync SET blob_key_id = 'k' WHERE id = '{one}'")).await;
    fixture
        .sql(&format!("UPDATE sync a SET blob_key = b.blob_key FROM sync b WHERE a.id = '{two}' AND b.id = '{one}'"))
        .await;
    assert!(fixture.database.blob_key(&ring, one).await.is_ok());
    assert!(fixture.database.blob_key(&ring, two).await.is_err(), "moved to another row");
    for bit in 0..72 * 8 {
        let flip = format!("set_bit(blob_key, {bit}, 1 - get_bit(blob_key, {bit}))");
        let flip = format!("UPDATE sync SET blob_key = {flip} WHERE id = '{one}'");
        fixture.sql(&flip).await;
        assert!(fixture.database.blob_key(&ring, one).await.is_err(), "bit {bit}");
        fixture.sql(&flip).await;
    }
}

#[tokio::test]
async fn two_that_make_a_missing_key_at_once_come_to_have_the_same() {
    let fixture = Fixture::new().await;
    let ring = cipher(&[("k", 1)]);
    let (_, writer) = writer(&fixture).await;
    assert!(fixture.database.blob_key(&ring, writer.sync).await.unwrap().is_none());
    let attempts = (0..8).map(|_| fixture.database.ready_blob_key(&ring, writer, BlobEncryption::On));
    let ends = futures::future::join_all(attempts).await;
    let won = ends.iter().filter(|end| matches!(end, Ok(true))).count();
    assert!(won >= 1, "{ends:?}");
    assert!(ends.iter().all(|end| matches!(end, Ok(true) | Err(DatabaseError::Conflict(_)))), "{ends:?}");
    let first = key(&fixture.database, &ring, writer.sync).await;
    ready(&fixture, &ring, writer, BlobEncryption::On).await;
    assert_eq!(key(&fixture.database, &ring, writer.sync).await, first, "never replaced");
}

#[tokio::test]
async fn a_key_of_the_ring_that_became_the_first_wraps_at_the_next_job_what_an_older_one_did() {
    let fixture = Fixture::new().await;
    let (_, writer) = writer(&fixture).await;
    ready(&fixture, &cipher(&[("old", 1)]), writer, BlobEncryption::On).await;
    let before = key(&fixture.database, &cipher(&[("old", 1)]), writer.sync).await;
    let rotated = cipher(&[("new", 2), ("old", 1)]);
    assert_eq!(key(&fixture.database, &rotated, writer.sync).await, before, "readable before that");
    ready(&fixture, &rotated, writer, BlobEncryption::On).await;
    let only_new = cipher(&[("new", 2)]);
    assert_eq!(key(&fixture.database, &only_new, writer.sync).await, before);
    // Where the ring has lost it, nobody makes another key in its place.
    let lost = fixture.database.ready_blob_key(&cipher(&[("other", 3)]), writer, BlobEncryption::On).await;
    assert!(matches!(lost, Err(DatabaseError::Undecryptable { .. })), "{lost:?}");
    assert_eq!(key(&fixture.database, &only_new, writer.sync).await, before);
}

#[tokio::test]
async fn plain_blobs_are_noted_before_the_first_and_for_ever() {
    let fixture = Fixture::new().await;
    let ring = cipher(&[("k", 1)]);
    let (_, writer) = writer(&fixture).await;
    ready(&fixture, &ring, writer, BlobEncryption::On).await;
    assert!(!has_plain_blobs(&fixture, writer.sync).await);
    ready(&fixture, &ring, writer, BlobEncryption::Off).await;
    assert!(has_plain_blobs(&fixture, writer.sync).await);
    ready(&fixture, &ring, writer, BlobEncryption::On).await;
    assert!(has_plain_blobs(&fixture, writer.sync).await);
}

#[tokio::test]
async fn del_2_a_worker_without_the_lease_makes_no_key() {
    let fixture = Fixture::new().await;
    let (_, writer) = writer(&fixture).await;
    let late = EntityWriter { owner: LeaseOwner::random(), ..writer };
    assert!(!fixture.database.ready_blob_key(&cipher(&[("k", 1)]), late, BlobEncryption::On).await.unwrap());
    assert_eq!(fixture.count("sync WHERE blob_key IS NOT NULL OR has_plain_blobs").await, 0);
}

/// What the cleanup keeps of the key, by what the sync was. No table has the key itself any more.
#[tokio::test]
async fn the_key_goes_with_the_rows_and_the_cleanup_says_when() {
    let fixture = Fixture::new().await;
    let ring = cipher(&[("k", 1)]);
    let told = async |sync: SyncId, expected: &str| {
        fixture.count(&format!("cleanup WHERE sync_id = '{sync}' AND {expected}")).await == 1
    };
    let at_the_time = "blob_key_destroyed_at = rows_deleted_at AND rows_deleted_at >= deletion_requested_at";

    let (sealed, writer) = end(&fixture, &ring, Some(BlobEncryption::On)).await;
    let wrapped = fixture.count(&format!("sync WHERE id = '{}' AND length(blob_key) = 72", writer.sync)).await;
    assert_eq!(wrapped, 1);
    delete(&fixture, sealed).await;
    assert!(told(writer.sync, &format!("{at_the_time} AND NOT has_plain_blobs")).await);
    assert_eq!(fixture.count("sync").await, 0);

    let (plain, writer) = end(&fixture, &ring, Some(BlobEncryption::Off)).await;
    delete(&fixture, plain).await;
    assert!(told(writer.sync, &format!("{at_the_time} AND has_plain_blobs")).await);

    let (without_key, writer) = end(&fixture, &ring, None).await;
    delete(&fixture, without_key).await;
    assert!(told(writer.sync, "blob_key_destroyed_at IS NULL AND NOT has_plain_blobs").await);

    // A worker of a version before blob keys ran it: it claims without a word of them, and writes plain blobs.
    let (older, writer) = end(&fixture, &ring, Some(BlobEncryption::On)).await;
    fixture.sql(&format!("UPDATE sync_job SET knows_blob_keys = DEFAULT WHERE id = '{}'", writer.job)).await;
    delete(&fixture, older).await;
    assert!(told(writer.sync, &format!("{at_the_time} AND has_plain_blobs")).await);
}

/// A connection whose one job ended, and what that job did of blobs.
async fn end(
    fixture: &Fixture,
    ring: &RowCipher,
    encryption: Option<BlobEncryption>,
) -> (SourceConnectionId, EntityWriter) {
    let (connection, writer) = writer(fixture).await;
    if let Some(encryption) = encryption {
        ready(fixture, ring, writer, encryption).await;
    }
    let completed = JobOutcome::Completed { cursor: None };
    fixture.database.end_job(writer.job, writer.owner, completed, JobCounts::default()).await.unwrap().unwrap();
    (connection, writer)
}

/// A gateway of an earlier version deletes: it says nothing of keys, and so nothing is called unreadable.
#[tokio::test]
async fn a_cleanup_without_a_word_of_keys_promises_nothing() {
    let fixture = Fixture::new().await;
    fixture
        .sql(
            "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id,
                                  deletion_requested_at, entity_rows_deleted, writer_end, targets)
             SELECT a, a, a, a, a, now(), 0, 'acknowledged', '{vespa,arf}' FROM gen_random_uuid() AS a",
        )
        .await;
    assert_eq!(fixture.count("cleanup WHERE blob_key_destroyed_at IS NULL AND has_plain_blobs").await, 1);
}

/// As the migration finds a sync: with blobs, without a key.
#[tokio::test]
async fn what_was_there_before_the_keys_counts_as_plain() {
    let fixture = Fixture::new().await;
    let url = SecretString::from(fixture.test_database.url.clone());
    let (connection, sync) = fixture.connection().await;
    fixture.add_entities(sync, 3).await;
    fixture.run(include_str!("../migrations/2026-12-01-000010_blob_keys/down.sql")).await;
    fixture.sql("DELETE FROM __diesel_schema_migrations WHERE version = '20261201000010'").await;
    shared_database::migrate(&url).await.unwrap();
    let (_, later) = fixture.connection().await;
    assert!(has_plain_blobs(&fixture, sync).await && !has_plain_blobs(&fixture, later).await);
    assert!(fixture.database.has_unkeyed_entities(sync).await.unwrap());
    assert!(!fixture.database.has_unkeyed_entities(later).await.unwrap());
    let job = fixture.pending_job(connection).await;
    let claimed = fixture.database.claim_job(JobChoice::Named(job), LeaseOwner::random(), TTL).await.unwrap();
    assert_eq!(claimed.unwrap().sync_id, sync);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
