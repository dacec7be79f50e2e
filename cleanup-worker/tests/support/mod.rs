//! Rows to clean up, stores to clean up in, and workers that do it.

pub mod dying;
pub mod installation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cleanup_worker::heartbeat::ClaimTimes;
use cleanup_worker::policy::Policy;
use futures::StreamExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared_database::Database;
use shared_database::cleanups::PurgeSchedule;
use shared_models::ledger::{LedgerSigner, TrustedKeys};
use shared_models::receipt::{Receipt, SignedReceipt};
use shared_models::{CleanupId, DocumentId, DocumentType, EntityKey, SyncId, purge_key};
use shared_stores::arf::BlobForm;
use shared_stores::{ArfStore, VespaClient};
use tempfile::TempDir;
use test_support::{Expectations, Leftover, Rest, Service, StandIn, TestBroker, TestDatabase, free_port, wait_until};
use url::Url;
use uuid::Uuid;

pub const SOON: Duration = Duration::from_secs(60);
const STORE: Duration = Duration::from_secs(5);
/// The ledger of every test, and the key that signs in it.
pub const ORIGIN: &str = "unweave.test/ledger";
pub const SIGNING_KEY: &str = "test-key:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A database with rows that need a cleanup.
pub struct Rows {
    pub test: TestDatabase,
    pub database: Database,
}

impl Rows {
    pub async fn new() -> Self {
        let test = TestDatabase::create().await;
        let database = Database::new(&SecretString::from(test.url.clone()), 8).unwrap();
        Self { test, database }
    }

    /// The same rows, seen by a process that has just started.
    pub fn again(self) -> Self {
        Self { database: self.another_process(), test: self.test }
    }

    /// What a process has that has just started.
    pub fn another_process(&self) -> Database {
        Database::new(&SecretString::from(self.test.url.clone()), 8).unwrap()
    }

    /// A cleanup that is due, of a sync without a row.
    pub async fn cleanup_of(&self, sync: SyncId) -> CleanupId {
        let id = CleanupId::random();
        let (organization, other) = (Uuid::new_v4(), Uuid::new_v4());
        self.test
            .execute(&format!(
                "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, request_id,
                                      deletion_requested_at, entity_rows_deleted, writer_end, targets)
                 VALUES ('{id}', '{sync}', '{organization}', '{other}', '{other}', '{other}', clock_timestamp(), 7,
                         'acknowledged', ARRAY['vespa', 'arf'])"
            ))
            .await;
        id
    }

    pub async fn set(&self, id: CleanupId, assignments: &str) {
        self.test.arrange(&format!("UPDATE cleanup SET {assignments} WHERE id = '{id}'")).await;
    }

    /// A connection with this sync: the sync is live.
    pub async fn live(&self, sync: SyncId) {
        let (organization, collection, connection) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
        self.test
            .execute(&format!(
                "INSERT INTO organization (id, name) VALUES ('{organization}', 'o');
                 INSERT INTO collection (id, organization_id, name, readable_id)
                 VALUES ('{collection}', '{organization}', 'c', '{collection}');
                 INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config,
                                                auth_method, is_authenticated)
                 VALUES ('{connection}', '{organization}', '{collection}', 'stub', 's', '{{}}', 'direct', true);
                 INSERT INTO sync (id, source_connection_id) VALUES ('{sync}', '{connection}')"
            ))
            .await;
    }

    /// A column of a cleanup as text; empty if it is null.
    pub async fn column(&self, id: CleanupId, column: &str) -> String {
        let sql = format!("SELECT coalesce(({column})::text, '') FROM cleanup WHERE id = $1");
        self.test.client().await.query_one(&sql, &[&id.0]).await.unwrap().get(0)
    }

    pub async fn state(&self, id: CleanupId) -> String {
        self.column(id, "state").await
    }

    pub async fn wait_for_state(&self, id: CleanupId, state: &str) {
        wait_until(&format!("the cleanup is {state}"), SOON, async || self.state(id).await == state).await;
    }

    pub async fn receipts(&self, id: CleanupId) -> Vec<SignedReceipt> {
        let sql = "SELECT signed FROM receipt WHERE cleanup_id = $1 ORDER BY issued_at";
        let rows = self.test.client().await.query(sql, &[&id.0]).await.unwrap();
        rows.iter().map(|row| serde_json::from_value(row.get::<_, Value>(0)).unwrap()).collect()
    }

    /// The one receipt of a cleanup, verified offline with the trusted key.
    pub async fn receipt(&self, id: CleanupId) -> Receipt {
        let receipts = self.receipts(id).await;
        assert_eq!(receipts.len(), 1, "one receipt");
        receipts[0].signed_by(&keys()).unwrap();
        serde_json::from_value(receipts[0].receipt.clone()).unwrap()
    }

    /// How many events of a type wait in the outbox.
    pub async fn events(&self, kind: &str) -> i64 {
        self.test.count(&format!("SELECT count(*) FROM outbox WHERE message->>'type' = '{kind}'")).await
    }
}

