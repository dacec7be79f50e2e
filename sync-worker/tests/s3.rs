//! The source `s3` through a whole worker: what is unchanged isn't read again.

use serde_json::json;
use test_support::{S3_KEY_ID, S3_SECRET, TestS3, TlsFront};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::job::counts;
use crate::stage::{Connection, Stage};

async fn bucket(stage: &Stage, s3: &TestS3) -> Connection {
    bucket_with(stage, s3, Some((S3_KEY_ID, S3_SECRET))).await
}

/// A connection with a key of its owner, or without one.
async fn bucket_with(stage: &Stage, s3: &TestS3, key: Option<(&str, &str)>) -> Connection {
    let connection = stage.connection("s3", json!({"bucket": "bucket"})).await;
    let credentials = json!({
        "endpoint": s3.url, "region": "us-east-1", "path_style": true, "access_key_id": key.map(|key| key.0),
        "secret_access_key": key.map(|key| key.1),
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

const SESSION: &str = "geheim-session";

/// Gives the worker's role its key, in each of the ways in which Amazon's services do.
async fn key_giver() -> MockServer {
    let server = MockServer::builder().start().await;
    let key = ResponseTemplate::new(200).set_body_json(json!({
        "AccessKeyId": S3_KEY_ID, "SecretAccessKey": S3_SECRET, "Token": SESSION, "Expiration": "2099-01-01T00:00:00Z",
    }));
    let role = "/latest/meta-data/iam/security-credentials/";
    let text = |text: &str| ResponseTemplate::new(200).set_body_string(text);
    Mock::given(method("PUT")).and(path("/latest/api/token")).respond_with(text("of-the-machine")).mount(&server).await;
    Mock::given(path(role)).respond_with(text("reader")).mount(&server).await;
    let of_the_machine = header("x-aws-ec2-metadata-token", "of-the-machine");
    Mock::given(path(format!("{role}reader"))).and(of_the_machine).respond_with(key.clone()).mount(&server).await;
    let of_the_pod = header("authorization", "of-the-pod");
    Mock::given(path("/pod")).and(of_the_pod).respond_with(key).mount(&server).await;
    let answer = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>{S3_KEY_ID}</AccessKeyId><SecretAccessKey>{S3_SECRET}</SecretAccessKey>\
         <SessionToken>{SESSION}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    let asked = Mock::given(method("POST")).and(query_param("Action", "AssumeRoleWithWebIdentity"));
    asked.and(query_param("WebIdentityToken", "of-the-web")).respond_with(text(&answer)).mount(&server).await;
    server
}

#[tokio::test]
async fn the_worker_s_own_role_reads_the_operator_s_buckets_wherever_its_key_comes_from() {
    let s3 = TestS3::start().await;
    s3.write("a.txt", "a");
    let keys = key_giver().await;
    let sts = TlsFront::start(keys.uri().parse().unwrap()).await;
    let stage = Stage::new().await;
    for (name, content) in [("pod", "of-the-pod"), ("web", "of-the-web"), ("authority.pem", &sts.certificate)] {
        stage.write_file(name, content);
    }
    let file = |name: &str| stage.file(name).to_str().unwrap().to_owned();
    let (pod, web, authority, pod_url) =
        (file("pod"), file("web"), file("authority.pem"), format!("{}/pod", keys.uri()));
    let ways: [&[(&str, &str)]; 4] = [
        &[("AWS_ACCESS_KEY_ID", S3_KEY_ID), ("AWS_SECRET_ACCESS_KEY", S3_SECRET)],
        &[("AWS_METADATA_ENDPOINT", &keys.uri())],
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &pod_url), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &pod)],
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", &web),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/reader"),
            ("AWS_ENDPOINT_URL_STS", sts.url.as_str()),
            ("SSL_CERT_FILE", &authority),
        ],
    ];
    for way in ways {
        let allowed = [("S3_SOURCE_ENDPOINTS", s3.url.as_str()), ("S3_SOURCE_ROLE_BUCKETS", "bucket")];
        let worker = stage.worker_with(&[&allowed, way].concat()).await;
        let connection = bucket_with(&stage, &s3, None).await;
        assert_eq!(counts(&stage.sync(connection).await), [1, 0, 0, 0, 0], "{way:?}");
        for secret in [S3_SECRET, SESSION, "of-the-"] {
            assert_eq!(worker.logged(secret), 0, "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_role_that_gives_no_key_fails_the_job_without_a_word_about_the_worker_s_surroundings() {
    let (s3, keys) = (TestS3::start().await, MockServer::builder().start().await);
    let stage = Stage::new().await;
    let allowed = [
        ("S3_SOURCE_ENDPOINTS", s3.url.as_str()),
        ("S3_SOURCE_ROLE_BUCKETS", "bucket"),
        ("AWS_METADATA_ENDPOINT", &keys.uri()),
    ];
    let _worker = stage.worker_with(&allowed).await;
    let connection = bucket_with(&stage, &s3, None).await;
    let job = stage.run(connection).await;
    let failed = stage.failed(job).await;
    let error = "the worker's own role gives no key at the moment; tried 4 times more";
    assert_eq!((failed.error.as_deref(), failed.error_category), (Some(error), None));
}
