//! A PostgreSQL whose clock stands where a test sets it: `statement_timestamp()`, which our statements name without a
//! schema, is found in a schema of the test's first.

use secrecy::SecretString;
use shared_database::Database;
use shared_models::{CleanupId, OrganizationId};
use test_support::TestDatabase;

/// When the cleanup was made, and due.
const OPENED_AT: &str = "2026-01-01 00:00:00Z";

/// Such a database, at that time, with one cleanup that is to be purged.
pub struct Clock {
    pub database: Database,
    pub test: TestDatabase,
    pub organization: OrganizationId,
}

impl Clock {
    pub async fn new() -> Self {
        let test = TestDatabase::create().await;
        let (organization, cleanup) = (OrganizationId::random(), CleanupId::random());
        let name = test.name();
        test.arrange(&format!(
            "CREATE SCHEMA clock;
             CREATE TABLE clock.hand (shows timestamptz);
             INSERT INTO clock.hand VALUES ('{OPENED_AT}');
             CREATE FUNCTION clock.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
                 AS 'SELECT shows FROM clock.hand';
             ALTER DATABASE {name} SET search_path = clock, pg_catalog, public;
             INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, created_at,
                                  deletion_requested_at, entity_rows_deleted, writer_end, targets, state,
                                  next_attempt_at, next_work, opened_at)
             VALUES ('{cleanup}', gen_random_uuid(), '{organization}', gen_random_uuid(), gen_random_uuid(),
                     '{OPENED_AT}', '{OPENED_AT}', 0, 'acknowledged', '{{vespa,arf}}', 'scheduled', '{OPENED_AT}',
                     'purge', '{OPENED_AT}')"
        ))
        .await;
        let database = Database::new(&SecretString::from(test.url.clone()), 4).unwrap();
        Self { database, test, organization }
    }

    /// What time it is from now on.
    pub async fn set(&self, time: &str) {
        self.test.execute(&format!("UPDATE clock.hand SET shows = '{time}'")).await;
    }

    /// The cleanup is nobody's again, and due as before: a claim that is released is due by the real clock.
    pub async fn give_back(&self) {
        self.test.arrange("UPDATE cleanup SET state = 'scheduled', claim_expires_at = NULL").await;
    }
}
