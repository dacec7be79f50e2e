//! What each source leaves after two syncs, what a cursor does, and what becomes of what a source can't read.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared_database::jobs::NewJob;
use shared_models::job::ErrorCategory;
use shared_models::{JobStatus, SyncJobId};
use url::Url;
use wiremock::matchers::method;

use crate::job::{Job, counts};
use crate::refused::refusing_vespa;
use crate::stage::{Connection, Stage};

/// Runs a job that reads everything.
async fn force(stage: &Stage, connection: Connection) -> SyncJobId {
    let NewJob::Created(job) = stage.database.run_connection(connection.id, true, None).await.unwrap() else {
        panic!()
    };
    stage.send_run(job).await;
    job
}

async fn forced(stage: &Stage, connection: Connection) -> Job {
    let ended = stage.ended(force(stage, connection).await).await;
    assert_eq!((ended.status, ended.error.as_deref()), (JobStatus::Completed, None));
    ended
}

async fn change_config(stage: &Stage, connection: Connection, change: Value) {
    let sql = format!("UPDATE source_connection SET config = config || '{change}' WHERE id = '{}'", connection.id);
    stage.rows.execute(&sql).await;
}

/// The last index of the cursor; -1 if there is none.
async fn cursor(stage: &Stage, connection: Connection) -> i64 {
    let last = "coalesce((cursor->>'last_entity_index')::bigint, -1)";
    stage.rows.count(&format!("SELECT {last} FROM sync WHERE id = '{}'", connection.sync)).await
}

/// A connection to the schema `shop` of the stage's own database.
async fn shop(stage: &Stage, sql: &str, user: Option<(&str, &str)>) -> Connection {
    stage.rows.execute(&format!("CREATE SCHEMA shop; SET search_path = shop; {sql}")).await;
    let connection = stage.connection("postgresql", json!({"schema": "shop"})).await;
    stage.give_credentials(connection, shop_credentials(stage, user)).await;
    connection
}

fn shop_credentials(stage: &Stage, user: Option<(&str, &str)>) -> Value {
    let url: Url = stage.rows.url.parse().unwrap();
    let (user, password) = user.unwrap_or_else(|| (url.username(), url.password().unwrap()));
    json!({
        "host": url.host_str().unwrap(), "port": url.port().unwrap_or(5432), "database": stage.rows.name(),
        "user": user, "password": password, "sslmode": "disable", "sslrootcert": null,
    })
}

#[tokio::test]
async fn a_second_sync_of_unchanged_data_inserts_and_updates_nothing_whatever_the_source() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    for number in 0..30 {
        stage.write_file(&format!("{number}.txt"), &format!("file {number}"));
    }
    stage.write_file("picture.png", "\u{0}\u{1}");
    let tables = "CREATE TABLE item (id int PRIMARY KEY, name text, at timestamptz DEFAULT now(), x numeric);
                  INSERT INTO item SELECT n, 'item ' || n, now(), 'NaN' FROM generate_series(1, 40) n;
                  CREATE TABLE log (line text); INSERT INTO log VALUES ('same'), ('same'), ('other')";
    let connections = [
        (stage.connection("timed", json!({"entity_count": 20, "duration_seconds": 0.1})).await, 21, 21, 0),
        (stage.connection("stub", json!({"entity_count": 50, "inject_special_tokens": true})).await, 50, 50, 0),
        // The picture is left out.
        (stage.files_connection().await, 30, 30, 1),
        (shop(&stage, tables, None).await, 45, 45, 0),
        (stage.connection("incremental_stub", json!({"entity_count": 7})).await, 8, 1, 0),
        (stage.connection("exception_stub", json!({"entity_count": 9, "trigger_after": 9})).await, 9, 9, 0),
    ];
    for (connection, all, again, failed) in connections {
        assert_eq!(counts(&stage.sync(connection).await), [all, 0, 0, 0, failed]);
        assert_eq!(counts(&stage.sync(connection).await), [0, 0, 0, again, failed]);
        assert_eq!(counts(&forced(&stage, connection).await), [0, 0, 0, all, failed]);
        stage.assert_consistent(connection).await;
    }
}

