//! One system: the services that a test asks for, with everything of its own behind them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shared_models::CleanupId;
use shared_models::ledger::{Expectation, Verified, verify_receipt};
use shared_models::receipt::ReceiptFile;
use tempfile::TempDir;
use test_support::{
    Expectations, Leftover, Rest, Service, StandIn, TestBroker, TestDatabase, free_port, service_binary,
};

use uuid::Uuid;

use crate::api::{Api, Deletes};
use crate::facts::Holdings;
use crate::ledger_keys::{ORIGIN, ledger_keys};

mod end;
mod waits;

use end::End;

const KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";
/// The one key of every ring.
const SECRET: &str = "test:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// Times short enough for tests that wait them out; they fit together like the defaults.
#[must_use]
pub fn fast_times() -> Vec<(&'static str, &'static str)> {
    vec![
        ("LEASE_TTL", "4s"),
        ("LEASE_RENEWAL", "1s"),
        ("STORE_TIMEOUT", "1s"),
        ("LEASE_GUARD", "2s"),
        ("CANCEL_WAIT", "7s"),
        ("FINISHER_INTERVAL", "1s"),
        ("FINISHER_AGE", "8s"),
        ("SETTLE_DELAY", "2s"),
        ("REAPER_INTERVAL", "1s"),
        ("CLEANUP_POLL_INTERVAL", "1s"),
    ]
}

/// A gateway process.
pub struct Gateway {
    /// The process.
    pub service: Service,
    /// A client with the first organization's key.
    pub api: Api,
    /// Where it serves health and metrics.
    pub admin_url: String,
}

/// Everything of one test.
pub struct System {
    /// Its database.
    pub database: TestDatabase,
    /// Its virtual host, unless the test brought a broker of its own.
    broker: Option<TestBroker>,
    /// Its stand-in.
    pub vespa: StandIn,
    arf: TempDir,
    ledger: TempDir,
    /// A folder that the source `files` may read as root `test`.
    pub files: TempDir,
    /// Warnings and errors that the test expects of its services.
    pub expects: Expectations,
    /// What the test leaves behind.
    pub rest: Rest,
    deletes: Deletes,
    /// Whether its end is looked at.
    end: End,
    settings: BTreeMap<String, String>,
}

