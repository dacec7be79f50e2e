//! The ledger's rows: every fact has its entry (DEL-10), indexes are given once and without gaps (DEL-11).

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::sql_types;
use diesel_async::RunQueryDsl as _;
use futures::future::join_all;
use secrecy::SecretString;
use serde_json::Value;
use shared_database::deletion::{Requested, Requester, Subject};
use shared_models::SyncId;
use shared_models::ledger::{
    Entry, LedgerSigner, ReadEntry, SupersededReason, TrustedKeys, canonical, check_consistency, check_inclusion,
    consistency_proof, inclusion_proof, leaf_hash, needed_for_consistency, needed_for_inclusion, read_checkpoint,
};
use shared_models::receipt::reference::{Opening, Salt};

use crate::fixture::Fixture;

fn signer() -> Arc<LedgerSigner> {
    let origin = "unweave.test/ledger".parse().unwrap();
    Arc::new(LedgerSigner::new(origin, "test".to_owned(), &[7; 32]).unwrap())
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Jsonb)]
    entry: Value,
}

impl Fixture {
    async fn entries(&self) -> Vec<Entry> {
        let rows: Vec<Row> = diesel::sql_query("SELECT entry FROM ledger_entry ORDER BY id")
            .load(&mut self.database.connection().await.unwrap())
            .await
            .unwrap();
        let known = |row: Row| match Entry::read(&canonical(&row.entry).unwrap()).unwrap() {
            ReadEntry::Known(entry) => entry,
            ReadEntry::Unknown { kind, form } => panic!("{kind} {form}"),
        };
        rows.into_iter().map(known).collect()
    }

    /// So many facts of no importance.
    async fn facts(&self, count: u32) {
        self.sql(&format!(
            "INSERT INTO ledger_entry (entry)
             SELECT jsonb_build_object('form', 1, 'kind', 'audit', 'at', ledger_time(clock_timestamp()),
                        'actor', 'operator', 'organization_id', NULL, 'action', 'test.made', 'object_id', gen_random_uuid())
             FROM generate_series(1, {count})"
        ))
        .await;
    }

    async fn delete(&self, requester: Requester) -> SyncId {
        let (connection, sync) = self.connection().await;
        let answer =
            self.database.request(self.organization, Subject::Connection(connection), requester).await.unwrap();
        assert!(matches!(answer, Requested::Committed { .. }));
        sync
    }
}

#[tokio::test]
async fn del_10_a_deletion_and_its_entry_commit_together() {
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    fixture.add_entities(sync, 3).await;
    let requester = Requester { reference: Some("DSAR-2026-042".parse().unwrap()), ..fixture.requester() };
    let request = requester.request;
    // A deletion that fails leaves no entry.
    fixture.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$").await;
    fixture.sql("CREATE TRIGGER refuse BEFORE DELETE ON entity FOR EACH ROW EXECUTE FUNCTION refuse()").await;
    let subject = Subject::Connection(connection);
    fixture.database.request(fixture.organization, subject, requester.clone()).await.unwrap_err();
    assert_eq!((fixture.count("ledger_entry").await, fixture.count("ledger_pending").await), (0, 0));
    fixture.sql("DROP TRIGGER refuse ON entity").await;

    fixture.database.request(fixture.organization, subject, requester).await.unwrap();
    assert_eq!(fixture.count("ledger_pending JOIN ledger_entry ON id = entry_id").await, 1);
    let [Entry::Deleted(deleted)] = <[Entry; 1]>::try_from(fixture.entries().await).unwrap() else {
        panic!("another entry")
    };
    assert_eq!((deleted.source_connection_id, deleted.sync_id), (connection, sync));
    assert_eq!((deleted.organization_id, deleted.collection_id), (fixture.organization, fixture.collection));
    assert_eq!((deleted.request_id, deleted.entity_rows_deleted), (Some(request), 3));
    assert_eq!(deleted.targets, ["vespa", "arf"]);
    let same =
        format!("cleanup WHERE id = '{}' AND rows_deleted_at = '{}'", deleted.cleanup_id, deleted.rows_deleted_at);
    assert_eq!(fixture.count(&same).await, 1);
    // Neither in the log nor to be guessed: but whoever has the salt opens it.
    let text = format!("{deleted:?}");
    assert!(!text.contains("DSAR"), "{text}");
    let salt: SaltRow = diesel::sql_query("SELECT deletion_reference_salt AS salt FROM cleanup")
        .get_result(&mut fixture.database.connection().await.unwrap())
        .await
        .unwrap();
    let opening = Opening { salt: Salt(salt.salt.try_into().unwrap()), reference: "DSAR-2026-042".to_owned() };
    assert_eq!(deleted.reference_hash, Some(opening.hash()));
}

