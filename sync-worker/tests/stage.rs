//! What every test needs: a database, a virtual host, a Vespa, a folder for blobs, and workers.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared_database::Database;
use shared_database::jobs::NewJob;
use shared_models::{JobStatus, Message, SourceConnectionId, SyncId, SyncJobId};
use shared_sources::Source;
use shared_stores::arf::BlobCounts;
use shared_stores::{ArfStore, VespaClient};
use tempfile::TempDir;
use test_support::{Expectations, Leftover, Rest, Service, StandIn, TestBroker, TestDatabase, free_port, wait_until};
use uuid::Uuid;

use crate::job::Job;

/// Longest time that anything here may take; a test that is in order takes a fraction of it.
pub const BOUND: Duration = Duration::from_secs(40);

/// Short protocol times, in the proportions of the defaults.
const TIMES: [(&str, &str); 4] =
    [("LEASE_TTL", "2s"), ("LEASE_RENEWAL", "300ms"), ("STORE_TIMEOUT", "1s"), ("LEASE_GUARD", "2s")];

pub struct Stage {
    pub rows: TestDatabase,
    pub database: Database,
    pub broker: TestBroker,
    pub standin: StandIn,
    pub vespa: VespaClient,
    pub arf: ArfStore,
    blobs: TempDir,
    pub files: TempDir,
    /// Warnings and errors that the test expects of its workers.
    pub expects: Expectations,
    /// What the test leaves behind.
    pub rest: Rest,
}

/// A source connection and its sync.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    pub id: SourceConnectionId,
    pub sync: SyncId,
}

/// A worker process.
pub struct Worker {
    pub service: Service,
    pub admin: String,
}

impl Stage {
    pub async fn new() -> Self {
        test_support::install_tls_provider();
        let (rows, broker, standin) =
            (TestDatabase::create().await, TestBroker::create().await, StandIn::spawn().await);
        let (blobs, files) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let expects = Expectations::default();
        // Asked every 300 ms, a busy machine may miss a turn; the lease lasts for six.
        expects.event("the renewal of the lease was not answered in time; trying again");
        let rest = Rest::new(&rows.url, Some(&broker.amqp_url));
        // No gateway publishes anything here.
        rest.may_leave([Leftover::Outbox]);
        Self {
            database: Database::new(&rows.url.clone().into(), 4).unwrap(),
            vespa: VespaClient::new(&standin.url.parse().unwrap()).unwrap(),
            arf: ArfStore::from_url(&arf_url(&blobs)).unwrap(),
            rows,
            broker,
            standin,
            blobs,
            files,
            expects,
            rest,
        }
    }

    /// Starts a worker and waits until it is ready.
    pub async fn worker(&self) -> Worker {
        self.worker_with(&[]).await
    }

    pub async fn worker_with(&self, settings: &[(&str, &str)]) -> Worker {
        let mut worker = self.start(settings);
        worker.wait_until_ready().await;
        worker
    }

    /// Starts a worker.
    pub fn start(&self, settings: &[(&str, &str)]) -> Worker {
        let admin = format!("127.0.0.1:{}", free_port());
        let mut environment: Vec<(&str, String)> = vec![
            ("DATABASE_URL", self.rows.url.clone()),
            ("AMQP_URL", self.broker.amqp_url.clone()),
            ("VESPA_URL", self.standin.url.clone()),
            ("ARF_URL", arf_url(&self.blobs).to_string()),
            ("CREDENTIALS_KEYS", "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
            ("FILES_ROOTS", format!("test={}", self.files.path().display())),
            ("ENABLE_INTERNAL_SOURCES", "true".to_owned()),
            ("REAPER_INTERVAL", "200ms".to_owned()),
            ("DATABASE_POOL_SIZE", "8".to_owned()),
            ("ADMIN_LISTEN", admin.clone()),
            ("LOG_LEVEL", "info,sync_worker=debug".to_owned()),
        ];
        environment.extend(TIMES.map(|(name, value)| (name, value.to_owned())));
        for (name, value) in settings {
            environment.retain(|(known, _)| known != name);
            environment.push((name, (*value).to_owned()));
        }
        let service = Service::spawn("sync-worker", environment).expecting(&self.expects).resting(&self.rest);
        Worker { service, admin }
    }

    /// A connection to `short_name`; `config` is completed with the catalogue's defaults.
    pub async fn connection(&self, short_name: &str, config: Value) -> Connection {
        let source: Source = short_name.parse().unwrap();
        let config = source.check_config(config.as_object().unwrap(), None).unwrap();
        let connection = Connection { id: SourceConnectionId::random(), sync: SyncId::random() };
        let (organization, collection) = (Uuid::new_v4(), Uuid::new_v4());
        let sql = format!(
            "INSERT INTO organization (id, name) VALUES ('{organization}', 'Test');
             INSERT INTO collection (id, organization_id, name, readable_id)
             VALUES ('{collection}', '{organization}', 'Test', 'test-{collection}');
             INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config, auth_method,
                                            is_authenticated)
             VALUES ('{id}', '{organization}', '{collection}', '{short_name}', 'Test', '{config}', 'direct', true);
             INSERT INTO sync (id, source_connection_id) VALUES ('{sync}', '{id}')",
            id = connection.id,
            sync = connection.sync,
            config = Value::Object(config),
        );
        self.rows.execute(&sql).await;
        connection
    }

    /// A connection to the files of this stage.
    pub async fn files_connection(&self) -> Connection {
        let connection = self.connection("files", json!({})).await;
        self.give_credentials(connection, json!({"root": "test"})).await;
        connection
    }