impl System {
    /// Makes a cleanup that is due, of a sync without a row. Returns its id.
    pub async fn request_cleanup(&self, sync: Uuid) -> CleanupId {
        let (id, organization, other) = (CleanupId::random(), Uuid::new_v4(), Uuid::new_v4());
        let row = format!(
            "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, request_id,
                                  deletion_requested_at, entity_rows_deleted, writer_end, targets)
             VALUES ('{id}', '{sync}', '{organization}', '{other}', '{other}', '{other}', clock_timestamp(), 0,
                     'acknowledged', ARRAY['vespa', 'arf'])"
        );
        self.database.execute(&row).await;
        id
    }

    /// A system without services; `settings` are given to each of them on top of what they need.
    pub async fn new(settings: &[(&str, &str)]) -> Self {
        let broker = TestBroker::create().await;
        let url = broker.amqp_url.clone();
        let mut system = Self::on_broker(&url, settings).await;
        system.broker = Some(broker);
        system
    }

    /// A system for a bench, which arranges rows that no store knows of, and ends when it has measured.
    pub async fn for_bench(settings: &[(&str, &str)]) -> Self {
        let mut system = Self::new(settings).await;
        system.rest.may_leave(Leftover::ALL);
        system.end = End::Unseen;
        system
    }

    /// A system without services on a broker that the test made.
    pub async fn on_broker(amqp_url: &str, settings: &[(&str, &str)]) -> Self {
        let (database, vespa) = (TestDatabase::create().await, StandIn::spawn().await);
        let (arf, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ledger = tempfile::tempdir().unwrap();
        // Who only reads it starts before the one that writes.
        std::fs::create_dir(ledger.path().join("log")).unwrap();
        let mut all: BTreeMap<String, String> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (name, value) in [
            ("DATABASE_URL", database.url.clone()),
            ("AMQP_URL", amqp_url.to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
            ("LEDGER_ORIGIN", ORIGIN.to_owned()),
            ("LEDGER_URL", url::Url::from_file_path(ledger.path()).unwrap().to_string()),
        ] {
            all.entry(name.to_owned()).or_insert(value);
        }
        let expects = Expectations::default();
        if all.contains_key("LEASE_RENEWAL") {
            // Times this short a busy machine may miss once; they fit together so that a try more is left.
            expects.event("the renewal of the lease was not answered in time; trying again");
            expects.event("PostgreSQL did not answer in time; trying again");
        }
        let (rest, deletes) = (Rest::new(&database.url, Some(amqp_url)), Deletes::default());
        Self {
            database,
            broker: None,
            vespa,
            arf,
            ledger,
            files,
            expects,
            rest,
            deletes,
            end: End::Judged,
            settings: all,
        }
    }

    /// Its virtual host.
    ///
    /// # Panics
    /// If the test brought a broker of its own.
    #[must_use]
    pub fn broker(&self) -> &TestBroker {
        self.broker.as_ref().expect("a virtual host of this test")
    }

    /// The folder of the ARF store.
    #[must_use]
    pub fn arf(&self) -> PathBuf {
        self.arf.path().to_owned()
    }

    fn environment(&self, more: &[(&str, String)]) -> Vec<(String, String)> {
        let mut all = self.settings.clone();
        for (name, value) in more {
            all.entry((*name).to_owned()).or_insert_with(|| value.clone());
        }
        all.into_iter().collect()
    }

    /// Starts a gateway and waits until it is ready.
    pub async fn gateway(&self) -> Gateway {
        self.gateway_with(&[]).await
    }

    /// Starts a gateway with settings that go before the system's.
    pub async fn gateway_with(&self, settings: &[(&str, &str)]) -> Gateway {
        let admin = free_port();
        let mut environment = self.environment(&[
            ("LISTEN", format!("127.0.0.1:{}", free_port())),
            ("ADMIN_LISTEN", format!("127.0.0.1:{admin}")),
            ("VESPA_URL", self.vespa.url.clone()),
            ("CREDENTIALS_KEYS", SECRET.to_owned()),
            ("INITIAL_API_KEY", KEY.to_owned()),
            ("ENABLE_INTERNAL_SOURCES", "true".to_owned()),
        ]);
        put_first(&mut environment, settings);
        let listen = environment.iter().rfind(|(name, _)| name == "LISTEN").map(|(_, listen)| listen.clone()).unwrap();
        let mut service = Service::spawn("api-gateway", environment).expecting(&self.expects).resting(&self.rest);
        let api = Api::new(&format!("http://{listen}"), KEY, &self.database.url, &self.deletes);
        service.wait_until_ready(&format!("http://{listen}/health/ready"), BOUND).await;
        Gateway { service, api, admin_url: format!("http://127.0.0.1:{admin}") }
    }

    /// Starts a sync-worker and waits until it is ready.
    pub async fn sync_worker(&self) -> Worker {
        let admin = format!("127.0.0.1:{}", free_port());
        self.worker("sync-worker", self.sync_worker_environment(&admin), &admin).await
    }

    /// Starts a sync-worker and a cleanup-worker that are to find that PostgreSQL has lost its history, and waits until
    /// they say so: they aren't ready then.
    pub async fn workers_without_history(&self) -> [Service; 2] {
        let admin = format!("127.0.0.1:{}", free_port());
        let mut workers = [
            Service::spawn("sync-worker", self.sync_worker_environment(&admin)),
            Service::spawn("cleanup-worker", self.cleanup_worker_environment("127.0.0.1:0", &[])),
        ]
        .map(|worker| worker.expecting(&self.expects).resting(&self.rest));
        for worker in &mut workers {
            worker.wait_until_logged("PostgreSQL has lost history", BOUND).await;
        }
        workers
    }

    fn sync_worker_environment(&self, admin: &str) -> Vec<(String, String)> {
        self.environment(&[
            ("ADMIN_LISTEN", admin.to_owned()),
            ("VESPA_URL", self.vespa.url.clone()),
            ("ARF_URL", self.arf_url()),
            ("CREDENTIALS_KEYS", SECRET.to_owned()),
            ("FILES_ROOTS", format!("test={}", self.files.path().display())),
            ("ENABLE_INTERNAL_SOURCES", "true".to_owned()),
        ])
    }

    /// Starts a cleanup-worker and waits until it is ready.
    pub async fn cleanup_worker(&self) -> Worker {
        self.cleanup_worker_with(&[]).await
    }

    /// Starts a cleanup-worker with settings that go before the system's, and waits until it is ready.
    pub async fn cleanup_worker_with(&self, settings: &[(&str, &str)]) -> Worker {
        let admin = format!("127.0.0.1:{}", free_port());
        self.worker("cleanup-worker", self.cleanup_worker_environment(&admin, settings), &admin).await
    }

    fn cleanup_worker_environment(&self, admin: &str, settings: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut environment = self.environment(&[
            ("ADMIN_LISTEN", admin.to_owned()),
            ("VESPA_URL", self.vespa.url.clone()),
            ("ARF_URL", self.arf_url()),
            ("LEDGER_KEYS", SECRET.to_owned()),
        ]);
        put_first(&mut environment, settings);
        environment
    }

    async fn worker(&self, name: &str, environment: Vec<(String, String)>, admin: &str) -> Worker {
        let admin_url = format!("http://{admin}");
        let mut service = Service::spawn(name, environment).expecting(&self.expects).resting(&self.rest);
        service.wait_until_ready(&format!("{admin_url}/health/ready"), BOUND).await;
        Worker { service, admin_url }
    }

    /// The folder of the ledger store.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.ledger.path().to_owned()
    }

    fn arf_url(&self) -> String {
        url::Url::from_file_path(self.arf.path()).unwrap().to_string()
    }

    /// What the stores hold of a sync.
    pub async fn holdings(&self, sync: &str) -> Holdings {
        Holdings::of(&self.vespa.url, self.arf.path(), sync).await
    }

    /// A session of the test's own.
    pub async fn sql(&self) -> tokio_postgres::Client {
        self.database.client().await
    }

    /// Makes a second organization; answers a client with its key.
    pub async fn second_organization(&self, gateway: &Gateway) -> Api {
        self.organization(gateway, "Stranger", "enterprise").await
    }

    /// Makes an organization with this plan; answers a client with its key.
    pub async fn organization(&self, gateway: &Gateway, name: &str, plan: &str) -> Api {
        let create = ["organizations", "create", "--name", name, "--plan", plan, "--output", "json"];
        let (code, said) = self.unweave(&create).await;
        assert_eq!(code, Some(0), "{said}");
        let made: serde_json::Value = serde_json::from_str(&said).unwrap();
        gateway.api.with_key(made["api_key"].as_str().unwrap())
    }

    /// Runs `unweave` with the environment of a cleanup-worker; answers its exit code and what it said.
    pub async fn unweave(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.unweave_command(arguments).output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// `unweave` with the environment of a cleanup-worker.
    #[must_use]
    pub fn unweave_command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(service_binary("unweave"));
        command.args(arguments).env_clear().envs(self.environment(&[("LEDGER_KEYS", SECRET.to_owned())]));
        command
    }

    /// One number from the database.
    pub async fn count(&self, from: &str) -> i64 {
        self.sql().await.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap().get(0)
    }

    /// Rows that name one of `ids` anywhere, in every table but those that may: cleanup, receipt, ledger, messages.
    pub async fn rows_naming(&self, ids: &[&str]) -> BTreeMap<String, i64> {
        let sql = self.sql().await;
        let tables = sql
            .query(
                "SELECT table_name FROM information_schema.tables
                 WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
                   AND table_name NOT IN ('cleanup', 'receipt', 'ledger_entry', 'outbox')",
                &[],
            )
            .await
            .unwrap();
        let mut rows = BTreeMap::new();
        for table in tables {
            let table: String = table.get(0);
            let pattern = ids.join("|");
            let query = format!("SELECT count(*) FROM \"{table}\" t WHERE t::text ~ $1");
            rows.insert(table, sql.query_one(&query, &[&pattern]).await.unwrap().get(0));
        }
        rows
    }
}

