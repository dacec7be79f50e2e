//! Against a real S3 server, which looks at signatures.

use serde_json::{Value, json};
use shared_models::job::ErrorCategory;
use test_support::TestS3;

use super::{access, credentials, ids, read_with};
use crate::conformance::Run;

async fn read(s3: &TestS3, changes: Value) -> Run {
    read_with(&access(&s3.url), credentials(), changes).await
}

#[tokio::test]
async fn a_bucket_is_read_with_a_key_and_its_odd_names() {
    let s3 = TestS3::start().await;
    s3.write("docs/ä b+c%.md", "# Käse");
    s3.write("docs/empty", "");
    s3.write("long.txt", "word ".repeat(500_000));
    s3.write("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let run = read(&s3, json!({})).await;
    assert_eq!(ids(&run), ["docs/empty", "docs/ä b+c%.md", "long.txt"]);
    assert_eq!(run.entities[1].text, "# Käse");
    // Of what is larger than what is kept raw no more than the beginning is got.
    let long = &run.entities[2];
    assert_eq!((long.text.len(), long.file.is_none(), &long.fields["size"]), (1 << 20, true, &json!(2_500_000)));
    assert_eq!(run.outcome.unwrap().skipped.told()[0].entity_id, "picture.png");
    assert_eq!(ids(&read(&s3, json!({"prefix": "docs/", "include": ["*.md"]})).await), ["docs/ä b+c%.md"]);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let s3 = TestS3::start().await;
    for number in 0..1_100 {
        s3.write(&format!("{number:04}"), "");
    }
    assert_eq!(read(&s3, json!({})).await.entities.len(), 1_100);
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_a_missing_bucket_is_told() {
    let s3 = TestS3::start().await;
    let mut wrong = credentials();
    wrong["secret_access_key"] = "wrong".into();
    let error = read_with(&access(&s3.url), wrong, json!({})).await.outcome.unwrap_err();
    assert_eq!(error.category(), Some(ErrorCategory::ApiKeyInvalid), "{error}");
    let error = read(&s3, json!({"bucket": "other"})).await.outcome.unwrap_err();
    assert!(error.to_string().contains("no such bucket"), "{error}");
}
