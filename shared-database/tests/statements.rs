//! Statements of our own are prepared once a session: what is asked often costs one round trip, not two.

use diesel::sql_types;
use diesel_async::RunQueryDsl as _;
use futures::FutureExt as _;
use secrecy::SecretString;
use shared_database::Database;

use crate::fixture::Fixture;

#[derive(diesel::QueryableByName)]
struct Prepared {
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

/// How many statements with this in their text the one session of `database` keeps prepared.
async fn prepared(database: &Database, part: &'static str) -> i64 {
    let counting = database.transaction(move |db| {
        async move {
            let count = "SELECT count(*) FROM pg_prepared_statements WHERE strpos(statement, $1) > 0
                         AND strpos(statement, 'pg_prepared_statements') = 0";
            let row: Prepared = diesel::sql_query(count).bind::<sql_types::Text, _>(part).get_result(db).await?;
            Ok(row.count)
        }
        .boxed()
    });
    counting.await.unwrap()
}

#[tokio::test]
async fn a_statement_is_prepared_once_however_often_it_is_asked() {
    let fixture = Fixture::new().await;
    fixture.connection().await;
    let one_session = Database::new(&SecretString::from(fixture.test_database.url.clone()), 1).unwrap();
    let part = "ORDER BY s.id";
    assert_eq!(prepared(&one_session, part).await, 0);
    for _ in 0..3 {
        assert_eq!(one_session.live_syncs(fixture.collection, None).await.unwrap().len(), 1);
        assert_eq!(prepared(&one_session, part).await, 1);
    }
}