#[derive(diesel::QueryableByName)]
struct SaltRow {
    #[diesel(sql_type = sql_types::Bytea)]
    salt: Vec<u8>,
}

#[tokio::test]
async fn del_10_a_collection_has_an_entry_for_each_connection_and_one_salt_each() {
    let fixture = Fixture::new().await;
    let mut syncs = BTreeSet::new();
    for _ in 0..3 {
        syncs.insert(fixture.connection().await.1);
    }
    let requester = Requester { reference: Some("R".parse().unwrap()), ..fixture.requester() };
    let subject = Subject::Collection(fixture.collection);
    fixture.database.request(fixture.organization, subject, requester).await.unwrap();
    let mut entries = fixture.entries().await;
    let last = entries.pop().unwrap();
    assert!(matches!(&last, Entry::Audit(audit) if audit.object_id == Some(fixture.collection.0)), "{last:?}");
    let deleted = entries.into_iter().map(|entry| match entry {
        Entry::Deleted(deleted) => deleted,
        other => panic!("{other:?}"),
    });
    let deleted: Vec<_> = deleted.collect();
    assert_eq!(deleted.iter().map(|deleted| deleted.sync_id).collect::<BTreeSet<_>>(), syncs);
    let hashes: BTreeSet<_> = deleted.iter().map(|deleted| deleted.reference_hash.unwrap().to_string()).collect();
    assert_eq!(hashes.len(), 3);
}

#[tokio::test]
async fn a_reference_waits_with_the_deletion_and_the_first_one_stays() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    for reference in ["first", "second"] {
        let requester = Requester { reference: Some(reference.parse().unwrap()), ..fixture.requester() };
        let subject = Subject::Connection(connection);
        let answer = fixture.database.request(fixture.organization, subject, requester).await.unwrap();
        assert!(matches!(answer, Requested::Waiting { .. }), "{answer:?}");
    }
    let counts = shared_database::jobs::JobCounts::default();
    fixture.database.end_job(job, owner, shared_database::jobs::JobOutcome::Cancelled, counts).await.unwrap();
    let watched = shared_database::deletion::Watched::Briefly;
    fixture.database.try_commit(Subject::Connection(connection), watched).await.unwrap();
    assert_eq!(fixture.count("cleanup WHERE deletion_reference = 'first'").await, 1);
}

#[tokio::test]
async fn del_11_the_tables_refuse_every_change() {
    let fixture = Fixture::new().await;
    fixture.facts(2).await;
    fixture.database.sequence_ledger(1, &signer()).await.unwrap().unwrap();
    for refused in [
        "UPDATE ledger_entry SET entry = '{}'",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry CASCADE",
        "UPDATE ledger_index SET index = index + 1",
        "DELETE FROM ledger_index",
        "TRUNCATE ledger_index",
        "DELETE FROM ledger_tile",
        "DELETE FROM ledger_checkpoint",
    ] {
        let error = diesel::sql_query(refused).execute(&mut fixture.database.connection().await.unwrap()).await;
        assert!(error.unwrap_err().to_string().contains("the ledger only grows"), "{refused}");
    }
}

#[tokio::test]
async fn del_11_sequencers_at_once_give_every_entry_one_index_and_leave_no_gap() {
    let fixture = Fixture::new().await;
    fixture.facts(700).await;
    let signer = signer();
    // As many at once as there are sessions; those that find another at it do nothing.
    while fixture.count("ledger_pending").await > 0 {
        let at_once = (0..8).map(|_| fixture.database.sequence_ledger(37, &signer));
        for done in join_all(at_once).await {
            done.unwrap();
        }
    }
    assert_eq!(fixture.count("ledger_index").await, 700);
    assert_eq!(fixture.count("ledger_index WHERE index BETWEEN 0 AND 699").await, 700);
    assert_eq!(fixture.count("ledger_tile").await, 2);
    assert_eq!(fixture.count("ledger_checkpoint WHERE published_at IS NULL").await, 19);
}

