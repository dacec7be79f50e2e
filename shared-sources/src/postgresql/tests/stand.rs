//! A database in which things can be made to go wrong.

use serde_json::json;
use test_support::{TestDatabase, finish, free_port};

use super::{changed, credentials, port, shop};
use crate::conformance::{Asked, Silence, Stand};
use crate::{Source, SourceAccess};

const PASSWORD: &str = "geheim-hunter2";

pub(crate) struct PostgresqlStand {
    database: TestDatabase,
    role: String,
    /// Where the server is asked.
    port: u16,
}

impl Stand for PostgresqlStand {
    const SOURCE: Source = Source::Postgresql;

    async fn start() -> Self {
        let database = shop(
            "CREATE TABLE item (id int PRIMARY KEY, name text, more json);
             INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 3) n;
             CREATE TABLE note (line text); INSERT INTO note VALUES ('same'), ('same')",
        )
        .await;
        let role = format!("reader_of_{}", database.name());
        let grant = format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA shop TO {role};
             GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {role}"
        );
        database.execute(&grant).await;
        Self { port: port(&credentials(&database)), database, role }
    }

    fn asked(&self) -> Asked {
        let mut credentials = changed(credentials(&self.database), "user", self.role.as_str());
        credentials["password"] = PASSWORD.into();
        credentials["port"] = self.port.into();
        Asked { config: json!({"schema": "shop", "tables": []}), credentials, access: SourceAccess::for_tests(|_| {}) }
    }

    fn secret(&self) -> Option<String> {
        Some(PASSWORD.to_owned())
    }

    async fn empty(&mut self) -> Option<usize> {
        self.database.execute("DROP TABLE shop.item, shop.note").await;
        Some(0)
    }

    async fn hide(&mut self) -> Option<String> {
        self.database.execute(&format!("REVOKE SELECT ON shop.item FROM {}", self.role)).await;
        Some("shop.item".to_owned())
    }

    /// Larger than what is read of a row.
    async fn add_odd(&mut self) -> Option<String> {
        let sql = "INSERT INTO shop.item VALUES (17, 'odd', to_json(repeat('x', 5000000)))";
        self.database.execute(sql).await;
        Some("shop.item/[17]".to_owned())
    }

    async fn fail(&mut self) -> Option<&'static str> {
        self.port = free_port();
        Some("cannot reach PostgreSQL at")
    }

    async fn fall_silent(&mut self, step: usize) -> Option<Silence> {
        let said =
            ["application_name", "BEGIN ISOLATION", "has_schema_privilege", "row_to_json", "pg_locks"].get(step)?;
        let silence = Silence::after(said, self.port).await;
        self.port = silence.port;
        Some(silence)
    }

    async fn fill(&mut self, entities: usize) -> bool {
        let sql = format!("INSERT INTO shop.item SELECT n, 'item' FROM generate_series(10, {entities} + 10) n");
        self.database.execute(&sql).await;
        true
    }

    /// As large as PostgreSQL takes it without more memory than a test may ask of it.
    async fn fill_with_one(&mut self) -> bool {
        self.database.execute("INSERT INTO shop.item VALUES (17, repeat('x', 400000000))").await;
        true
    }
}

impl Drop for PostgresqlStand {
    fn drop(&mut self) {
        let (url, role) = (self.database.url.clone(), self.role.clone());
        finish(async move {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            let drop_role = format!("DROP OWNED BY {role}; DROP ROLE {role}");
            let dropping = client.batch_execute(&drop_role);
            tokio::select! {
                dropped = dropping => dropped.unwrap(),
                _broken = connection => {}
            }
        });
    }
}
