//! Counts of entities are kept by the statements that change them: whatever those do, in whatever order, twice or
//! beside each other, the kept counts are what a real count finds.

use futures::future::join_all;
use shared_database::DatabaseError;
use shared_database::entities::{EntityIntent, EntityWriter, WrittenEntity};
use shared_models::{DocumentType, EntityKey, LeaseOwner, SyncId};

use crate::fixture::Fixture;

const CLASSES: [&str; 3] = ["A", "B", "C"];

async fn writer(fixture: &Fixture) -> EntityWriter {
    let (connection, sync) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    EntityWriter { sync, job, owner }
}

fn intent(number: u8, class: &str, chunks: u32, file: Option<&str>) -> EntityIntent {
    EntityIntent {
        key: key(number),
        class: class.to_owned(),
        id: number.to_string(),
        document_type: DocumentType::Base,
        chunk_count: chunks,
        file_name: file.map(str::to_owned),
    }
}

fn key(number: u8) -> EntityKey {
    EntityKey([number; 16])
}

fn written(number: u8, chunks: u32) -> WrittenEntity {
    WrittenEntity { key: key(number), content_hash: [number; 32], chunk_count: chunks }
}

/// Entities, documents and files of a class.
async fn kept(fixture: &Fixture, sync: SyncId, class: &str) -> (i64, i64, i64) {
    let sum = async |what: &str| {
        let from = "FROM entity_count WHERE sync_id";
        let sql = format!("SELECT coalesce(sum({what}), 0)::bigint {from} = '{sync}' AND entity_class = '{class}'");
        fixture.test_database.count(&sql).await
    };
    (sum("entities").await, sum("documents").await, sum("files").await)
}

#[tokio::test]
async fn counts_follow_an_entity_from_its_intent_to_its_end() {
    let fixture = Fixture::new().await;
    let (db, writer) = (&fixture.database, writer(&fixture).await);
    let sync = writer.sync;
    let intents = [intent(1, "A", 3, Some("f")), intent(2, "A", 1, None), intent(3, "B", 1, None)];
    assert!(db.intend_entities(writer, &intents).await.unwrap());
    assert_eq!(kept(&fixture, sync, "A").await, (2, 4, 1));
    assert_eq!(kept(&fixture, sync, "B").await, (1, 1, 0));

    // Longer, then shorter: what may exist counts until it is known to be gone.
    assert!(db.intend_entities(writer, &[intent(2, "A", 5, None)]).await.unwrap());
    assert_eq!(kept(&fixture, sync, "A").await, (2, 8, 1));
    assert!(db.intend_entities(writer, &[intent(2, "A", 2, None)]).await.unwrap());
    assert_eq!(kept(&fixture, sync, "A").await, (2, 8, 1));
    assert!(db.settle_entities(writer, &[written(1, 3), written(2, 2)]).await.unwrap());
    assert_eq!(kept(&fixture, sync, "A").await, (2, 5, 1));

    // A row that isn't dirty stays, and so does its count.
    assert!(db.delete_entities(writer, &[key(1), key(3)]).await.unwrap());
    assert_eq!((kept(&fixture, sync, "A").await, kept(&fixture, sync, "B").await), ((2, 5, 1), (0, 0, 0)));
    assert!(db.make_dirty(writer, &[key(1)]).await.unwrap());
    assert!(db.delete_entities(writer, &[key(1)]).await.unwrap());
    assert!(db.delete_entities(writer, &[key(1)]).await.unwrap());
    assert_eq!(kept(&fixture, sync, "A").await, (1, 2, 0));
    fixture.test_database.assert_counts_are_kept().await;
}

#[tokio::test]
async fn an_entity_that_changes_its_class_and_its_file_is_counted_where_it_is() {
    let fixture = Fixture::new().await;
    let (db, writer) = (&fixture.database, writer(&fixture).await);
    assert!(db.intend_entities(writer, &[intent(1, "A", 3, Some("f")), intent(2, "B", 1, None)]).await.unwrap());
    assert!(db.intend_entities(writer, &[intent(1, "B", 1, None), intent(2, "A", 1, Some("g"))]).await.unwrap());
    assert_eq!(kept(&fixture, writer.sync, "A").await, (1, 1, 1));
    assert_eq!(kept(&fixture, writer.sync, "B").await, (1, 3, 0));
    fixture.test_database.assert_counts_are_kept().await;
}