#[tokio::test]
async fn del_11_an_entry_that_commits_late_gets_a_later_index_and_is_not_lost() {
    let fixture = Fixture::new().await;
    let mut late = fixture.database.connection().await.unwrap();
    diesel::sql_query("BEGIN").execute(&mut late).await.unwrap();
    let entry = "INSERT INTO ledger_entry (entry) VALUES ('{\"form\": 9, \"kind\": \"late\"}')";
    diesel::sql_query(entry).execute(&mut late).await.unwrap();
    fixture.facts(3).await;
    let signer = signer();
    assert_eq!(fixture.database.sequence_ledger(100, &signer).await.unwrap().unwrap().size, 3);
    diesel::sql_query("COMMIT").execute(&mut late).await.unwrap();
    assert_eq!(fixture.database.sequence_ledger(100, &signer).await.unwrap().unwrap().size, 4);
    let last = "ledger_index JOIN ledger_entry ON id = entry_id WHERE index = 3 AND entry->>'kind' = 'late'";
    assert_eq!(fixture.count(last).await, 1);
    assert_eq!(fixture.database.sequence_ledger(100, &signer).await.unwrap(), None);
}

#[tokio::test]
async fn del_11_what_is_stored_proves_every_entry_and_that_the_log_only_grew() {
    let fixture = Fixture::new().await;
    let signer = signer();
    let keys = TrustedKeys::from(signer.verifier().clone());
    let mut before = None;
    for batch in [1, 254, 1, 1, 300, 513] {
        fixture.facts(batch).await;
        let now = fixture.database.sequence_ledger(batch, &signer).await.unwrap().unwrap();
        let stored = fixture.database.newest_checkpoint(false).await.unwrap().unwrap();
        assert_eq!(read_checkpoint(&stored.note, &keys).unwrap().checkpoint, now);
        assert_eq!((stored.size, stored.root), (now.size, now.root));
        if let Some(before) = before.replace(now.clone()) {
            let before: shared_models::ledger::Checkpoint = before;
            let nodes = needed_for_consistency(before.size, now.size).unwrap();
            let nodes = fixture.database.ledger_nodes(&nodes).await.unwrap();
            let proof = consistency_proof(before.size, now.size, &nodes).unwrap();
            check_consistency(&proof, before.size, before.root, now.size, now.root).unwrap();
        }
    }
    let now = before.unwrap();
    for entry in fixture.database.ledger_entries(0, now.size).await.unwrap() {
        let leaf = leaf_hash(&canonical(&entry.entry).unwrap());
        assert_eq!(leaf, entry.leaf_hash);
        if entry.index % 97 == 0 || entry.index + 1 == now.size {
            let nodes = needed_for_inclusion(entry.index, now.size).unwrap();
            let nodes = fixture.database.ledger_nodes(&nodes).await.unwrap();
            let proof = inclusion_proof(entry.index, now.size, &nodes).unwrap();
            check_inclusion(&proof, entry.index, now.size, leaf, now.root).unwrap();
        }
    }
    assert!(fixture.database.ledger_entries(0, now.size + 1).await.is_err());
}

#[tokio::test]
async fn an_entry_that_no_ledger_can_have_stops_the_sequencer_and_says_which() {
    let fixture = Fixture::new().await;
    fixture.facts(1).await;
    fixture.sql("INSERT INTO ledger_entry (entry) VALUES ('{\"kind\": \"deleted\", \"form\": 1}')").await;
    let error = fixture.database.sequence_ledger(10, &signer()).await.unwrap_err().to_string();
    assert!(error.contains("entry 1 of the batch"), "{error}");
    assert_eq!(fixture.count("ledger_index").await + fixture.count("ledger_checkpoint").await, 0);
}

