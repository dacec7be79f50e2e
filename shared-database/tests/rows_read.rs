//! What the statements of a batch read: the rows of the batch, and not those of the sync. Statements stay prepared, so
//! a plan is often one from when the table was empty, or one for the many small syncs beside the large one.

use std::time::Duration;

use secrecy::SecretString;
use shared_database::Database;
use shared_database::entities::{EntityIntent, EntityWriter, WrittenEntity};
use shared_models::{DocumentType, EntityKey};
use test_support::wait_until;

use crate::fixture::Fixture;

const BATCHES: u32 = 60;
const BATCH: u32 = 50;
const ENTITIES: i64 = 3_000;
/// Each of the eight statements below finds a row at most once to read or lock it, and once more to change it.
const READS_AN_ENTITY: i64 = 16;

fn key(number: u32) -> EntityKey {
    EntityKey((u128::from(number) << 64).to_be_bytes())
}

fn keys(batch: u32) -> Vec<EntityKey> {
    (0..BATCH).map(|place| key(batch * BATCH + place)).collect()
}

fn intents(batch: u32) -> Vec<EntityIntent> {
    let intent = |key| EntityIntent {
        key,
        class: "A".to_owned(),
        id: "id".to_owned(),
        document_type: DocumentType::Base,
        chunk_count: 1,
        file_name: None,
    };
    keys(batch).into_iter().map(intent).collect()
}

/// Writes, sees, rewrites and removes every entity, with all sessions' plans as old as the sessions.
async fn write_and_remove_all(database: &Database, writer: EntityWriter) {
    let settle = async |batch| {
        let written = keys(batch).into_iter().map(|key| WrittenEntity { key, content_hash: [1; 32], chunk_count: 1 });
        assert!(database.settle_entities(writer, &written.collect::<Vec<_>>()).await.unwrap());
    };
    for batch in 0..BATCHES {
        assert!(database.stored_entities(writer.sync, &keys(batch)).await.unwrap().is_empty());
        assert!(database.intend_entities(writer, &intents(batch)).await.unwrap());
        settle(batch).await;
    }
    for batch in 0..BATCHES {
        assert!(database.mark_seen(writer, &keys(batch)).await.unwrap());
        assert!(database.intend_entities(writer, &intents(batch)).await.unwrap());
        settle(batch).await;
    }
    for batch in 0..BATCHES {
        assert!(database.make_dirty(writer, &keys(batch)).await.unwrap());
        assert!(database.delete_entities(writer, &keys(batch)).await.unwrap());
    }
}

/// Rows of `entity` that sessions of this database have read, once none but the asking one is left.
async fn rows_read(fixture: &Fixture) -> i64 {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND application_name = 'rows-read'";
    wait_until("the sessions have told what they read", Duration::from_secs(20), async || {
        fixture.test_database.count(others).await == 0
    })
    .await;
    let read = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
                WHERE relname = 'entity'";
    fixture.test_database.count(read).await
}

async fn read_by_a_whole_job(fixture: &Fixture) -> i64 {
    let before = rows_read(fixture).await;
    let url = format!("{}?application_name=rows-read", fixture.test_database.url);
    let database = Database::new(&SecretString::from(url), 1).unwrap();
    let (connection, sync) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    write_and_remove_all(&database, EntityWriter { sync, job, owner }).await;
    drop(database);
    rows_read(fixture).await - before
}

#[tokio::test]
async fn a_batch_reads_its_own_rows_only_whatever_the_planner_believes() {
    let fixture = Fixture::new().await;
    // Nobody tells the planner what the table has become.
    fixture.sql("ALTER TABLE entity SET (autovacuum_enabled = off)").await;
    let empty = read_by_a_whole_job(&fixture).await;
    for _ in 0..40 {
        let (_, sync) = fixture.connection().await;
        fixture.add_entities(sync, 1).await;
    }
    fixture.sql("ANALYZE entity").await;
    let among_small = read_by_a_whole_job(&fixture).await;
    for (read, planned) in [(empty, "for an empty table"), (among_small, "for syncs of one entity each")] {
        assert!(read >= ENTITIES, "{planned}: {read} rows were read, so the count is wrong");
        assert!(read <= READS_AN_ENTITY * ENTITIES, "{planned}: {read} rows were read for {ENTITIES} entities");
    }
}