#[tokio::test]
async fn a_writer_without_the_lease_changes_no_count() {
    let fixture = Fixture::new().await;
    let (db, writer) = (&fixture.database, writer(&fixture).await);
    assert!(db.intend_entities(writer, &[intent(1, "A", 3, None)]).await.unwrap());
    let other = EntityWriter { owner: LeaseOwner::random(), ..writer };
    assert!(!db.intend_entities(other, &[intent(1, "B", 9, None), intent(2, "A", 9, None)]).await.unwrap());
    assert!(!db.settle_entities(other, &[written(1, 1)]).await.unwrap());
    assert!(!db.delete_entities(other, &[key(1)]).await.unwrap());
    assert_eq!(kept(&fixture, writer.sync, "A").await, (1, 3, 0));
    fixture.test_database.assert_counts_are_kept().await;
}

#[tokio::test]
async fn an_entity_counts_while_it_is_dirty_and_no_count_outlives_its_connection() {
    let fixture = Fixture::new().await;
    let (db, writer) = (&fixture.database, writer(&fixture).await);
    assert!(db.intend_entities(writer, &[intent(1, "A", 3, None)]).await.unwrap());
    assert!(db.make_dirty(writer, &[key(1)]).await.unwrap());
    assert_eq!(kept(&fixture, writer.sync, "A").await, (1, 3, 0));
    fixture.sql("DELETE FROM source_connection").await;
    assert_eq!(fixture.count("entity_count").await, 0);
    // The row of the lease is gone as well: nothing is counted for a sync that isn't there.
    assert!(!db.intend_entities(writer, &[intent(1, "A", 3, None)]).await.unwrap());
    assert_eq!(fixture.count("entity_count").await, 0);
}

/// A statement whose answer didn't come is sent again while it is still under way.
#[tokio::test]
async fn a_statement_that_is_sent_again_while_it_is_under_way_counts_once() {
    let fixture = Fixture::new().await;
    let (db, writer) = (&fixture.database, writer(&fixture).await);
    for round in 0..40_u8 {
        let intents: Vec<EntityIntent> =
            (0..4).map(|at| intent(round * 4 + at, CLASSES[usize::from(at) % 3], 2, Some("f"))).collect();
        let sendings = join_all((0..4).map(|_| async {
            loop {
                match db.intend_entities(writer, &intents).await {
                    Err(DatabaseError::Conflict(_)) => {}
                    answer => return answer.unwrap(),
                }
            }
        }));
        assert!(sendings.await.into_iter().all(|held| held));
        let numbers = (0..4).map(|at| round * 4 + at);
        let settled: Vec<WrittenEntity> = numbers.clone().map(|number| written(number, 1)).collect();
        let again = join_all((0..3).map(|_| db.settle_entities(writer, &settled))).await;
        assert!(again.into_iter().all(|held| held.unwrap()));
        if round % 3 == 0 {
            let keys: Vec<EntityKey> = numbers.map(key).collect();
            assert!(db.make_dirty(writer, &keys).await.unwrap());
            let gone = join_all((0..3).map(|_| db.delete_entities(writer, &keys))).await;
            assert!(gone.into_iter().all(|held| held.unwrap()));
        }
    }
    assert_eq!(fixture.count("entity").await, 40 * 4 - 14 * 4);
    fixture.test_database.assert_counts_are_kept().await;
}

/// Batches of a job share no entity, but they share classes. None may wait for another in a circle.
#[tokio::test]
async fn batches_beside_each_other_keep_the_counts_and_never_deadlock() {
    let fixture = Fixture::new().await;
    let (db, writer) = (&fixture.database, writer(&fixture).await);
    join_all((0..6_u8).map(|batch| async move {
        for round in 0..20_u8 {
            let numbers = (0..6).map(|at| batch * 6 + at);
            // Each batch comes to the classes in an order of its own,
            // and an entity's class changes from round to round.
            let class = |number: u8| CLASSES[(usize::from(number) + usize::from(batch) + usize::from(round)) % 3];
            let intents: Vec<EntityIntent> =
                numbers.clone().map(|number| intent(number, class(number), 1 + u32::from(round % 4), None)).collect();
            assert!(db.intend_entities(writer, &intents).await.unwrap());
            let settled: Vec<WrittenEntity> = numbers.clone().map(|number| written(number, 1)).collect();
            assert!(db.settle_entities(writer, &settled).await.unwrap());
            let keys: Vec<EntityKey> = numbers.take(2).map(key).collect();
            assert!(db.make_dirty(writer, &keys).await.unwrap());
            assert!(db.delete_entities(writer, &keys).await.unwrap());
        }
    }))
    .await;
    assert_eq!(fixture.count("entity").await, 6 * 4);
    fixture.test_database.assert_counts_are_kept().await;
}