#[tokio::test]
async fn a_receipt_whose_cleanup_is_reopened_holds_no_longer_and_the_ledger_says_so_once() {
    let fixture = Fixture::new().await;
    let sync = fixture.delete(fixture.requester()).await;
    let cleanup = format!("(SELECT id FROM cleanup WHERE sync_id = '{sync}')");
    fixture
        .sql(&format!("INSERT INTO receipt (id, cleanup_id, signed) SELECT gen_random_uuid(), {cleanup}, '{{}}'"))
        .await;
    fixture.sql("UPDATE cleanup SET state = 'purging'").await;
    fixture.sql("UPDATE cleanup SET state = 'settling'").await;
    fixture.sql("UPDATE cleanup SET state = 'done', completed_at = clock_timestamp()").await;
    assert!(fixture.database.reopen_cleanup(sync).await.unwrap());
    assert!(!fixture.database.reopen_cleanup(sync).await.unwrap());
    assert_eq!(fixture.count("receipt WHERE superseded_reason = 'late_write'").await, 1);
    let [Entry::Deleted(_), Entry::Superseded(ended)] = <[Entry; 2]>::try_from(fixture.entries().await).unwrap() else {
        panic!("other entries")
    };
    assert_eq!(ended.reason, SupersededReason::LateWrite);
    let same = format!("receipt WHERE id = '{}' AND superseded_at = '{}'", ended.receipt_id, ended.superseded_at);
    assert_eq!(fixture.count(&same).await, 1);
}

#[tokio::test]
async fn what_there_was_before_the_ledger_enters_it_once_and_in_its_order() {
    let fixture = Fixture::new().await;
    let url = SecretString::from(fixture.test_database.url.clone());
    fixture.run(include_str!("../migrations/2026-12-06-000001_receipt_list/down.sql")).await;
    fixture.run(include_str!("../migrations/2026-12-05-000001_api_key_names/down.sql")).await;
    fixture.run(include_str!("../migrations/2026-12-04-000001_audit/down.sql")).await;
    fixture.run(include_str!("../migrations/2026-12-03-000001_ledger/down.sql")).await;
    fixture.sql("DELETE FROM __diesel_schema_migrations WHERE version >= '20261203000001'").await;
    // One is done and has two receipts, one is open again, one has never been done.
    for (place, state) in [(1, "done"), (2, "scheduled"), (3, "settling")] {
        fixture
            .sql(&format!(
                "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id,
                                      deletion_requested_at, rows_deleted_at, entity_rows_deleted, writer_end, targets,
                                      state)
                 VALUES ('00000000-0000-4000-8000-00000000000{place}', gen_random_uuid(), gen_random_uuid(),
                         gen_random_uuid(), gen_random_uuid(), '2026-11-0{place}', '2026-11-0{place} 00:00:01', 0,
                         'lease', '{{vespa,arf}}', '{state}')"
            ))
            .await;
    }
    for (cleanup, day) in [(1, 5), (2, 6), (1, 7)] {
        fixture
            .sql(&format!(
                "INSERT INTO receipt (id, cleanup_id, signed, issued_at)
                 VALUES ('00000000-0000-4000-9000-00000000000{day}', '00000000-0000-4000-8000-00000000000{cleanup}',
                         '{{\"receipt\": {{\"form\": 1, \"day\": {day}}}}}', '2026-11-0{day}')"
            ))
            .await;
    }
    shared_database::migrate(&url).await.unwrap();
    shared_database::migrate(&url).await.unwrap();

    let told = fixture.entries().await.into_iter().map(|entry| match entry {
        Entry::Deleted(deleted) => format!("deleted {}", deleted.cleanup_id.to_string().chars().last().unwrap()),
        Entry::Receipt(entry) => format!("receipt {}", entry.receipt["day"]),
        Entry::Superseded(ended) => format!("superseded {}", ended.receipt_id.to_string().chars().last().unwrap()),
        Entry::Audit(audit) => panic!("{audit:?}"),
    });
    let told: Vec<String> = told.collect();
    let expected = ["deleted 1", "deleted 2", "deleted 3", "receipt 5", "receipt 6", "receipt 7"];
    assert_eq!(told[..6], expected);
    // The first receipt ended with the second; when that of the open cleanup did, its row says.
    assert_eq!(
        BTreeSet::from_iter(&told[6..]),
        BTreeSet::from_iter(&["superseded 5".to_owned(), "superseded 6".to_owned()])
    );
    assert_eq!(fixture.count("receipt WHERE entry_id IS NOT NULL").await, 3);
    assert_eq!(fixture.count("receipt WHERE superseded_at = '2026-11-07'").await, 1);
    assert_eq!(fixture.database.sequence_ledger(100, &signer()).await.unwrap().unwrap().size, 8);
}