/// What signs in tests: as SIGNING_KEY and ORIGIN say.
pub fn signer() -> Arc<LedgerSigner> {
    Arc::new(LedgerSigner::new(ORIGIN.parse().unwrap(), "test-key".to_owned(), &[7; 32]).unwrap())
}

/// The one key that is believed.
pub fn keys() -> TrustedKeys {
    signer().verifier().clone().into()
}

/// Times of a worker in this process.
pub fn policy() -> Policy {
    let second = Duration::from_secs(1);
    Policy {
        schedule: PurgeSchedule { settle_delay: Duration::from_millis(1), ..PurgeSchedule::default() },
        collecting: Duration::ZERO,
        late_write_check: second,
        claim: ClaimTimes { ttl: 60 * second, renewal: 15 * second },
        out_of_reach_for: Vec::new(),
        slice: second,
        yield_after: 60 * second,
        retry_base: second,
        retry_longest: second,
    }
}

/// Everything that a worker needs.
pub struct World {
    pub rows: Rows,
    pub broker: TestBroker,
    pub standin: StandIn,
    pub vespa: VespaClient,
    pub arf: ArfStore,
    pub arf_folder: TempDir,
    pub ledger_folder: TempDir,
    /// Warnings and errors that the test expects of its workers.
    pub expects: Expectations,
    /// What the test leaves behind.
    pub rest: Rest,
}