    pub async fn give_credentials(&self, connection: Connection, credentials: Value) {
        let cipher = shared_database::RowCipher::new([("test".to_owned(), [0; 32])]).unwrap();
        let credentials = credentials.as_object().cloned().unwrap();
        let mut db = self.database.connection().await.unwrap();
        shared_database::credentials::store(&mut db, &cipher, connection.id, &credentials).await.unwrap();
    }

    pub fn write_file(&self, name: &str, content: &str) {
        std::fs::write(self.file(name), content).unwrap();
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Where the ARF store is.
    pub fn arf_folder(&self) -> &Path {
        self.blobs.path()
    }

    /// Creates a pending job; nobody is told of it.
    pub async fn pend(&self, connection: Connection) -> SyncJobId {
        match self.database.run_connection(connection.id, false, None).await.unwrap() {
            NewJob::Created(job) => job,
            other => panic!("no job: {other:?}"),
        }
    }

    /// Creates a job and tells the workers.
    pub async fn run(&self, connection: Connection) -> SyncJobId {
        let job = self.pend(connection).await;
        self.send_run(job).await;
        job
    }

    pub async fn send_run(&self, job: SyncJobId) {
        let body = Message::RunSync { job_id: job }.encode();
        assert!(self.broker.publish_raw("", "sync.jobs", &body, &[]).await);
    }

    pub async fn send_cancel(&self, job: SyncJobId) {
        self.broker.publish_raw("sync.control", "", &Message::CancelSync { job_id: job }.encode(), &[]).await;
    }

    /// Runs a job to its end, and expects it to complete.
    pub async fn sync(&self, connection: Connection) -> Job {
        let job = self.run(connection).await;
        let ended = self.ended(job).await;
        assert_eq!((ended.status, ended.error.as_deref()), (JobStatus::Completed, None));
        ended
    }

    pub async fn job(&self, job: SyncJobId) -> Job {
        let sql = "SELECT to_jsonb(j) FROM sync_job j WHERE id = $1";
        let row = self.rows.client().await.query_one(sql, &[&job.0]).await.unwrap();
        serde_json::from_value(row.get(0)).unwrap()
    }

    pub async fn ended(&self, job: SyncJobId) -> Job {
        wait_until("the job ends", BOUND, async || !self.job(job).await.status.is_active()).await;
        self.job(job).await
    }

    /// Waits for the end of a job that is to fail, and expects the worker to say so.
    pub async fn failed(&self, job: SyncJobId) -> Job {
        self.expects.event("the job ends early");
        let ended = self.ended(job).await;
        assert_eq!(ended.status, JobStatus::Failed, "{ended:?}");
        ended
    }

    /// Waits until the sync has settled at least `entities` rows.
    pub async fn wait_for_entities(&self, connection: Connection, entities: i64) {
        wait_until("entities are written", BOUND, async || self.settled(connection).await >= entities).await;
    }

    pub async fn settled(&self, connection: Connection) -> i64 {
        self.count_entities(connection, "content_hash IS NOT NULL").await
    }

    pub async fn dirty(&self, connection: Connection) -> i64 {
        self.count_entities(connection, "content_hash IS NULL").await
    }

    async fn count_entities(&self, connection: Connection, condition: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM entity WHERE sync_id = '{}' AND {condition}", connection.sync);
        self.rows.count(&sql).await
    }

    pub async fn documents(&self, connection: Connection) -> u64 {
        self.vespa.count(connection.sync, Duration::from_secs(10)).await.unwrap().get()
    }

    pub async fn blobs(&self, connection: Connection) -> BlobCounts {
        self.arf.list_counts(connection.sync).await.unwrap()
    }

    /// Rows, documents and blobs agree, and nothing is dirty.
    pub async fn assert_consistent(&self, connection: Connection) {
        self.rows.assert_counts_are_kept().await;
        assert_eq!(self.dirty(connection).await, 0);
        let sync = connection.sync;
        let sums = |what: &str| format!("SELECT coalesce(sum({what}), 0)::bigint FROM entity WHERE sync_id = '{sync}'");
        let chunks = self.rows.count(&sums("chunk_count")).await;
        let files = self.rows.count(&sums("(file_name IS NOT NULL)::int")).await;
        assert_eq!(self.documents(connection).await, u64::try_from(chunks).unwrap());
        let (settled, blobs) = (self.settled(connection).await, self.blobs(connection).await);
        assert_eq!(blobs.entities, u64::try_from(settled).unwrap());
        assert_eq!(blobs.files, u64::try_from(files).unwrap());
        assert_eq!((blobs.manifest, blobs.staging, blobs.other), (1, 0, 0));
    }
}

impl Worker {
    pub async fn wait_until_ready(&mut self) {
        self.service.wait_until_ready(&format!("http://{}/health/ready", self.admin), BOUND).await;
    }

    /// How often its log has `text`.
    pub fn logged(&self, text: &str) -> usize {
        self.service.log().matches(text).count()
    }

    /// One metric's value; 0 if it isn't there.
    pub async fn metric(&self, name: &str) -> f64 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let text = client.get(format!("http://{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

fn arf_url(folder: &TempDir) -> url::Url {
    url::Url::from_directory_path(folder.path()).unwrap()
}

/// How long `wait` took.
pub async fn timed(wait: impl Future<Output = ()>) -> Duration {
    let started = Instant::now();
    wait.await;
    started.elapsed()
}