#[tokio::test]
async fn a_cursor_leads_on_and_a_full_sync_ignores_it() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 5})).await;
    assert_eq!(counts(&stage.sync(connection).await), [6, 0, 0, 0, 0]);
    assert_eq!(cursor(&stage, connection).await, 4);

    change_config(&stage, connection, json!({"entity_count": 8})).await;
    assert_eq!(counts(&stage.sync(connection).await), [3, 1, 0, 0, 0]);
    assert_eq!(cursor(&stage, connection).await, 7);

    // What is gone stays until a full sync looks for it.
    change_config(&stage, connection, json!({"entity_count": 3})).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 1, 0, 0, 0]);
    assert_eq!(stage.settled(connection).await, 9);
    assert_eq!(counts(&forced(&stage, connection).await), [0, 0, 5, 4, 0]);
    assert_eq!(cursor(&stage, connection).await, 2);

    // A cursor that this version can't read is none.
    stage.rows.execute("UPDATE sync SET cursor = '{\"page\": \"x\"}'").await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 0, 4, 0]);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_job_that_does_not_complete_leaves_the_cursor() {
    let mut stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 5})).await;
    stage.sync(connection).await;
    change_config(&stage, connection, json!({"entity_count": 9})).await;
    stage.standin.service().kill();
    let job = stage.run(connection).await;
    stage.failed(job).await;
    assert_eq!(cursor(&stage, connection).await, 4);

    stage.standin.restart().await;
    let next = stage.sync(connection).await;
    assert_eq!(next.entities_inserted + next.entities_updated, 5);
    assert_eq!(cursor(&stage, connection).await, 8);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn after_a_full_sync_that_does_not_complete_the_next_one_is_full_too() {
    let mut stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 5})).await;
    stage.sync(connection).await;
    // Every entity is another one now, and all of them lie before the cursor.
    change_config(&stage, connection, json!({"seed": 7})).await;
    stage.standin.service().kill();
    stage.failed(force(&stage, connection).await).await;
    assert_eq!(cursor(&stage, connection).await, -1);

    stage.standin.restart().await;
    let next = stage.sync(connection).await;
    assert_eq!((next.entities_inserted + next.entities_updated, next.entities_deleted), (6, 6));
    assert_eq!(cursor(&stage, connection).await, 4);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn after_a_full_sync_with_a_refused_removal_the_next_one_is_full_too() {
    let stage = Stage::new().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 5})).await;
    let worker = stage.worker().await;
    stage.sync(connection).await;
    drop(worker);

    stage.expects.event("an entity was refused");
    let vespa = refusing_vespa(method("DELETE")).await;
    let worker = stage.worker_with(&[("VESPA_URL", &vespa.uri())]).await;
    change_config(&stage, connection, json!({"entity_count": 3})).await;
    let refused = forced(&stage, connection).await;
    assert_eq!(counts(&refused), [0, 1, 0, 3, 2]);
    let told = refused.error_details.unwrap();
    // In the order of their keys, which are of this sync alone.
    let names: BTreeSet<&str> = (0..2).map(|at| told["refused"][at]["entity_id"].as_str().unwrap()).collect();
    assert_eq!((&told["refused_count"], names), (&json!(2), BTreeSet::from(["inc-stub-42-3", "inc-stub-42-4"])));
    assert_eq!(cursor(&stage, connection).await, -1);
    drop(worker);

    let _worker = stage.worker().await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 2, 4, 0]);
    assert_eq!(cursor(&stage, connection).await, 2);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_failure_of_credentials_has_a_category_and_others_have_none() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let cases = [
        ("source_auth_error", "static", Some(ErrorCategory::ApiKeyInvalid)),
        ("token_credentials_invalid", "auth_provider", Some(ErrorCategory::AuthProviderCredentialsInvalid)),
        ("token_expired", "oauth", Some(ErrorCategory::OauthCredentialsExpired)),
        ("source_rate_limit_error", "oauth", None),
        ("timeout", "oauth", None),
        ("cancelled", "oauth", None),
    ];
    for (kind, provider, category) in cases {
        let config = json!({"exception_type": kind, "auth_provider_kind": provider, "entity_count": 20});
        let connection = stage.connection("exception_stub", config).await;
        let job = stage.run(connection).await;
        let failed = stage.failed(job).await;
        assert_eq!((failed.status, failed.error_category), (JobStatus::Failed, category), "{kind}");
        let text = format!("[ExceptionStub] {kind} triggered after 5 entities (simulated failure)");
        assert_eq!(failed.error.as_deref(), Some(text.as_str()));
        // What came before the failure is there.
        assert_eq!((counts(&failed), stage.settled(connection).await), ([6, 0, 0, 0, 0], 6));
        stage.assert_consistent(connection).await;
    }
}

