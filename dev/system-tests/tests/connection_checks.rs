//! `--check-connections`, told by its lines and its exit code: with servers that are there, and without.

use std::process::{Command, Output};

use test_support::{StandIn, TestBroker, TestDatabase, free_port, service_binary};

const SERVICES: [&str; 3] = ["api-gateway", "sync-worker", "cleanup-worker"];
const SECRET: &str = "test:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// The servers of one test.
struct Servers {
    database: TestDatabase,
    broker: TestBroker,
    vespa: StandIn,
    arf: tempfile::TempDir,
}

impl Servers {
    async fn start() -> Self {
        let (database, broker) = (TestDatabase::create().await, TestBroker::create().await);
        Self { database, broker, vespa: StandIn::spawn().await, arf: tempfile::tempdir().unwrap() }
    }

    /// What the service says with these settings instead of the right ones: its exit code and its lines.
    fn checked(&self, service: &str, other: &[(&str, &str)]) -> (Option<i32>, Vec<String>) {
        let arf = url::Url::from_file_path(self.arf.path()).unwrap();
        let mut command = Command::new(service_binary(service));
        command.arg("--check-connections").env_clear().envs([
            ("DATABASE_URL", self.database.url.as_str()),
            ("AMQP_URL", &self.broker.amqp_url),
            ("VESPA_URL", &self.vespa.url),
            ("ARF_URL", arf.as_str()),
            ("CREDENTIALS_KEYS", SECRET),
            ("LEDGER_KEYS", SECRET),
        ]);
        let Output { status, stdout, stderr } = command.envs(other.iter().copied()).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (status.code(), text.lines().map(str::to_owned).collect())
    }
}

/// The line about `what`.
fn line<'a>(lines: &'a [String], what: &str) -> &'a str {
    lines.iter().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {lines:?}"))
}

#[tokio::test]
async fn every_service_says_that_all_it_needs_can_be_used() {
    let servers = Servers::start().await;
    for service in SERVICES {
        let (code, lines) = servers.checked(service, &[]);
        assert!(code == Some(0) && lines.iter().all(|line| line.starts_with("ok ")), "{service}: {lines:?}");
        let whats = if service == "api-gateway" { 3 } else { 4 };
        assert_eq!(lines.len(), whats, "{service}: {lines:?}");
        assert!(line(&lines, "PostgreSQL").contains("its tables are up to date"), "{lines:?}");
    }
    let left = std::fs::read_dir(servers.arf.path().join("raw")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the check removes what it wrote");
}

#[tokio::test]
async fn what_cannot_be_used_is_told_beside_what_can_and_without_secrets() {
    let servers = Servers::start().await;
    let nobody = format!("127.0.0.1:{}", free_port());
    let (postgres, amqp) = (format!("postgres://u:hunter2@{nobody}/d"), format!("amqp://u:hunter2@{nobody}/v"));
    let vespa = format!("http://u:hunter2@{nobody}");
    let folder = servers.arf.path().join("not-there");
    let missing = url::Url::from_file_path(&folder).unwrap();
    for service in SERVICES {
        for (what, name, value) in [
            ("PostgreSQL", "DATABASE_URL", postgres.as_str()),
            ("RabbitMQ", "AMQP_URL", &amqp),
            ("Vespa", "VESPA_URL", &vespa),
            ("object store", "ARF_URL", "file:///dev/null/arf"),
            ("object store", "ARF_URL", missing.as_str()),
        ] {
            let is_asked = service != "api-gateway" || what != "object store";
            let (code, lines) = servers.checked(service, &[(name, value)]);
            let failed: Vec<&String> = lines.iter().filter(|line| line.starts_with("FAILED")).collect();
            assert_eq!(code, Some(i32::from(is_asked)), "{service}, {what}: {lines:?}");
            assert_eq!(failed.len(), usize::from(is_asked), "{service}, {what}: {lines:?}");
            assert!(failed.iter().all(|line| line.contains(what)), "{service}, {what}: {lines:?}");
            assert!(!lines.concat().contains("hunter2"), "{service}, {what}: {lines:?}");
        }
        assert!(!folder.exists(), "{service}: a look makes no folder");
        let (code, lines) = servers.checked(service, &[("LOG_FORMAT", "xml")]);
        assert_eq!((code, lines.len()), (Some(2), 1), "{service}: the configuration comes first: {lines:?}");
    }
}

#[tokio::test]
async fn a_database_without_our_tables_is_fine_for_the_gateway_alone() {
    let servers = Servers::start().await;
    servers.database.execute("DROP TABLE __diesel_schema_migrations").await;
    for service in SERVICES {
        let (code, lines) = servers.checked(service, &[]);
        let (wanted, told) = match service {
            "api-gateway" => (0, "migrations will run at the start"),
            _ => (1, "start an api-gateway of this version first"),
        };
        assert!(code == Some(wanted) && line(&lines, "PostgreSQL").contains(told), "{service}: {lines:?}");
    }
}

/// With vectors of another size than the schema's every write would fail, or every search by meaning find nonsense.
#[tokio::test]
async fn an_embedder_that_is_away_and_vectors_of_another_size_are_told() {
    let servers = Servers::start().await;
    let checked = |dimensions: &str| {
        let url = ("EMBEDDER_URL", "http://127.0.0.1:1/v1");
        servers.checked("api-gateway", &[url, ("EMBEDDER_MODEL", "m"), ("EMBEDDER_DIMENSIONS", dimensions)])
    };
    for (dimensions, start) in [("1536", "ok "), ("7", "FAILED"), ("1537", "FAILED")] {
        let (code, lines) = checked(dimensions);
        assert!(code == Some(1) && line(&lines, "embedder").starts_with("FAILED"), "{lines:?}");
        assert!(line(&lines, "Vespa").starts_with(start), "{dimensions}: {lines:?}");
    }
}
