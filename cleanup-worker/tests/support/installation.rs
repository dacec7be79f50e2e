//! An installation whose ledger is published, and whose PostgreSQL goes back in time.

use std::time::Duration;

use cleanup_worker::ledger::Ledger;
use shared_database::Database;
use shared_database::deletion::{Requested, Requester, Subject};
use shared_ledger::{Recovery, Watch};
use shared_models::{CleanupId, CollectionId, OrganizationId, PublisherId, RequestId, SourceConnectionId, SyncId};
use shared_stores::LedgerStore;
use tempfile::TempDir;
use test_support::KeptDatabase;
use url::Url;
use uuid::Uuid;

use super::{ORIGIN, Rows, keys, signer};

/// An installation whose ledger is published.
pub struct Installation {
    pub rows: Rows,
    pub folder: TempDir,
}

/// A connection that can be deleted.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    pub organization: OrganizationId,
    pub connection: SourceConnectionId,
    pub sync: SyncId,
    pub collection: CollectionId,
}

/// Inserts so many entries that say nothing of importance.
pub fn facts(count: u32) -> String {
    format!(
        "INSERT INTO ledger_entry (entry)
         SELECT jsonb_build_object('form', 1, 'kind', 'audit', 'at', ledger_time(clock_timestamp()), 'actor', 'operator',
                    'organization_id', NULL, 'action', 'test.made', 'object_id', gen_random_uuid())
         FROM generate_series(1, {count})"
    )
}

impl Installation {
    pub async fn new() -> Self {
        Self { rows: Rows::new().await, folder: TempDir::new().unwrap() }
    }

    pub fn store(&self) -> LedgerStore {
        LedgerStore::open(&Url::from_file_path(self.folder.path()).unwrap()).unwrap()
    }

    pub async fn live(&self) -> Live {
        let sync = SyncId::random();
        self.rows.live(sync).await;
        let sql = "SELECT c.organization_id, c.id, c.collection_id FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
                   WHERE s.id = $1";
        let row = self.rows.test.client().await.query_one(sql, &[&sync.0]).await.unwrap();
        let (organization, connection) = (OrganizationId(row.get(0)), SourceConnectionId(row.get(1)));
        Live { organization, connection, sync, collection: CollectionId(row.get(2)) }
    }

    pub async fn delete(&self, live: Live) -> CleanupId {
        self.delete_all_of(live, Subject::Connection(live.connection)).await
    }

    /// Deletes what has one connection, this one.
    pub async fn delete_all_of(&self, live: Live, subject: Subject) -> CleanupId {
        let requester = Requester { api_key: None, request: RequestId::random(), reference: None };
        match self.rows.database.request(live.organization, subject, requester).await.unwrap() {
            Requested::Committed { cleanups, .. } => cleanups[0],
            other => panic!("{other:?}"),
        }
    }

    /// A process that has just started publishes what there is.
    pub async fn publish(&self) {
        let database = self.rows.another_process();
        let (signer, keys, publisher) = (signer(), keys(), PublisherId::random());
        Ledger { database, signer, keys, store: Some(self.store()), publisher }.run().await.unwrap();
    }

    /// So many facts of no importance.
    pub async fn facts(&self, count: u32) {
        self.rows.test.execute(&facts(count)).await;
    }

    pub async fn go_back(&self, to: &KeptDatabase) {
        self.rows.test.go_back(to).await;
    }

    pub fn recovery(&self, database: &Database) -> Recovery {
        Recovery {
            database: database.clone(),
            store: self.store(),
            origin: ORIGIN.parse().unwrap(),
            keys: keys(),
            signer: signer(),
            silence_after: Duration::from_secs(1),
            guard: Duration::ZERO,
            rewrites: true,
        }
    }

    pub fn watch(&self, database: &Database, is_required: bool) -> Watch {
        Watch::new(database.clone(), self.store(), ORIGIN.parse().unwrap(), is_required).with_keys(keys())
    }

    pub async fn count(&self, from: &str) -> i64 {
        self.rows.test.count(&format!("SELECT count(*) FROM {from}")).await
    }

    /// So many cleanups that are done, each with a receipt of the ledger's form.
    pub async fn done(&self, cleanup: CleanupId) {
        // The receipt's content is made by a worker elsewhere; here its form is enough.
        let receipt = Uuid::new_v4();
        self.rows
            .test
            .arrange(&format!(
                "UPDATE cleanup SET state = 'done', completed_at = clock_timestamp() WHERE id = '{cleanup}';
                 WITH told AS (
                     SELECT jsonb_build_object('form', 2, 'receipt_id', '{receipt}'::uuid, 'sync_id', sync_id,
                                'organization_id', organization_id, 'issued_at', ledger_time(clock_timestamp())) AS r,
                            organization_id
                     FROM cleanup WHERE id = '{cleanup}'
                 ), entered AS (
                     INSERT INTO ledger_entry (organization_id, entry)
                     SELECT organization_id, jsonb_build_object('form', 1, 'kind', 'receipt', 'receipt', r) FROM told
                     RETURNING id
                 )
                 INSERT INTO ledger_pending (entry_id) SELECT id FROM entered"
            ))
            .await;
    }
}
