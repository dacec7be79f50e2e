//! How the source fails and how it stops.

use super::*;

async fn error(credentials: &Value, config: &Value) -> SourceError {
    run_with(credentials, config, 1, collect).await.0.unwrap_err()
}

fn all_of(schema: &str) -> Value {
    json!({"schema": schema, "tables": []})
}

/// Sessions of the source in this database.
async fn sessions(database: &TestDatabase, condition: &str) -> i64 {
    let name = database.name();
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = '{name}' AND application_name = 'unweave' AND {condition}"
    );
    database.count(&sql).await
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_told() {
    let database = shop("").await;
    for password in [json!("hunter2-wrong"), Value::Null] {
        let credentials = changed(credentials(&database), "password", password);
        let error = error(&credentials, &all_of("shop")).await;
        assert_eq!(error.category(), Some(ErrorCategory::ApiKeyInvalid), "{error}");
        assert!(error.to_string().contains("refused the role"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let unknown_role = changed(credentials(&database), "user", "nobody_of_this_name");
    assert_eq!(error(&unknown_role, &all_of("shop")).await.category(), Some(ErrorCategory::ApiKeyInvalid));
}

#[tokio::test]
async fn a_closed_port_is_unreachable_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let credentials = json!({
        "host": "127.0.0.1", "port": port, "database": "d", "user": "u", "password": "p", "sslmode": "disable",
    });
    let begun = Instant::now();
    let error = error(&credentials, &all_of("public")).await;
    assert!(matches!(error, SourceError::Unreachable(_)), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot reach PostgreSQL at 127.0.0.1:{port}: ")), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_never_answers_is_unreachable_and_a_stop_does_not_wait_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let credentials = json!({
        "host": "127.0.0.1", "port": listener.local_addr().unwrap().port(), "database": "d", "user": "u",
        "password": null, "sslmode": "disable",
    });
    let begun = Instant::now();
    let (outcome, ()) = run_with(&credentials, &all_of("public"), 1, async |entities| {
        let _session = listener.accept().await.unwrap();
        drop(entities);
    })
    .await;
    assert!(matches!(outcome, Err(SourceError::Stopped)));
    assert!(begun.elapsed() < Duration::from_secs(5));

    let error = error(&credentials, &all_of("public")).await;
    assert!(matches!(&error, SourceError::Unreachable(text) if text.ends_with("no answer in time")), "{error}");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let database = shop("CREATE TABLE here (id int)").await;
    let credentials = credentials(&database);
    let no_table = json!({"schema": "shop", "tables": ["here", "gone"]});
    let name = database.name();
    let cases = [
        (credentials.clone(), no_table, format!("schema 'shop' of database '{name}' has no table 'gone'")),
        (credentials.clone(), all_of("no_schema"), format!("database '{name}' has no schema 'no_schema'")),
    ];
    for (credentials, config, text) in cases {
        let error = error(&credentials, &config).await;
        assert!(matches!(error, SourceError::Misconfigured(_)), "{error}");
        assert_eq!(error.to_string(), text);
    }
    let no_database = changed(credentials.clone(), "database", "no_database");
    let told = error(&no_database, &all_of("shop")).await;
    assert!(matches!(&told, SourceError::Misconfigured(text) if text.ends_with("no database 'no_database'")), "{told}");
    let socket = changed(credentials, "host", "/var/run/postgresql");
    let told = error(&socket, &all_of("shop")).await;
    assert!(matches!(&told, SourceError::Misconfigured(text) if text.starts_with("host must be")), "{told}");
}

#[tokio::test]
async fn tls_is_not_given_up_when_it_is_required() {
    let database = shop("").await;
    let error = error(&changed(credentials(&database), "sslmode", "require"), &all_of("shop")).await;
    assert!(matches!(error, SourceError::Unreachable(_) | SourceError::Failed(_)), "{error}");
}

#[tokio::test]
async fn only_what_the_role_may_read_is_read() {
    let role = format!("reader_{}", std::process::id());
    let database = shop(&format!(
        "CREATE TABLE open (id int PRIMARY KEY, name text); CREATE TABLE closed (id int);
         CREATE TABLE half (id int PRIMARY KEY, shown text, hidden text);
         INSERT INTO open VALUES (1, 'x'); INSERT INTO half VALUES (1, 'seen', 'unseen');
         CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA shop TO {role};
         GRANT SELECT ON open TO {role}; GRANT SELECT (shown) ON half TO {role}"
    ))
    .await;
    let credentials = changed(changed(credentials(&database), "user", role.as_str()), "password", "reader");
    let (outcome, entities) = run_with(&credentials, &all_of("shop"), 1, collect).await;
    let named = error(&credentials, &json!({"schema": "shop", "tables": ["closed"]})).await;
    database.execute(&format!("REVOKE USAGE ON SCHEMA shop FROM {role}")).await;
    let schema = error(&credentials, &all_of("shop")).await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;

    assert_eq!(outcome.unwrap().skipped.count(), 1);
    assert_eq!(entities.len(), 4);
    assert!(entities.iter().all(|entity| !format!("{entity:?}").contains("hidden")));
    assert_eq!(entities[1].fields, *json!({"shown": "seen"}).as_object().unwrap());
    assert_eq!(named.to_string(), format!("the role '{role}' may not read table 'closed' of schema 'shop'"));
    assert_eq!(schema.to_string(), format!("the role '{role}' may not use schema 'shop'"));
}

#[tokio::test]
async fn a_lost_connection_is_unreachable() {
    let database = shop(
        "CREATE TABLE a (id int PRIMARY KEY, body text);
         INSERT INTO a SELECT n, repeat('x', 10000) FROM generate_series(1, 5000) n",
    )
    .await;
    let (outcome, count) = run_with(&credentials(&database), &all_of("shop"), 1, async |mut entities| {
        entities.recv().await.unwrap();
        database.disconnect_everyone().await;
        collect(entities).await.len()
    })
    .await;
    assert!(count < 5000);
    assert!(matches!(&outcome, Err(SourceError::Unreachable(text)) if text.contains("broke off")), "{outcome:?}");
}

#[tokio::test]
async fn rows_stay_on_the_server_until_they_are_taken_and_a_stop_ends_the_session() {
    let database = shop(
        "CREATE TABLE a (id int PRIMARY KEY, body text);
         ALTER TABLE a ALTER body SET STORAGE EXTERNAL;
         INSERT INTO a SELECT n, repeat('x', 100000) FROM generate_series(1, 500) n",
    )
    .await;
    let (outcome, ()) = run_with(&credentials(&database), &all_of("shop"), 1, async |mut entities| {
        entities.recv().await.unwrap();
        wait_until("the server waits for the source", Duration::from_secs(20), async || {
            sessions(&database, "wait_event = 'ClientWrite'").await == 1
        })
        .await;
        drop(entities);
    })
    .await;
    assert!(matches!(outcome, Err(SourceError::Stopped)));
    wait_until("the session ends", Duration::from_secs(20), async || sessions(&database, "true").await == 0).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_lock() {
    let database = shop("CREATE TABLE a (id int PRIMARY KEY)").await;
    let blocker = database.client().await;
    blocker.batch_execute("BEGIN; LOCK TABLE shop.a IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (outcome, ()) = run_with(&credentials(&database), &all_of("shop"), 1, async |entities| {
        wait_until("the source waits for the lock", Duration::from_secs(20), async || {
            sessions(&database, "wait_event_type = 'Lock'").await == 1
        })
        .await;
        drop(entities);
    })
    .await;
    assert!(matches!(outcome, Err(SourceError::Stopped)));
    wait_until("the session ends", Duration::from_secs(20), async || sessions(&database, "true").await == 0).await;
}
