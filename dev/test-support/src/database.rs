//! A database per test, copied from a template that is migrated once per version of the migrations.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use tokio_postgres::{Client, NoTls};
use url::Url;
use uuid::Uuid;

/// Held while the template is made: tests of several processes start at once. ASCII "template".
const TEMPLATE_LOCK: i64 = 0x74_65_6d_70_6c_61_74_65;

/// What the kept counts of entities must be. Rows whose counts are all zero are as good as none.
const REAL_COUNTS: &str = "SELECT sync_id, entity_class, count(*) AS entities, sum(chunk_count)::bigint AS documents,
                                  count(file_name) AS files
                           FROM entity GROUP BY sync_id, entity_class";

/// An empty, migrated database; dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    /// Where it is.
    pub url: String,
    name: String,
    server: Url,
}

impl TestDatabase {
    /// A new database on the server of `DATABASE_URL`, whose user must be a superuser.
    pub async fn create() -> Self {
        let server: Url = crate::server("DATABASE_URL").parse().expect("DATABASE_URL is a URL");
        let admin = connect(server.as_str()).await;
        let template = template(&admin, &server).await;
        let name = format!("unweave_test_{}", Uuid::new_v4().simple());
        run(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { url: at(&server, &name), name, server }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new plain connection to it.
    pub async fn client(&self) -> Client {
        connect(&self.url).await
    }

    /// Runs SQL statements, separated by semicolons.
    pub async fn execute(&self, sql: &str) {
        run(&self.client().await, sql).await;
    }

    /// Arranges rows as a test wants to find them, past the triggers:
    /// whether a move is one of the protocol isn't asked.
    pub async fn arrange(&self, sql: &str) {
        self.execute(&format!("SET session_replication_role = replica; {sql}")).await;
    }

    /// The first column of the first row of a query that counts.
    pub async fn count(&self, sql: &str) -> i64 {
        let row = self.client().await.query_one(sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    /// Counts entities anew, after a test has written rows past the statements that keep the counts.
    pub async fn count_entities_anew(&self) {
        let sql = format!(
            "DELETE FROM entity_count;
             INSERT INTO entity_count (sync_id, entity_class, entities, documents, files, last_updated_at)
             SELECT real.*, clock_timestamp() FROM ({REAL_COUNTS}) real"
        );
        self.execute(&sql).await;
    }

    /// Panics unless the kept counts of entities are what a real count finds, in one snapshot.
    pub async fn assert_counts_are_kept(&self) {
        let sql = format!(
            "WITH real AS ({REAL_COUNTS}), kept AS (
                 SELECT sync_id, entity_class, entities, documents, files FROM entity_count
                 WHERE (entities, documents, files) <> (0, 0, 0)
             )
             SELECT coalesce(string_agg(difference, '; '), '') FROM (
                 SELECT 'real: ' || r::text FROM (TABLE real EXCEPT TABLE kept) r
                 UNION ALL SELECT 'kept: ' || k::text FROM (TABLE kept EXCEPT TABLE real) k
             ) AS found (difference)"
        );
        let differences: String = self.client().await.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(differences, "", "kept counts of entities differ from a real count");
    }

    /// Ends every session in the database, as a restart of the server would.
    pub async fn disconnect_everyone(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        connect(self.server.as_str()).await.execute(sql, &[&self.name]).await.unwrap();
    }

    /// Keeps the relays of gateways busy for 28 s, with one message whose claim takes that long: they ask nothing else
    /// meanwhile. Returns when they are.
    pub async fn hold_up_relays(&self) {
        self.execute(
            "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql
                 AS $$ BEGIN PERFORM pg_sleep(28); RETURN NEW; END $$;
             CREATE TRIGGER hold_up BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION hold_up();
             INSERT INTO outbox (message_id, message) VALUES (gen_random_uuid(), '{}')",
        )
        .await;
        let bound = std::time::Duration::from_secs(20);
        crate::wait_until("the relays are held up", bound, async || self.are_relays_held_up().await).await;
    }

    /// Whether they still are.
    pub async fn are_relays_held_up(&self) -> bool {
        let sleeping =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        self.count(sleeping).await > 0
    }

    /// Takes [`TestDatabase::hold_up_relays`] back; nothing is left in the outbox.
    pub async fn let_relays_go(&self) {
        let others = "pid <> pg_backend_pid() AND datname = current_database()";
        self.execute(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others};
             DROP TRIGGER hold_up ON outbox; DROP FUNCTION hold_up; TRUNCATE outbox"
        ))
        .await;
    }

    /// Keeps everything as it is now, to go back to. Ends every session.
    pub async fn keep(&self) -> KeptDatabase {
        let kept = KeptDatabase {
            name: format!("{}_kept_{}", self.name, Uuid::new_v4().simple()),
            server: self.server.clone(),
        };
        self.allow_connections(false).await;
        let admin = connect(self.server.as_str()).await;
        run(&admin, &format!("CREATE DATABASE {} TEMPLATE {}", kept.name, self.name)).await;
        self.allow_connections(true).await;
        kept
    }

    /// Makes everything as it was, as a restore or a failover that lost commits does. Ends every session.
    pub async fn go_back(&self, to: &KeptDatabase) {
        let admin = connect(self.server.as_str()).await;
        let (name, kept) = (&self.name, &to.name);
        run(&admin, &format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await;
        run(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        run(&admin, &format!("CREATE DATABASE {name} TEMPLATE {kept}")).await;
    }

    /// An empty database of this name instead of what is there, for a restore. Ends every session.
    pub async fn make_empty(&self) {
        let admin = connect(self.server.as_str()).await;
        run(&admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
        run(&admin, &format!("CREATE DATABASE {}", self.name)).await;
    }

    /// Refuses (or allows again) connections: PostgreSQL is "down" for this test alone.
    pub async fn allow_connections(&self, allowed: bool) {
        let admin = connect(self.server.as_str()).await;
        run(&admin, &format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {allowed}", self.name)).await;
        if !allowed {
            self.disconnect_everyone().await;
        }
    }
}

/// A database as it was. Dropped with this value.
#[derive(Debug)]
pub struct KeptDatabase {
    name: String,
    server: Url,
}

impl Drop for KeptDatabase {
    fn drop(&mut self) {
        drop_database(self.server.clone(), self.name.clone());
    }
}

fn drop_database(server: Url, name: String) {
    crate::finish(async move {
        if let Ok(admin) = try_connect(server.as_str()).await {
            let _best_effort = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    });
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        drop_database(self.server.clone(), self.name.clone());
    }
}

/// The template's name; makes it if this version of the migrations has none.
async fn template(admin: &Client, server: &Url) -> String {
    let name = format!("unweave_template_{:016x}", migrations_hash());
    admin.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).await.unwrap();
    let known = admin.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.unwrap();
    if known.is_none() {
        // Renamed only when it is whole: a test that is killed here leaves no half-made template.
        let unfinished = format!("{name}_unfinished");
        run(admin, &format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
        run(admin, &format!("CREATE DATABASE {unfinished}")).await;
        let url = SecretString::from(at(server, &unfinished));
        shared_database::migrate(&url).await.expect("the migrations run");
        let made = connect(&at(server, &unfinished)).await;
        run(&made, &crate::moves::refuse_unknown()).await;
        run(&made, crate::witness::REMEMBER_SYNCS).await;
        drop(made);
        disconnect(admin, &unfinished).await;
        run(admin, &format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await;
    }
    admin.execute("SELECT pg_advisory_unlock($1)", &[&TEMPLATE_LOCK]).await.unwrap();
    name
}

/// A database with sessions can be neither renamed nor copied, and a closed session takes a moment to go.
async fn disconnect(admin: &Client, database: &str) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    loop {
        let left: i64 = admin.query_one(sql, &[&database]).await.unwrap().get(0);
        if left == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn migrations_hash() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-database/migrations");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    assert!(!files.is_empty(), "no migrations in {}", folder.display());
    files.sort();
    let mut hasher = DefaultHasher::new();
    crate::moves::refuse_unknown().hash(&mut hasher);
    crate::witness::REMEMBER_SYNCS.hash(&mut hasher);
    for file in files {
        file.hash(&mut hasher);
        std::fs::read(&file).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("read {}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

fn at(server: &Url, database: &str) -> String {
    let mut url = server.clone();
    url.set_path(database);
    url.into()
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// A session of the test's own.
pub async fn connect(url: &str) -> Client {
    try_connect(url).await.unwrap_or_else(|error| panic!("connect to the tests' PostgreSQL: {error:?}"))
}

#[expect(clippy::disallowed_methods, reason = "the connection lives as long as its client, outside of any service")]
async fn try_connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
