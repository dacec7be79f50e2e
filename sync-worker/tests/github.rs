//! The source `github` through a whole worker.

use std::time::Duration;

use serde_json::json;
use shared_models::JobStatus;
use shared_models::job::ErrorCategory;
use test_support::TlsFront;
use test_support::github::{GithubServer, TOKEN, refused};
use test_support::wait_until;

use crate::job::JobEnd;
use crate::stage::{BOUND, Connection, Stage, Worker, timed};

async fn stage_for(server: &GithubServer, token: &str) -> (Stage, Worker, Connection) {
    let stage = Stage::new().await;
    let worker = stage.worker_with(&[("GITHUB_API_URLS", server.url().as_str())]).await;
    let connection = stage.connection("github", json!({"repo_name": "octo/spoon"})).await;
    stage.give_credentials(connection, json!({"personal_access_token": token, "api_url": null})).await;
    (stage, worker, connection)
}

#[tokio::test]
async fn a_repository_is_followed_from_sync_to_sync() {
    let files = [("a.rs", "fn a() {}"), ("b.md", "# B"), ("docs/c.txt", "see"), ("docs/d.txt", "dee")];
    let server = GithubServer::with(&files).await;
    let (stage, _worker, connection) = stage_for(&server, TOKEN).await;
    let first = stage.sync(connection).await;
    assert_eq!((first.entities_inserted, first.entities_failed), (1 + 1 + 4, 0));
    stage.assert_consistent(connection).await;
    assert_eq!(stage.blobs(connection).await.files, 4);

    let second = stage.sync(connection).await;
    assert_eq!((second.entities_inserted, second.entities_updated, second.entities_deleted), (0, 0, 0));
    assert_eq!(second.entities_kept, 6);

    server.remove("b.md");
    server.write("a.rs", b"fn a() { b() }");
    server.push("main");
    let third = stage.sync(connection).await;
    assert_eq!((third.entities_inserted, third.entities_updated, third.entities_deleted), (0, 1, 1));
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_run_that_breaks_off_removes_nothing() {
    let server = GithubServer::with(&[("a.rs", "a"), ("b.rs", "b"), ("c.rs", "c")]).await;
    let (stage, _worker, connection) = stage_for(&server, TOKEN).await;
    stage.sync(connection).await;
    let breaks = [
        ("/octo/spoon", refused(404, "Not Found")),
        ("/branches/main", refused(404, "Branch not found")),
        ("/git/trees/", refused(404, "Not Found")),
        ("/git/blobs/", refused(403, "slow down").insert_header("retry-after", "7200")),
    ];
    for (part, answer) in breaks {
        server.fail(part, 1, answer);
        let job = stage.run(connection).await;
        let failed = stage.failed(job).await;
        assert_eq!((failed.status, failed.entities_deleted), (JobStatus::Failed, 0), "{part}");
        assert!(failed.error.is_some() && failed.error_category.is_none());
    }
    assert_eq!(stage.settled(connection).await, 4);
    stage.assert_consistent(connection).await;

    // A file that isn't there although the repository is costs itself alone, and is kept.
    server.lose("b.rs");
    let gap = stage.sync(connection).await;
    assert_eq!((gap.entities_kept, gap.entities_deleted, gap.entities_failed), (3, 0, 1));
    assert_eq!(gap.error_details.unwrap()["skipped"][0]["entity_id"], "octo/spoon/b.rs");
    assert_eq!(stage.settled(connection).await, 4);
}

#[tokio::test]
async fn a_cancel_ends_the_wait_for_the_rate_limit_at_once() {
    let server = GithubServer::with(&[("a.rs", "a")]).await;
    server.fail("/git/blobs/", 1, refused(403, "slow down").insert_header("retry-after", "1800"));
    let (stage, worker, connection) = stage_for(&server, TOKEN).await;
    let job = stage.run(connection).await;
    wait_until("the job waits", BOUND, async || worker.logged("rate limit is used up; waiting") == 1).await;
    stage.database.cancel_job(connection.id, job).await.unwrap();
    let took = timed(async {
        stage.send_cancel(job).await;
        drop(stage.ended(job).await);
    })
    .await;
    let ended = stage.job(job).await;
    assert_eq!((ended.status, ended.job_end), (JobStatus::Cancelled, Some(JobEnd::Acknowledged)));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_refused_token_is_shown_as_the_owners_to_mend() {
    let server = GithubServer::with(&[("a.rs", "a")]).await;
    let (stage, worker, connection) = stage_for(&server, "ghp_wrong").await;
    let job = stage.run(connection).await;
    let failed = stage.failed(job).await;
    assert_eq!((failed.status, failed.error_category), (JobStatus::Failed, Some(ErrorCategory::ApiKeyInvalid)));
    assert_eq!(worker.logged("ghp_wrong"), 0);
}

/// GitHub Enterprise Server speaks HTTPS, with a certificate of whatever authority its company has.
#[tokio::test]
async fn a_company_s_own_authority_is_trusted_when_the_operator_says_so() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    let front = TlsFront::start(server.url()).await;
    let stage = Stage::new().await;
    stage.write_file("authority.pem", &front.certificate);
    let authority = stage.file("authority.pem");
    let settings = [("GITHUB_API_URLS", front.url.as_str()), ("SSL_CERT_FILE", authority.to_str().unwrap())];
    let _worker = stage.worker_with(&settings).await;
    let connection = stage.connection("github", json!({"repo_name": "octo/spoon"})).await;
    stage.give_credentials(connection, json!({"personal_access_token": TOKEN, "api_url": front.url})).await;
    assert_eq!(stage.sync(connection).await.entities_inserted, 2);
}