/// Makes these settings the ones that count.
fn put_first(environment: &mut Vec<(String, String)>, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        environment.retain(|(known, _)| known != name);
        environment.push(((*name).to_owned(), (*value).to_owned()));
    }
}

/// The longest that anything in these tests may take.
const BOUND: Duration = Duration::from_secs(90);

/// A worker process.
pub struct Worker {
    /// The process.
    pub service: Service,
    /// Where it serves health and metrics.
    pub admin_url: String,
}

/// What a service shows at `/metrics`.
pub async fn metrics(admin_url: &str) -> String {
    reqwest::get(format!("{admin_url}/metrics")).await.unwrap().text().await.unwrap()
}

/// A metric without labels, 0 if it isn't there yet.
pub async fn metric(admin_url: &str, name: &str) -> f64 {
    let all = metrics(admin_url).await;
    let value = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().unwrap())
}

/// A file below `folder`, with its parents.
pub fn write_file(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// The receipt in a file, which must be signed by the key of the tests; and whether it is in the ledger.
///
/// # Panics
/// If it isn't.
#[must_use]
pub fn verified(receipt: &serde_json::Value) -> Verified {
    let file = ReceiptFile::read(receipt.to_string().as_bytes()).unwrap();
    verify_receipt(&file, &ledger_keys(), Expectation::Anything, None).unwrap()
}
