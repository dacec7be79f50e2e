//! Tables as people have them, through the whole system: reloaded in mid-sync, spread over children, with numbers and
//! bytes that few programs can say. No row that the source has leaves the index, and none is lost without a word.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use system_tests::api::id_of;
use system_tests::{Api, Gateway, System, Worker, fast_times};
use test_support::{TestDatabase, wait_until};
use tokio_postgres::Client;

/// A system, and a database of somebody's.
struct Shop {
    // In the order in which they are dropped: the services before what they use.
    _worker: Worker,
    gateway: Gateway,
    system: System,
    database: TestDatabase,
    collection: String,
}

impl Shop {
    /// A database with the schema `shop`, filled by `sql`.
    async fn with(sql: &str) -> Self {
        let system = System::new(&fast_times()).await;
        let (gateway, worker) = (system.gateway().await, system.sync_worker().await);
        let database = TestDatabase::create().await;
        database.execute(&format!("CREATE SCHEMA shop; SET search_path = shop; {sql}")).await;
        let collection = gateway.api.create_collection().await;
        Self { system, gateway, database, collection, _worker: worker }
    }

    fn api(&self) -> &Api {
        &self.gateway.api
    }

    /// Connects as this user, or as the owner, and waits for the first sync's end.
    async fn connect(&self, user: Option<(&str, &str)>, database: Option<&str>) -> String {
        let url = url::Url::parse(&self.database.url).unwrap();
        let (user, password) = user.unwrap_or_else(|| (url.username(), url.password().unwrap()));
        let credentials = json!({
            "host": url.host_str(), "port": url.port(), "database": database.unwrap_or(self.database.name()),
            "user": user, "password": password,
        });
        let schema = if database.is_some() { "public" } else { "shop" };
        let config = json!({"schema": schema});
        let made = self.api().create_connection(&self.collection, "postgresql", credentials, config).await;
        self.system.wait_for_job(self.api(), &id_of(&made), "completed").await;
        id_of(&made)
    }

    async fn hits(&self, question: &str) -> Vec<Value> {
        self.api().search(&self.collection, question).await
    }

