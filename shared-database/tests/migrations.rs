//! Migrations: each runs down and up again, every foreign key is indexed, Diesel's schema is the database's.

use diesel::sql_types;
use diesel_async::RunQueryDsl as _;
use secrecy::SecretString;

use crate::fixture::Fixture;

#[derive(diesel::QueryableByName)]
struct Text {
    #[diesel(sql_type = sql_types::Text)]
    text: String,
}

async fn texts(fixture: &Fixture, query: &str) -> Vec<String> {
    let rows: Vec<Text> =
        diesel::sql_query(query).load(&mut fixture.database.connection().await.unwrap()).await.unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

const TABLES: &str = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable AS text
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1";

#[tokio::test]
async fn every_migration_runs_down_and_up_again() {
    let fixture = Fixture::new().await;
    let url = SecretString::from(fixture.test_database.url.clone());
    let before = texts(&fixture, TABLES).await;
    fixture.sql("TRUNCATE organization CASCADE").await;
    shared_database::revert_all(&url).await.unwrap();
    let reverted = texts(&fixture, TABLES).await;
    assert!(reverted.iter().all(|column| column.starts_with("__diesel_schema_migrations")), "{reverted:?}");
    shared_database::migrate(&url).await.unwrap();
    assert_eq!(texts(&fixture, TABLES).await, before);
}

#[tokio::test]
async fn migrations_may_be_run_by_several_at_once() {
    let fixture = Fixture::new().await;
    let url = SecretString::from(fixture.test_database.url.clone());
    fixture.sql("TRUNCATE organization CASCADE").await;
    shared_database::revert_all(&url).await.unwrap();
    let runs = futures::future::join_all((0..4).map(|_| shared_database::migrate(&url))).await;
    assert!(runs.iter().all(Result::is_ok), "{runs:?}");
}

/// As a database of a version before the first release is.
#[tokio::test]
async fn a_database_with_other_migrations_than_ours_is_refused_in_plain_words() {
    let fixture = Fixture::new().await;
    let url = SecretString::from(fixture.test_database.url.clone());
    // A newer version's database has all of ours, and more.
    fixture.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000001')").await;
    shared_database::migrate(&url).await.unwrap();
    let first = "(SELECT min(version) FROM __diesel_schema_migrations)";
    fixture
        .sql(&format!("UPDATE __diesel_schema_migrations SET version = '20200101000001' WHERE version = {first}"))
        .await;
    let refused = shared_database::migrate(&url).await.unwrap_err().to_string();
    assert!(refused.contains("before the first release"), "{refused}");
}

#[tokio::test]
async fn every_foreign_key_is_indexed() {
    let fixture = Fixture::new().await;
    let unindexed = texts(
        &fixture,
        "SELECT c.conrelid::regclass || '.' || a.attname AS text
         FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
         WHERE c.contype = 'f' AND NOT EXISTS (
             SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indpred IS NULL)",
    )
    .await;
    assert!(unindexed.is_empty(), "{unindexed:?}");
}

#[tokio::test]
async fn foreign_keys_cascade_below_the_connection_and_restrict_above_it() {
    let fixture = Fixture::new().await;
    let mut rules = texts(
        &fixture,
        "SELECT conrelid::regclass || ' -> ' || confrelid::regclass || ' ' ||
                CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' ELSE confdeltype::text END AS text
         FROM pg_constraint WHERE contype = 'f'",
    )
    .await;
    rules.sort();
    assert_eq!(
        rules,
        [
            "api_key -> organization RESTRICT",
            "collection -> organization RESTRICT",
            "credential -> source_connection CASCADE",
            "deleted_api_key -> organization CASCADE",
            "entity -> sync CASCADE",
            "entity_count -> sync CASCADE",
            "ledger_index -> ledger_entry RESTRICT",
            "ledger_pending -> ledger_entry RESTRICT",
            "rate_limit -> organization CASCADE",
            "receipt -> cleanup RESTRICT",
            "receipt -> ledger_entry RESTRICT",
            "source_connection -> collection RESTRICT",
            "source_connection -> organization RESTRICT",
            "sync -> source_connection CASCADE",
            "sync_job -> sync CASCADE",
        ]
    );
}

#[tokio::test]
async fn sessions_carry_the_timeouts_of_the_protocol() {
    let fixture = Fixture::new().await;
    let settings = texts(
        &fixture,
        "SELECT name || '=' || setting AS text FROM pg_settings
         WHERE name IN ('idle_in_transaction_session_timeout', 'lock_timeout', 'synchronous_commit',
                        'default_transaction_isolation') ORDER BY name",
    )
    .await;
    assert_eq!(
        settings,
        [
            "default_transaction_isolation=read committed",
            "idle_in_transaction_session_timeout=3000",
            "lock_timeout=2000",
            "synchronous_commit=on",
        ]
    );
}
