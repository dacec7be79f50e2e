//! The source `s3` through a whole worker: what is unchanged isn't read again.

use serde_json::json;
use shared_database::jobs::SyncJob;
use test_support::{S3_KEY_ID, S3_SECRET, TestS3};

use crate::stage::{Connection, Stage};

/// Inserted, updated, deleted, kept, failed.
fn counts(job: &SyncJob) -> [i64; 5] {
    [job.entities_inserted, job.entities_updated, job.entities_deleted, job.entities_kept, job.entities_failed]
}

async fn bucket(stage: &Stage, s3: &TestS3) -> Connection {
    let connection = stage.connection("s3", json!({"bucket": "bucket"})).await;
    let credentials = json!({
        "endpoint": s3.url, "region": "us-east-1", "path_style": true, "access_key_id": S3_KEY_ID,
        "secret_access_key": S3_SECRET,
    });
    stage.give_credentials(connection, credentials).await;
    connection
}

#[tokio::test]
async fn a_bucket_is_followed_from_sync_to_sync_and_what_was_left_out_is_told_in_the_job_alone() {
    let s3 = TestS3::start().await;
    let stage = Stage::new().await;
    let worker = stage.worker_with(&[("S3_SOURCE_ENDPOINTS", s3.url.as_str())]).await;
    for number in 0..30 {
        s3.write(&format!("docs/{number}.txt"), format!("file {number}"));
    }
    s3.write("picture-of-nobody.png", b"\x89PNG\r\n\x1a\n\0\0");
    let connection = bucket(&stage, &s3).await;
    let first = stage.sync(connection).await;
    assert_eq!(counts(&first), [30, 0, 0, 0, 1]);
    let told = json!({
        "skipped_count": 1, "skipped": [{"entity_id": "picture-of-nobody.png", "reason": "it holds no text"}],
    });
    assert_eq!(first.error_details, Some(told));
    assert_eq!(worker.logged("picture-of-nobody"), 0);
    assert_eq!(counts(&stage.sync(connection).await), [0, 0, 0, 30, 1]);
    stage.assert_consistent(connection).await;

    s3.write("docs/1.txt", "changed");
    s3.remove("docs/2.txt");
    s3.remove("picture-of-nobody.png");
    let third = stage.sync(connection).await;
    assert_eq!((counts(&third), third.error_details), ([0, 1, 1, 28, 0], None));
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn the_bucket_of_arf_is_refused_whatever_the_key() {
    let s3 = TestS3::start().await;
    let stage = Stage::new().await;
    // The bucket stands in for the worker's own: it is the same by name.
    let settings = [
        ("S3_SOURCE_ENDPOINTS", s3.url.as_str()),
        ("ARF_URL", "s3://bucket/unweave"),
        ("AWS_ENDPOINT", s3.url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", S3_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", S3_SECRET),
        ("AWS_REGION", "us-east-1"),
    ];
    let _worker = stage.worker_with(&settings).await;
    let connection = bucket(&stage, &s3).await;
    let job = stage.run(connection).await;
    let error = stage.failed(job).await.error;
    assert_eq!(error.as_deref(), Some("this bucket is not allowed on this worker"));
    assert_eq!(stage.settled(connection).await, 0);
}

#[tokio::test]
async fn without_the_operator_s_leave_no_endpoint_is_asked() {
    let s3 = TestS3::start().await;
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = bucket(&stage, &s3).await;
    let job = stage.run(connection).await;
    let error = stage.failed(job).await.error;
    assert_eq!(error.as_deref(), Some("the endpoint of the credentials is not allowed on this worker"));
}