    async fn found(&self, question: &str) -> BTreeSet<String> {
        self.hits(question).await.iter().map(|hit| hit["entity_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Runs once more; when the snapshot is taken and `a_first` is being read, `change` happens.
    async fn change_in_mid_sync(&self, connection: &str, change: &str) -> Value {
        // Held while it is read: the run can't be past it before the change is made.
        let (blocker, watcher) = (self.database.client().await, self.database.client().await);
        blocker.batch_execute("BEGIN; LOCK TABLE shop.a_first IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let run = self.api().post(&format!("/source-connections/{connection}/run"), json!({})).await.ok();
        wait_until("the run waits for the first table", std::time::Duration::from_secs(60), async || {
            waits_for(&watcher, "a_first").await
        })
        .await;
        self.database.execute(change).await;
        blocker.batch_execute("COMMIT").await.unwrap();
        self.system.wait_for_job(self.api(), connection, "completed").await;
        let job = self.api().last_job(connection).await;
        assert_eq!(job["id"], run["id"]);
        job
    }
}

async fn waits_for(watcher: &Client, table: &str) -> bool {
    let query = "SELECT count(*) FROM pg_stat_activity
                 WHERE application_name = 'unweave' AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'";
    watcher.query_one(query, &[&table]).await.unwrap().get::<_, i64>(0) > 0
}

const TWO_TABLES: &str = "CREATE TABLE a_first (id int PRIMARY KEY, t text); INSERT INTO a_first VALUES (1, 'first');
    CREATE TABLE b_prices (id int PRIMARY KEY, note text);
    INSERT INTO b_prices SELECT g, 'pricezebra ' || g FROM generate_series(1, 50) g";

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_table_that_is_reloaded_or_rewritten_in_mid_sync_stay() {
    let reloaded = "INSERT INTO shop.b_prices SELECT g, 'pricezebra ' || g FROM generate_series(1, 50) g";
    let shop = Shop::with(TWO_TABLES).await;
    let connection = shop.connect(None, None).await;
    assert_eq!(shop.found("pricezebra").await.len(), 50);
    for change in [
        format!("BEGIN; TRUNCATE shop.b_prices; {reloaded}; COMMIT"),
        "ALTER TABLE shop.b_prices ALTER COLUMN id TYPE bigint".to_owned(),
        "ALTER TABLE shop.b_prices ADD COLUMN stamp timestamptz DEFAULT clock_timestamp()".to_owned(),
        format!(
            "BEGIN; CREATE TABLE shop.n (LIKE shop.b_prices INCLUDING ALL); DROP TABLE shop.b_prices; \
                 ALTER TABLE shop.n RENAME TO b_prices; {}; COMMIT",
            reloaded.replace("b_prices SELECT", "b_prices (id, note) SELECT")
        ),
        "VACUUM FULL shop.b_prices".to_owned(),
    ] {
        let job = shop.change_in_mid_sync(&connection, &change).await;
        assert_eq!(shop.found("pricezebra").await.len(), 50, "{change}: {job}");
        assert_eq!(job["entities_deleted"], 0, "{change}: {job}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_table_shows_is_found_once_wherever_its_children_are() {
    let shop = Shop::with(
        "CREATE SCHEMA _chunks; CREATE TABLE metrics (id int PRIMARY KEY, note text);
         CREATE TABLE _chunks.c1 (CHECK (id < 10)) INHERITS (metrics);
         CREATE TABLE _chunks.c2 (CHECK (id >= 10)) INHERITS (metrics);
         CREATE TABLE _chunks.c2a () INHERITS (_chunks.c2); CREATE TABLE local () INHERITS (metrics);
         INSERT INTO metrics VALUES (0, 'chunkzebra parent'); INSERT INTO _chunks.c1 VALUES (1, 'chunkzebra 1');
         INSERT INTO _chunks.c2 VALUES (11, 'chunkzebra 2'); INSERT INTO _chunks.c2a VALUES (12, 'chunkzebra deep');
         INSERT INTO local VALUES (3, 'chunkzebra beside');
         CREATE TABLE parts (id int, note text) PARTITION BY RANGE (id);
         CREATE TABLE _chunks.p1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
         INSERT INTO parts VALUES (5, 'chunkzebra part')",
    )
    .await;
    shop.connect(None, None).await;
    let hits = shop.hits("chunkzebra").await;
    assert_eq!((hits.len(), shop.found("chunkzebra").await.len()), (6, 6), "{hits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_few_programs_can_say_keep_every_digit_and_every_row() {
    let shop = Shop::with(
        r#"CREATE TABLE events (id int PRIMARY KEY, payload json);
           INSERT INTO events VALUES (1, '{"msg":"oddzebra fine"}'), (2, '{"msg":"oddzebra cut \ud83d"}'),
               (3, '{"msg":"oddzebra", "deep": {"a": [1e400, "\udc00"]}}'), (4, '"oddzebra \u0000 nul"');
           CREATE TABLE nums (id int PRIMARY KEY, j jsonb); INSERT INTO nums VALUES (1, '{"oddzebra": 1e400}');
           CREATE TABLE digits (id int PRIMARY KEY, note text, a numeric[], j jsonb, b jsonb);
           INSERT INTO digits VALUES (1, 'digitzebra', '{12345678901234567890.123456789}',
               '{"id": 1234567890123456789012345}', '[0.1000000000000000055511151231257827]');
           CREATE TABLE keys (id numeric PRIMARY KEY, note text);
           INSERT INTO keys VALUES (12345678901234567890.1, 'keyzebra'), (12345678901234567890.2, 'keyzebra');
           CREATE TABLE jkeys (id jsonb PRIMARY KEY, note text);
           INSERT INTO jkeys VALUES ('1e400', 'keyzebra'), ('[9007199254740993]', 'keyzebra'), ('[9007199254740992]', 'keyzebra')"#,
    )
    .await;
    let connection = shop.connect(None, None).await;
    assert_eq!(shop.found("oddzebra").await.len(), 5);
    assert_eq!(shop.found("keyzebra").await.len(), 5);
    let text = shop.hits("digitzebra").await[0]["textual_representation"].as_str().unwrap().to_owned();
    for digits in
        ["12345678901234567890.123456789", "1234567890123456789012345", "0.1000000000000000055511151231257827"]
    {
        assert!(text.contains(digits), "{text}");
    }
    let job = shop.api().last_job(&connection).await;
    assert_eq!((&job["entities_failed"], &job["error_details"]), (&json!(0), &Value::Null), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_sees_what_it_sees_in_psql() {
    let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
    let shop = Shop::with(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'reader';
         ALTER ROLE {role} SET search_path = shop;
         CREATE TABLE members (who text); INSERT INTO members VALUES ('{role}');
         CREATE TABLE notes (id int PRIMARY KEY, n text, owner text);
         INSERT INTO notes VALUES (1, 'policyzebra', '{role}'), (2, 'policyzebra', 'somebody else');
         CREATE FUNCTION is_member() RETURNS bool LANGUAGE plpgsql STABLE AS
             $$ BEGIN RETURN EXISTS (SELECT 1 FROM members WHERE who = current_user); END $$;
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON notes USING (is_member() AND owner = current_user);
         GRANT USAGE ON SCHEMA shop TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {role}"
    ))
    .await;
    shop.connect(Some((&role, "reader")), None).await;
    assert_eq!(shop.found("policyzebra").await, BTreeSet::from(["shop.notes/[1]".to_owned()]));
    shop.database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_of_no_encoding_costs_a_letter_of_its_row_alone() {
    let shop = Shop::with("").await;
    let name = format!("ascii_{}", uuid::Uuid::new_v4().simple());
    shop.database
        .execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"))
        .await;
    let mut url = url::Url::parse(&shop.database.url).unwrap();
    url.set_path(&name);
    let client = test_support::connect(url.as_str()).await;
    client
        .batch_execute(
            r"CREATE TABLE a (id int PRIMARY KEY, n text);
              INSERT INTO a VALUES (1, 'asciizebra plain'), (2, E'asciizebra caf\351'), (3, E'asciizebra \344\366 after');
              CREATE TABLE b (k text PRIMARY KEY); INSERT INTO b VALUES (E'asciizebra \201'), (E'asciizebra \202')",
        )
        .await
        .unwrap();
    drop(client);
    shop.connect(None, Some(&name)).await;
    assert_eq!(shop.found("asciizebra").await.len(), 5);
    shop.database.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
}
