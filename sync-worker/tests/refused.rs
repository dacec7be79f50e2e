//! Entities that a store refuses for what they are.

use serde_json::json;
use wiremock::matchers::{any, body_string_contains};
use wiremock::{Match, Mock, MockServer, ResponseTemplate};

use crate::job::counts;
use crate::stage::Stage;

/// A Vespa that takes everything but what `refused` matches.
pub async fn refusing_vespa(refused: impl Match + 'static) -> MockServer {
    let vespa = MockServer::builder().start().await;
    let taken = ResponseTemplate::new(200).set_body_json(json!({"status": {"code": "up"}}));
    Mock::given(any()).respond_with(taken).mount(&vespa).await;
    let no = ResponseTemplate::new(400).set_body_json(json!({"message": "no"}));
    Mock::given(refused).respond_with(no).with_priority(1).mount(&vespa).await;
    vespa
}

#[tokio::test]
async fn an_entity_that_a_store_refuses_is_told_by_name_in_the_job_alone() {
    let stage = Stage::new().await;
    stage.expects.event("an entity was refused");
    let vespa = refusing_vespa(body_string_contains("unwelcome")).await;
    let worker = stage.worker_with(&[("VESPA_URL", &vespa.uri())]).await;
    for (name, text) in [("a.txt", "a"), ("odd-pelican.txt", "unwelcome"), ("picture-pelican.png", "\u{0}\u{1}")] {
        stage.write_file(name, text);
    }
    let connection = stage.files_connection().await;
    let synced = stage.sync(connection).await;
    assert_eq!(counts(&synced), [1, 0, 0, 0, 2]);
    let told = json!({
        "refused_count": 1,
        "refused": [{"entity_id": "odd-pelican.txt", "reason": "Vespa rejected the request with 400: no"}],
        "skipped_count": 1, "skipped": [{"entity_id": "picture-pelican.png", "reason": "it holds no text"}],
    });
    assert_eq!(synced.error_details, Some(told));
    assert_eq!(worker.logged("pelican"), 0);
}

#[tokio::test]
async fn a_job_that_fails_because_every_entity_is_refused_tells_which() {
    let stage = Stage::new().await;
    stage.expects.event("an entity was refused");
    let vespa = refusing_vespa(body_string_contains("unwelcome")).await;
    let _worker = stage.worker_with(&[("VESPA_URL", &vespa.uri())]).await;
    for number in 0..60 {
        stage.write_file(&format!("{number:02}.txt"), "unwelcome");
    }
    let connection = stage.files_connection().await;
    let job = stage.run(connection).await;
    let failed = stage.failed(job).await;
    let error = failed.error.unwrap();
    assert!(error.starts_with("50 entities in a row were refused"), "{error}");
    let told = failed.error_details.unwrap();
    assert!(told["refused_count"].as_u64() >= Some(50), "{told}");
    assert!(told["refused"][0]["entity_id"].as_str().unwrap().ends_with(".txt"), "{told}");
}

#[tokio::test]
async fn why_blobs_cannot_be_written_is_told_in_job_and_log() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    stage.write_file("pelican.txt", "a");
    let connection = stage.files_connection().await;
    // A file where the store's folder of this sync is to be: as little use as a full disk.
    let raw = stage.arf_folder().join("raw");
    std::fs::create_dir_all(&raw).unwrap();
    std::fs::write(raw.join(connection.sync.to_string()), "").unwrap();
    let job = stage.run(connection).await;
    let error = stage.failed(job).await.error.unwrap();
    assert!(error.ends_with("Not a directory (os error 20)"), "{error}");
    assert!(worker.logged("Not a directory (os error 20)") > 0);
    assert_eq!((worker.logged("pelican"), worker.logged(&raw.display().to_string())), (0, 0));
}
