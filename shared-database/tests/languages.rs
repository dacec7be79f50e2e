//! What an error means is told by its SQLSTATE: PostgreSQL may speak any language.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::sql_types;
use diesel_async::RunQueryDsl as _;
use futures::FutureExt as _;
use secrecy::SecretString;
use shared_database::deletion::Subject;
use shared_database::{Database, DatabaseError, Session};
use shared_models::CollectionId;
use tokio::sync::Barrier;

use crate::fixture::Fixture;

/// A fixture whose database speaks German to every new session.
async fn german() -> Fixture {
    let mut fixture = Fixture::new().await;
    let name = fixture.test_database.name().to_owned();
    fixture.sql(&format!("ALTER DATABASE {name} SET lc_messages = 'C.UTF-8'")).await;
    let url = SecretString::from(fixture.test_database.url.clone());
    fixture.database = Database::new(&url, 16).unwrap();
    let error = fixture.test_database.client().await.batch_execute("SELECT 1/0").await.unwrap_err();
    let text = error.as_db_error().unwrap().message().to_owned();
    assert_eq!(text, "Division durch Null", "the server has no German messages, or wasn't started with LANGUAGE=de");
    fixture
}

async fn lock(db: &mut Session, collection: CollectionId) -> Result<(), DatabaseError> {
    diesel::sql_query("SELECT id FROM collection WHERE id = $1 FOR UPDATE")
        .bind::<sql_types::Uuid, _>(collection.0)
        .execute(db)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_deadlock_is_run_again_in_any_language() {
    let fixture = german().await;
    let (one, two) = (fixture.collection, CollectionId::random());
    fixture.add_collection(two).await;
    let (both_have_one, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    // Each locks what the other wants next: PostgreSQL ends one of them, which begins again when the other is done.
    let crossing = |first, second| {
        let mut is_first_run = true;
        let (both_have_one, runs) = (both_have_one.clone(), runs.clone());
        fixture.database.transaction(move |db| {
            let waits = std::mem::take(&mut is_first_run);
            let (both_have_one, runs) = (both_have_one.clone(), runs.clone());
            async move {
                runs.fetch_add(1, Ordering::Relaxed);
                lock(db, first).await?;
                if waits {
                    both_have_one.wait().await;
                }
                lock(db, second).await
            }
            .boxed()
        })
    };
    let (forth, back) = tokio::join!(crossing(one, two), crossing(two, one));
    forth.unwrap();
    back.unwrap();
    assert!(AtomicU32::load(&runs, Ordering::Relaxed) > 2, "nobody was ended: there was no deadlock");
}

#[tokio::test]
async fn a_lock_that_is_waited_for_too_long_is_told_as_such_in_any_language() {
    let fixture = german().await;
    let (connection, _) = fixture.connection().await;
    let client = fixture.test_database.client().await;
    client.batch_execute("BEGIN; SELECT id FROM source_connection FOR UPDATE").await.unwrap();
    let requested =
        fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()).await;
    let error = requested.unwrap_err();
    assert!(matches!(&error, DatabaseError::TimedOut(text) if text.contains("55P03")), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_told_as_such_in_any_language() {
    let fixture = german().await;
    let mut db = fixture.database.connection().await.unwrap();
    diesel::sql_query("SET statement_timeout = '50ms'").execute(&mut db).await.unwrap();
    let asleep = diesel::sql_query("SELECT pg_sleep(60)").execute(&mut db).await;
    let error = DatabaseError::from(asleep.unwrap_err());
    assert!(matches!(&error, DatabaseError::TimedOut(text) if text.contains("57014")), "{error:?}");
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_told_as_lost_in_any_language() {
    let fixture = german().await;
    let mut db = fixture.database.connection().await.unwrap();
    let asleep = diesel::sql_query("SELECT pg_sleep(60)").execute(&mut db);
    let ended = async {
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'
                      AND datname = current_database()";
        test_support::wait_until("the statement runs", Duration::from_secs(20), async || {
            fixture.test_database.count(asleep).await == 1
        })
        .await;
        fixture.test_database.disconnect_everyone().await;
    };
    let (asleep, ()) = tokio::join!(asleep, ended);
    let error = DatabaseError::from(asleep.unwrap_err());
    assert!(matches!(&error, DatabaseError::Unavailable(_)), "{error:?}");
    assert!(error.is_retryable());
}
