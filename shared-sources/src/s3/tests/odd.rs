//! What a bucket may hold, and what may be allowed.

use serde_json::{Value, json};
use shared_models::DocumentType;
use shared_models::job::ErrorCategory;

use super::{Object, S3Server, access, credentials, ids, read, read_with};
use crate::conformance::Run;
use crate::run::collected;
use crate::{EntitySink, Offers, ReadSummary, Source, SourceAccess, SourceError};

fn told(run: &Run) -> Vec<(&str, &str)> {
    let skipped = &run.outcome.as_ref().unwrap().skipped;
    skipped.told().iter().map(|told| (told.entity_id.as_str(), told.reason.as_str())).collect()
}

#[tokio::test]
async fn objects_become_entities_that_know_where_they_are() {
    let server = S3Server::start().await;
    server.put("docs/a b.md", Object::text("# Spoon"));
    server.put("src/main.rs", Object::text("fn main() {}"));
    let run = read(&server, json!({})).await;
    assert_eq!(ids(&run), ["docs/a b.md", "src/main.rs"]);
    let file = &run.entities[0];
    assert_eq!((file.class, file.name.as_str(), file.text.as_str()), ("S3ObjectEntity", "a b.md", "# Spoon"));
    assert_eq!((file.document_type, file.web_url.as_str()), (DocumentType::File, "s3://bucket/docs/a%20b.md"));
    assert_eq!(file.breadcrumbs[0].entity_id, "docs");
    assert_eq!((&file.fields["size"], &file.fields["bucket"]), (&json!(7), &json!("bucket")));
    assert_eq!(file.updated_at.unwrap().to_rfc3339(), "2026-01-02T03:04:05+00:00");
    assert_eq!(file.file.as_ref().unwrap().bytes, "# Spoon");
    let code = &run.entities[1];
    assert_eq!((code.document_type, &code.fields["language"]), (DocumentType::CodeFile, &json!("rust")));
}

#[tokio::test]
async fn archived_refused_and_unspeakable_objects_are_gaps_and_binary_ones_are_none() {
    let server = S3Server::start().await;
    server.put("a.txt", Object::text("a"));
    server.put("archived.txt", Object { storage_class: "DEEP_ARCHIVE", ..Object::text("b") });
    server.put("asleep.txt", Object { refused: Some((403, "InvalidObjectState")), ..Object::text("c") });
    server.put("b/../c.txt", Object::text("d"));
    server.put("binary", Object::bytes(b"\x89PNG\r\n\x1a\n\0\0"));
    server.put("folder/", Object::text(""));
    server.put("payer.txt", Object { refused: Some((403, "AccessDenied")), ..Object::text("e") });
    server.put("vanished.txt", Object { refused: Some((404, "NoSuchKey")), ..Object::text("f") });
    let run = read(&server, json!({})).await;
    assert_eq!(ids(&run), ["a.txt"]);
    let mut told = told(&run);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("archived.txt", "it is archived"),
            ("asleep.txt", "it is archived"),
            ("b/../c.txt", "its key has '.' or '..' as a part of its path and can't be asked for"),
            ("binary", "it holds no text"),
            ("payer.txt", "403 Forbidden, AccessDenied"),
            ("vanished.txt", "it is listed but not there"),
        ]
    );
    let seen = run.outcome.unwrap().seen;
    for kept in ["archived.txt", "asleep.txt", "b/../c.txt", "payer.txt", "vanished.txt"] {
        assert!(!seen.means_gone(kept), "{kept}");
    }
    for gone in ["binary", "other"] {
        assert!(seen.means_gone(gone), "{gone}");
    }
}

#[tokio::test]
async fn a_versioned_bucket_is_read_at_its_newest_versions() {
    let server = S3Server::start().await;
    for text in ["first", "second", "third"] {
        server.put("a.txt", Object::text(text));
    }
    server.put("b.txt", Object::text("deleted"));
    server.delete("b.txt");
    server.put("c.txt", Object::text("deleted for a while"));
    server.delete("c.txt");
    server.put("c.txt", Object::text("back"));
    let texts = |run: &Run| run.entities.iter().map(|entity| entity.text.clone()).collect::<Vec<_>>();
    let run = read(&server, json!({})).await;
    assert_eq!((ids(&run), texts(&run)), (vec!["a.txt", "c.txt"], vec!["third".to_owned(), "back".to_owned()]));
    assert_eq!(run.outcome.unwrap(), ReadSummary::everything(), "what is marked as deleted is gone, and no gap");

    // Whoever takes a version or a mark away changes what is the newest.
    server.go_back("a.txt");
    server.go_back("b.txt");
    let run = read(&server, json!({})).await;
    assert_eq!((ids(&run)[1], &texts(&run)[..2]), ("b.txt", &["second".to_owned(), "deleted".to_owned()][..]));
}