#[tokio::test]
async fn a_table_that_may_not_be_read_for_a_while_is_kept() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let role = format!("sync_reader_{}", std::process::id());
    let tables = format!(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
         INSERT INTO a SELECT generate_series(1, 10); INSERT INTO b SELECT generate_series(1, 100);
         CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA shop TO {role};
         GRANT SELECT ON a, b TO {role}"
    );
    let connection = shop(&stage, &tables, Some((&role, "reader"))).await;
    assert_eq!(counts(&stage.sync(connection).await), [112, 0, 0, 0, 0]);

    // While b can't be read, what vanishes from a is noticed, and b is as it was.
    stage.rows.execute(&format!("REVOKE SELECT ON shop.b FROM {role}; DELETE FROM shop.a WHERE id > 7")).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 3, 8, 1]);
    assert_eq!(stage.settled(connection).await, 109);

    // A refused password removes nothing either.
    stage.give_credentials(connection, shop_credentials(&stage, Some((&role, "wrong")))).await;
    let job = stage.run(connection).await;
    let refused = stage.failed(job).await;
    assert_eq!((refused.status, refused.error_category), (JobStatus::Failed, Some(ErrorCategory::ApiKeyInvalid)));
    assert!(!refused.error.unwrap().contains("wrong"));
    assert_eq!(stage.settled(connection).await, 109);

    stage.give_credentials(connection, shop_credentials(&stage, Some((&role, "reader")))).await;
    stage.rows.execute(&format!("GRANT SELECT ON shop.b TO {role}; DELETE FROM shop.b WHERE id > 50")).await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 50, 59, 0]);
    stage.rows.execute("DROP TABLE shop.b").await;
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 51, 8, 0]);
    stage.assert_consistent(connection).await;
    stage.rows.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

/// A folder whose path is too long for the system when it is read from the root, but not from a folder on the way.
#[tokio::test]
async fn a_folder_that_can_t_be_read_for_a_while_is_kept() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let name = "d".repeat(250);
    let near = [name.as_str(); 4].join("/");
    std::fs::create_dir_all(stage.file(&near)).unwrap();
    let begin = std::fs::File::open(stage.file(&near)).unwrap();
    let far = [name.as_str(); 13].join("/");
    // Relative to the handle, so that the whole path never has to be said.
    let far = format!("/proc/self/fd/{}/{far}", std::os::fd::AsRawFd::as_raw_fd(&begin));
    std::fs::create_dir_all(&far).unwrap();
    for number in 0..5 {
        std::fs::write(format!("{far}/{number}"), "far away").unwrap();
    }
    stage.write_file("near.txt", "near");

    let connection = stage.files_connection().await;
    change_config(&stage, connection, json!({"path": near})).await;
    assert_eq!(counts(&stage.sync(connection).await), [5, 0, 0, 0, 0]);
    change_config(&stage, connection, json!({"path": null})).await;
    assert_eq!(counts(&stage.sync(connection).await), [1, 0, 0, 0, 1]);
    assert_eq!(stage.settled(connection).await, 6);

    change_config(&stage, connection, json!({"path": near})).await;
    std::fs::remove_file(format!("{far}/0")).unwrap();
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 2, 4, 0]);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_pattern_that_matches_nothing_is_told_and_so_is_a_run_that_finds_nothing() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.files_connection().await;
    let empty = stage.sync(connection).await;
    assert_eq!(empty.error_details, Some(json!({"warnings": ["nothing was found"]})));
    std::fs::create_dir(stage.file("docs")).unwrap();
    for name in ["docs/a.md", "b.rs"] {
        stage.write_file(name, name);
    }
    assert_eq!(counts(&stage.sync(connection).await), [2, 0, 0, 0, 0]);
    change_config(&stage, connection, json!({"include": ["docs/", "dosc/"]})).await;
    let some = stage.sync(connection).await;
    assert_eq!(some.error_details, Some(json!({"warnings": ["include: no file matches 'dosc/'"]})));
    assert_eq!(counts(&some), [0, 0, 1, 1, 0]);
    change_config(&stage, connection, json!({"include": ["dosc/"]})).await;
    let none = stage.sync(connection).await;
    let told = json!({"warnings": ["include: no file matches 'dosc/'", "nothing was found"]});
    assert_eq!((counts(&none), none.error_details), ([0, 0, 1, 0, 0], Some(told)));
}
