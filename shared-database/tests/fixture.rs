//! A database of its own for each test, with an organization, a collection and connections.

use std::time::Duration;

use diesel::sql_types;
use diesel_async::RunQueryDsl as _;
use secrecy::SecretString;
use shared_database::Database;
use shared_database::deletion::Requester;
use shared_database::jobs::{JobChoice, NewJob};
use shared_models::invariant::facts::Atomic;
use shared_models::{CollectionId, LeaseOwner, OrganizationId, RequestId, SourceConnectionId, SyncId, SyncJobId};
use test_support::TestDatabase;

pub const TTL: Duration = Duration::from_secs(10);

pub struct Fixture {
    pub database: Database,
    pub test_database: TestDatabase,
    pub organization: OrganizationId,
    pub collection: CollectionId,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

impl Fixture {
    pub async fn new() -> Self {
        let test_database = TestDatabase::create().await;
        let database = Database::new(&SecretString::from(test_database.url.clone()), 16).unwrap();
        let (organization, collection) = (OrganizationId::random(), CollectionId::random());
        let fixture = Self { database, test_database, organization, collection };
        fixture.sql(&format!("INSERT INTO organization (id, name) VALUES ('{organization}', 'Acme')")).await;
        fixture.add_collection(collection).await;
        fixture
    }

    pub async fn add_collection(&self, collection: CollectionId) {
        let organization = self.organization;
        self.sql(&format!(
            "INSERT INTO collection (id, organization_id, name, readable_id)
             VALUES ('{collection}', '{organization}', 'Docs', 'docs-{collection}')"
        ))
        .await;
    }

    pub async fn connection(&self) -> (SourceConnectionId, SyncId) {
        self.connection_in(self.collection).await
    }

    pub async fn connection_in(&self, collection: CollectionId) -> (SourceConnectionId, SyncId) {
        let (id, sync) = (SourceConnectionId::random(), SyncId::random());
        let organization = self.organization;
        self.sql(&format!(
            "INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config, auth_method,
                                            is_authenticated)
             VALUES ('{id}', '{organization}', '{collection}', 'stub', 'Stub', '{{}}', 'direct', true)"
        ))
        .await;
        self.sql(&format!("INSERT INTO sync (id, source_connection_id) VALUES ('{sync}', '{id}')")).await;
        (id, sync)
    }

    pub async fn add_entities(&self, sync: SyncId, count: u32) {
        self.sql(&format!(
            "INSERT INTO entity (sync_id, entity_key, entity_class, entity_id, document_type, chunk_count, seen_by_job)
             SELECT '{sync}', decode(md5(n::text), 'hex'), 'X', n::text, 'base_entity', 1, gen_random_uuid()
             FROM generate_series(1, {count}) n"
        ))
        .await;
        self.test_database.count_entities_anew().await;
    }

    pub async fn pending_job(&self, connection: SourceConnectionId) -> SyncJobId {
        match self.database.run_connection(connection, false, None).await.unwrap() {
            NewJob::Created(job) => job,
            other => panic!("no job: {other:?}"),
        }
    }

    pub async fn running_job(&self, connection: SourceConnectionId) -> (SyncJobId, LeaseOwner) {
        let job = self.pending_job(connection).await;
        let owner = LeaseOwner::random();
        self.database.claim_job(JobChoice::Named(job), owner, TTL).await.unwrap().unwrap();
        (job, owner)
    }

    pub fn requester(&self) -> Requester {
        Requester { api_key: None, request: RequestId::random(), reference: None }
    }

    pub async fn sql(&self, statement: &str) {
        diesel::sql_query(statement).execute(&mut self.database.connection().await.unwrap()).await.unwrap();
    }

    /// The statements of a migration, which has none with a `;` in it.
    pub async fn run(&self, migration: &str) {
        for statement in migration.split(';').filter(|statement| !statement.trim().is_empty()) {
            self.sql(statement).await;
        }
    }

    pub async fn count(&self, from: &str) -> i64 {
        let row: Count = diesel::sql_query(format!("SELECT count(*) AS count FROM {from}"))
            .get_result(&mut self.database.connection().await.unwrap())
            .await
            .unwrap();
        row.count
    }
}

/// Every table below a connection, and how its rows are found.
pub async fn rows_of(fixture: &Fixture, connection: SourceConnectionId, sync: SyncId) -> [i64; 5] {
    [
        fixture.count(&format!("source_connection WHERE id = '{connection}'")).await,
        fixture.count(&format!("credential WHERE source_connection_id = '{connection}'")).await,
        fixture.count(&format!("sync WHERE id = '{sync}'")).await,
        fixture.count(&format!("sync_job WHERE sync_id = '{sync}'")).await,
        fixture.count(&format!("entity WHERE sync_id = '{sync}'")).await,
    ]
}

/// What DEL-1 judges.
pub async fn atomic(fixture: &Fixture, connection: SourceConnectionId, sync: SyncId) -> Atomic {
    let told = async |kind: &str| {
        let cleanup = format!("(SELECT id::text FROM cleanup WHERE sync_id = '{sync}')");
        let said = format!("outbox WHERE message->>'type' = '{kind}' AND message->>'cleanup_id' = {cleanup}");
        u64::try_from(fixture.count(&said).await).unwrap()
    };
    let cleanups = fixture.count(&format!("cleanup WHERE sync_id = '{sync}'")).await;
    Atomic {
        rows: rows_of(fixture, connection, sync).await.iter().sum::<i64>().try_into().unwrap(),
        cleanups: cleanups.try_into().unwrap(),
        requests: told("CleanupRequested").await,
        events: told("SourceConnectionDeleted").await,
    }
}