impl World {
    pub async fn new() -> Self {
        test_support::install_tls_provider();
        let (rows, broker, standin) = futures::join!(Rows::new(), TestBroker::create(), StandIn::spawn());
        let vespa = VespaClient::new(&Url::parse(&standin.url).unwrap()).unwrap();
        let (arf_folder, ledger_folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let arf = ArfStore::from_url(&Url::from_file_path(arf_folder.path()).unwrap()).unwrap();
        let expects = Expectations::default();
        // Claims of 2 s, renewed every 500 ms, a busy machine may miss; then another worker takes over,
        // or the same again.
        expects.event("renew claim: no answer from PostgreSQL in time");
        expects.event("claim lost, everything dropped");
        let rest = Rest::new(&rows.test.url, Some(&broker.amqp_url));
        // No gateway publishes anything here.
        rest.may_leave([Leftover::Outbox]);
        Self { rows, broker, standin, vespa, arf, arf_folder, ledger_folder, expects, rest }
    }

    /// The settings of a worker: short times, then the given ones.
    pub fn environment(&self, settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<String, String> = [
            ("DATABASE_URL", self.rows.test.url.as_str()),
            ("AMQP_URL", &self.broker.amqp_url),
            ("VESPA_URL", &self.standin.url),
            ("ARF_URL", Url::from_file_path(self.arf_folder.path()).unwrap().as_str()),
            ("LEDGER_KEYS", SIGNING_KEY),
            ("LEDGER_ORIGIN", ORIGIN),
            ("LEDGER_URL", Url::from_file_path(self.ledger_folder.path()).unwrap().as_str()),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("LOG_LEVEL", "info,cleanup_worker=debug,shared_messaging=debug"),
            ("SETTLE_DELAY", "300ms"),
            ("CLAIM_TTL", "2s"),
            ("CLAIM_RENEWAL", "500ms"),
            ("PURGE_SLICE", "300ms"),
            ("CLEANUP_POLL_INTERVAL", "200ms"),
            ("RETRY_BASE_DELAY", "100ms"),
            ("RETRY_MAX_DELAY", "500ms"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        environment
    }

    pub fn worker(&self, settings: &[(&str, &str)]) -> Service {
        Service::spawn("cleanup-worker", self.environment(settings)).expecting(&self.expects).resting(&self.rest)
    }

    /// A worker with its admin address.
    pub async fn ready_worker(&self, settings: &[(&str, &str)]) -> (Service, String) {
        let address = format!("127.0.0.1:{}", free_port());
        let mut settings = settings.to_vec();
        settings.push(("ADMIN_LISTEN", &address));
        let mut worker = self.worker(&settings);
        worker.wait_until_ready(&format!("http://{address}/health/ready"), SOON).await;
        (worker, format!("http://{address}"))
    }

    /// Waits until a worker consumes from the broker.
    pub async fn wait_until_consuming(&self, worker: &Service) {
        worker.wait_until_logged("the consumer is connected to the broker", SOON).await;
    }

    /// Writes `count` documents over all five types, some as other systems write them: other ids, no purge key.
    pub async fn feed(&self, sync: SyncId, count: u32) {
        let put = async |number: u32| {
            let types = DocumentType::ALL;
            let kind = types[usize::try_from(number).unwrap() % types.len()];
            let key = EntityKey::unkeyed("E", &number.to_string());
            let mut id = DocumentId::chunk(kind, sync, key, 0);
            let mut fields = fields(sync, number);
            if number.is_multiple_of(7) {
                id.specific = format!("{kind}_http://x:80/ä {number}?q={sync}__chunk_0");
            } else {
                fields["airweave_system_metadata_purge_key"] = json!(purge_key(sync, key));
            }
            self.vespa.put(&id, &fields, STORE).await.unwrap();
        };
        futures::stream::iter(0..count).for_each_concurrent(64, put).await;
    }

    /// Writes `count` blobs: a manifest, entities, files, one without a name of ours, one half-written.
    pub async fn capture(&self, sync: SyncId, count: u32) {
        for number in 1..count.saturating_sub(2) {
            let key = EntityKey::unkeyed("E", &number.to_string());
            let content = Bytes::from(format!("{{\"n\":{number}}}"));
            if number.is_multiple_of(3) {
                self.arf.put_blob(sync, BlobForm::Plain.file(key, content), STORE).await.unwrap();
            } else {
                self.arf.put_blob(sync, BlobForm::Plain.capture(key, content), STORE).await.unwrap();
            }
        }
        let folder = self.arf_folder.path().join("raw").join(sync.to_string());
        std::fs::create_dir_all(folder.join("foreign/deep")).unwrap();
        std::fs::write(folder.join("foreign/deep/blob"), "x").unwrap();
        std::fs::write(folder.join("manifest.json"), "{}").unwrap();
        std::fs::create_dir_all(folder.join("entities")).unwrap();
        std::fs::write(folder.join("entities/killed.json#1"), "x").unwrap();
    }

    pub async fn documents(&self, sync: SyncId) -> u64 {
        self.vespa.count(sync, STORE).await.unwrap().get()
    }

    pub async fn blobs(&self, sync: SyncId) -> u64 {
        self.arf.list_counts(sync).await.unwrap().total()
    }

    pub async fn wait_until_empty_of_documents(&self, sync: SyncId) {
        wait_until("no documents are left", SOON, async || self.documents(sync).await == 0).await;
    }

    /// The value of a metric of a worker; 0 if it isn't there.
    pub async fn metric(&self, admin: &str, line: &str) -> f64 {
        let text = reqwest::get(format!("{admin}/metrics")).await.unwrap().text().await.unwrap();
        let value = text.lines().find_map(|row| row.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or_default()
    }
}

pub fn fields(sync: SyncId, number: u32) -> Value {
    json!({
        "entity_id": format!("e-{number}"),
        "name": format!("entity {number}"),
        "textual_representation": "the quick brown fox",
        "payload": "{}",
        "airweave_system_metadata_sync_id": sync,
        "airweave_system_metadata_collection_id": Uuid::nil(),
        "airweave_system_metadata_chunk_index": 0,
    })
}