#[tokio::test]
async fn an_object_that_is_replaced_or_deleted_after_the_list_is_a_gap() {
    let replaced = |server: &S3Server| server.put("a.txt", Object::text("new"));
    let deleted = |server: &S3Server| server.delete("a.txt");
    for change in [replaced, deleted] {
        let server = S3Server::start().await;
        server.put("a.txt", Object::text("old"));
        let (access, credentials) = (access(&server.url), credentials());
        let (sink, entities, mut offered) = EntitySink::with_offers(1);
        let config = json!({"bucket": "bucket", "prefix": null, "include": [], "exclude": []});
        let (config, credentials) = (config.as_object().unwrap(), credentials.as_object().unwrap());
        let reading = Source::S3.read(config, credentials, &access, None, sink);
        let answering = async {
            // Offers come between the list and the objects.
            let Offers { offers, answer } = offered.recv().await.unwrap();
            assert_eq!(offers[0].id, "a.txt");
            change(&server);
            answer.send(vec![false]).unwrap();
        };
        let (outcome, entities, ()) = tokio::join!(reading, collected(entities), answering);
        let summary = outcome.unwrap();
        assert_eq!((entities.len(), summary.skipped.count()), (0, 1));
        assert!(!summary.seen.means_gone("a.txt"));
    }
}

#[tokio::test]
async fn patterns_are_relative_to_the_folder_of_the_prefix() {
    let server = S3Server::start().await;
    for key in ["x/keep/a.md", "x/keep/b.txt", "x/drop/c.md", "x/drop/deep/e.rs", "keep/d.md"] {
        server.put(key, Object::text("text"));
    }
    let run = read(&server, json!({"prefix": "x/", "include": ["keep/*.md", "*.rs"], "exclude": ["drop"]})).await;
    assert_eq!(ids(&run), ["x/keep/a.md"]);
    let run = read(&server, json!({"prefix": "x/dr", "include": ["drop/*.md"]})).await;
    assert_eq!(ids(&run), ["x/drop/c.md"]);
    assert_eq!(ids(&read(&server, json!({"exclude": ["x"]})).await), ["keep/d.md"]);
}

#[tokio::test]
async fn a_list_of_many_pages_is_read_to_its_end() {
    let server = S3Server::start().await;
    for number in 0..2_500 {
        server.put(&format!("{number:04}"), Object::text(""));
    }
    let run = read(&server, json!({})).await;
    assert_eq!((run.entities.len(), run.outcome.unwrap().skipped.count()), (2_500, 0));
    assert_eq!(server.got(), 0, "what is empty need not be asked for");
}

#[tokio::test]
async fn what_the_operator_did_not_allow_is_never_asked() {
    let server = S3Server::start().await;
    let refused = async |access: &SourceAccess, credentials: Value| {
        let error = read_with(access, credentials, json!({})).await.outcome.unwrap_err();
        assert!(matches!(error, SourceError::Misconfigured(_)), "{error:?}");
        error.to_string()
    };
    let allowed = access(&server.url);
    let nothing = SourceAccess::for_tests(|_| {});
    assert_eq!(refused(&nothing, credentials()).await, "no S3 endpoint is allowed on this worker");
    for endpoint in ["http://127.0.0.1:1", "http://169.254.169.254", "aws", "file:///etc"] {
        let mut elsewhere = credentials();
        elsewhere["endpoint"] = endpoint.into();
        let error = refused(&allowed, elsewhere).await;
        assert_eq!(error, "the endpoint of the credentials is not allowed on this worker");
    }
    let mut without_key = credentials();
    without_key["access_key_id"] = Value::Null;
    without_key["secret_access_key"] = Value::Null;
    let error = refused(&allowed, without_key).await;
    assert_eq!(error, "this bucket is not allowed on this worker without an access key");
    // Our own bucket isn't read, whoever asks with whatever key.
    for store in ["s3://bucket/unweave", "gs://bucket"] {
        let own = allowed.clone().with_own_store(&store.parse().unwrap());
        assert_eq!(refused(&own, credentials()).await, "this bucket is not allowed on this worker");
    }
    let own = allowed.with_own_store(&"s3://another".parse().unwrap());
    assert!(own.may_be_own_bucket("reader-abc-s3alias") && !own.may_be_own_bucket("bucket"));
    assert_eq!(server.got(), 0);
}

#[tokio::test]
async fn a_refused_key_is_the_owners_to_mend_and_a_refused_list_removes_nothing() {
    let server = S3Server::start().await;
    server.put("a.txt", Object::text("a"));
    for (code, category) in [("InvalidAccessKeyId", Some(ErrorCategory::ApiKeyInvalid)), ("AccessDenied", None)] {
        server.fail(403, code);
        let error = read(&server, json!({})).await.outcome.unwrap_err();
        assert_eq!(error.category(), category, "{error}");
        assert!(error.to_string().contains(code), "{error}");
    }
    server.fail(200, "login");
    let error = read(&server, json!({})).await.outcome.unwrap_err();
    assert!(error.to_string().ends_with("can't be understood"), "{error}");
}
