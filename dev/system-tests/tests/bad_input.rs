//! Bad input: a clear error of the contract or a dead letter; nothing is lost, no process dies.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{System, api::id_of, fast_times, write_file};
use test_support::{Leftover, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_get_the_contracts_errors() {
    let system = System::new(&fast_times()).await;
    let mut gateway = system.gateway().await;
    let http = reqwest::Client::new();
    let raw = async |body: String| {
        let request = http.post(format!("{}/collections", gateway.api.url)).header("x-api-key", &gateway.api.key);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, body) = raw("{\"name\": ".to_owned()).await;
    assert_eq!(status, 422, "malformed JSON");
    assert!(body["detail"].is_array() && body["errors"].is_array(), "{body}");
    let (status, body) = raw(format!("{{\"name\": \"{}\"}}", "x".repeat(11 * 1024 * 1024))).await;
    assert_eq!(status, 413, "oversized");
    assert!(body["detail"].is_string(), "{body}");
    let api = &gateway.api;
    assert_eq!(api.get("/source-connections/not-a-uuid").await.status, 422);
    assert_eq!(api.delete("/source-connections/not-a-uuid").await.status, 422);
    let unknown = api.delete(&format!("/source-connections/{}", uuid::Uuid::new_v4())).await;
    assert_eq!((unknown.status, unknown.text("detail")), (404, "SourceConnection not found".to_owned()));
    assert_eq!(api.get("/nowhere").await.status, 404);
    assert!(gateway.service.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_outside_its_root_is_refused_and_yields_nothing() {
    let system = System::new(&fast_times()).await;
    let outside = tempfile::tempdir().unwrap();
    write_file(outside.path(), "secret.txt", "outsidesecret");
    write_file(system.files.path(), "inside.txt", "insidetext");
    std::os::unix::fs::symlink(outside.path(), system.files.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), system.files.path().join("secret.txt")).unwrap();
    let gateway = system.gateway().await;
    let _worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    for path in [format!("../{name}"), outside.path().to_str().unwrap().to_owned(), "a/../../x".to_owned()] {
        let body = json!({
            "short_name": "files", "readable_collection_id": collection,
            "authentication": {"credentials": {"root": "test"}}, "config": {"path": path},
        });
        let refused = api.post("/source-connections", body).await;
        assert_eq!(refused.status, 422, "{path}: {}", refused.body);
        assert!(refused.text("detail").starts_with("Invalid config fields: path"), "{}", refused.body);
    }
    let linked = api.create_connection(&collection, "files", json!({"root": "test"}), json!({"path": "link"})).await;
    system.wait_for_job(api, &id_of(&linked), "failed").await;
    let job = api.last_job(&id_of(&linked)).await;
    assert!(job["error"].as_str().unwrap().contains("leads over a symbolic link"), "{job}");
    let whole = api.create_connection(&collection, "files", json!({"root": "test"}), json!({})).await;
    system.wait_for_job(api, &id_of(&whole), "completed").await;
    assert_eq!(api.search(&collection, "insidetext").await.len(), 1);
    assert_eq!(api.search(&collection, "outsidesecret").await.len(), 0);
    let unknown = api.create_connection(&collection, "files", json!({"root": "nope"}), json!({})).await;
    system.wait_for_job(api, &id_of(&unknown), "failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_source_database_fails_the_job_and_says_so() {
    let system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let port = test_support::free_port();
    let credentials = json!({
        "host": "127.0.0.1", "port": port, "database": "d", "user": "u", "password": "hunter2secret",
    });
    let connection = api.create_connection(&collection, "postgresql", credentials, json!({})).await;
    let id = id_of(&connection);
    system.wait_for_job(api, &id, "failed").await;
    let seen = api.get(&format!("/source-connections/{id}")).await.ok();
    assert_eq!(seen["status"], "error");
    let error = seen["sync"]["last_job"]["error"].as_str().unwrap();
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!seen.to_string().contains("hunter2secret") && !worker.service.log().contains("hunter2secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unparsable_message_in_each_queue_becomes_a_dead_letter_and_work_goes_on() {
    let system = System::new(&fast_times()).await;
    let mut gateway = system.gateway().await;
    let (mut sync_worker, mut cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let garbage: [&[u8]; 3] =
        [b"\xff\xfe\x00", b"{\"type\":\"Nonsense\",\"version\":1}", b"{\"type\":\"RunSync\",\"version\":1}"];
    let broker = system.broker();
    system.expects.event("moved a message to the queue of dead ones");
    system.rest.may_leave([Leftover::DeadLetters]);
    let routes = [("", "sync.jobs"), ("", "cleanup.requests"), ("sync.control", ""), ("events", "job.stopped.garbage")];
    for body in garbage {
        for (exchange, key) in routes {
            wait_until("a queue takes it", Duration::from_secs(30), async || {
                broker.publish_raw(exchange, key, body, &[]).await
            })
            .await;
        }
    }
    wait_until("every garbage message is in dead", Duration::from_secs(60), async || {
        broker.queue_depth("dead").await == Some(12)
    })
    .await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let connection = api.create_stub(&collection, 10, 1).await;
    system.wait_for_job(api, &id_of(&connection), "completed").await;
    assert_eq!(api.delete(&format!("/source-connections/{}", id_of(&connection))).await.status, 200);
    system.wait_for_cleanups(1).await;
    for service in [&mut gateway.service, &mut sync_worker.service, &mut cleanup_worker.service] {
        assert!(service.is_running());
    }
}
