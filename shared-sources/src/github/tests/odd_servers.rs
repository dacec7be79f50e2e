//! Runs against a server that says what GitHub doesn't.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::limits;
use crate::run::{collected, run};
use crate::tools::cut::tests::Counted;
use crate::tools::memory;
use crate::tools::text::MAX_TEXT_BYTES;
use crate::{EntitySink, ReadSummary, SourceEntity, SourceError};

const TOKEN: &str = "ghp_hunter2";

async fn answer(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(server).await;
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn repository(size: &Value) -> Value {
    json!({
        "id": 1, "name": "r", "full_name": "o/r", "html_url": "https://github.test/o/r", "default_branch": "main",
        "size": size,
    })
}

/// A repository of which `tree` is everything.
async fn server_with(tree: &Value) -> MockServer {
    let server = server_with_commit(tree).await;
    answer(&server, "/repos/o/r", ok(&repository(&json!(1)))).await;
    server
}

/// Everything of it but the repository itself.
async fn server_with_commit(tree: &Value) -> MockServer {
    let server = MockServer::builder().start().await;
    let sha = "a".repeat(40);
    let branch = json!({"name": "main", "commit": {"sha": sha, "commit": {"tree": {"sha": sha}}}});
    answer(&server, "/repos/o/r/branches/main", ok(&branch)).await;
    answer(&server, &format!("/repos/o/r/git/trees/{sha}"), ok(&json!({"tree": tree, "truncated": false}))).await;
    server
}

/// A repository without a branch, of which the server says that it has this `size`.
async fn server_without_branch(size: &Value, branches: ResponseTemplate) -> MockServer {
    let server = MockServer::builder().start().await;
    answer(&server, "/repos/o/r", ok(&repository(size))).await;
    answer(&server, "/repos/o/r/branches", branches).await;
    server
}

async fn read(server: &MockServer) -> Result<(Vec<SourceEntity>, ReadSummary), SourceError> {
    test_support::install_tls_provider();
    let limits = limits(&server.uri().parse().unwrap());
    let config = json!({"repo_name": "o/r", "branch": null});
    let credentials = json!({"personal_access_token": TOKEN, "api_url": null});
    let (sink, entities) = EntitySink::new(100);
    let reading = run("github", config.as_object().unwrap(), credentials.as_object().unwrap(), &limits, None, sink);
    let (outcome, all) = tokio::join!(Box::pin(reading), collected(entities));
    outcome.map(|summary| (all, summary))
}

async fn error(server: &MockServer) -> String {
    read(server).await.unwrap_err().to_string()
}

fn file(path: &str, size: usize) -> Value {
    json!({"path": path, "mode": "100644", "sha": "b".repeat(40), "size": size})
}

#[tokio::test]
async fn a_file_waits_for_room_and_keeps_it_as_long_as_its_content() {
    let server = server_with(&json!([file("a.txt", 3), file("b.txt", 3)])).await;
    Mock::given(path_regex("/git/blobs/"))
        .respond_with(ResponseTemplate::new(200).set_body_string("abc"))
        .mount(&server)
        .await;
    let all = memory::reserve(usize::MAX).await;
    let mut reading = Box::pin(read(&server));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut reading).await.is_err(), "there is no room");
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.len(), 3, "{asked:?}");
    drop(all);
    let (mut entities, _) = reading.await.unwrap();
    let file = entities.pop().unwrap().file.unwrap();
    drop(entities);
    assert!(futures::poll!(std::pin::pin!(memory::reserve(usize::MAX))).is_pending());
    drop(file);
    memory::reserve(usize::MAX).await;
}

#[tokio::test]
async fn a_deep_path_has_bounded_breadcrumbs_and_one_that_is_too_long_is_counted() {
    let folder = |path: &str| json!({"path": path, "mode": "040000", "sha": "c".repeat(40)});
    let deep = vec!["d"; 2_047].join("/");
    let tree = [
        folder(&deep),
        file(&format!("{deep}/e"), 0),
        folder(&format!("{deep}/ee")),
        file(&format!("{deep}/ee/f"), 0),
        json!({"path": format!("{deep}/link"), "mode": "120000", "sha": "b".repeat(40)}),
    ];
    let server = server_with(&json!(tree)).await;
    let (entities, summary) = read(&server).await.unwrap();
    assert_eq!((entities.len(), summary.skipped.count()), (3, 2));
    let crumbs = &entities[2].breadcrumbs;
    assert_eq!(crumbs.len(), 32);
    assert_eq!((crumbs[0].entity_id.as_str(), crumbs[31].entity_id.len()), ("1", "o/r/".len() + deep.len()));
}

#[tokio::test]
async fn a_text_that_is_searched_in_part_is_counted() {
    let counted = Counted::default();
    let _counting = metrics::set_default_local_recorder(&counted);
    let size = MAX_TEXT_BYTES + 1;
    let server = server_with(&json!([file("long.txt", size)])).await;
    let long = ResponseTemplate::new(200).set_body_string("x".repeat(size));
    Mock::given(path_regex("/git/blobs/")).respond_with(long).mount(&server).await;
    assert_eq!(read(&server).await.unwrap().0.len(), 2);
    assert_eq!(counted.texts(), [("github".to_owned(), 1)]);
}

#[tokio::test]
async fn a_list_of_branches_without_end_is_no_empty_repository() {
    for size in [0, 1] {
        let next = "</repos/o/r/branches?page=2>; rel=\"next\"";
        let endless = ok(&json!([])).insert_header("link", next);
        let server = server_without_branch(&json!(size), endless).await;
        let error = error(&server).await;
        assert!(error.ends_with("lists the branches of 'o/r' without end"), "{error}");
        assert!(server.received_requests().await.unwrap().len() < 20);
    }
}

#[tokio::test]
async fn only_a_size_of_zero_is_empty() {
    let server = server_without_branch(&Value::Null, ok(&json!([]))).await;
    let unknown = error(&server).await;
    assert!(unknown.ends_with("has no branch, but not that it is empty; nothing is taken for removed"), "{unknown}");
    let server = server_without_branch(&json!(0), ok(&json!([]))).await;
    assert_eq!(read(&server).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn an_entry_that_git_does_not_have_costs_itself_alone() {
    let mut strange = file("strange", 3);
    strange["mode"] = "777".into();
    let mut sizeless = file("sizeless", 3);
    sizeless["size"] = Value::Null;
    let server = server_with(&json!([strange, sizeless, file("empty", 0)])).await;
    let (entities, summary) = read(&server).await.unwrap();
    assert_eq!((entities.len(), entities[1].id.as_str()), (2, "o/r/empty"));
    let told: Vec<_> = summary.skipped.told().iter().map(|told| (&*told.entity_id, &*told.reason)).collect();
    assert_eq!(told, [("o/r/strange", "what it is could not be told"), ("o/r/sizeless", "its size is not told")]);
    for kept in ["o/r/strange", "o/r/strange/a", "o/r/sizeless"] {
        assert!(!summary.seen.means_gone(kept), "{kept}");
    }
}

#[tokio::test]
async fn a_repository_that_goes_in_the_middle_of_a_run_fails_it_although_its_files_could_be_gaps() {
    let server = server_with_commit(&json!([file("a.txt", 3), file("b.txt", 3)])).await;
    let once = Mock::given(path("/repos/o/r")).respond_with(ok(&repository(&json!(1)))).up_to_n_times(1);
    once.mount(&server).await;
    let error = error(&server).await;
    assert!(error.ends_with("has no repository 'o/r', or the personal access token may not read it"), "{error}");
}

#[tokio::test]
async fn what_the_server_says_is_shown_in_part_and_never_the_token() {
    let long = format!("{TOKEN}/{}", "x".repeat(3_000));
    let branches: Vec<Value> = (0..20).map(|number| json!({"name": format!("{number}{long}")})).collect();
    let server = server_without_branch(&json!(1), ok(&json!(branches))).await;
    let listed = error(&server).await;
    assert!(listed.contains("it has 0…/xxx") && listed.len() < 6_000, "{listed}");

    let garbled = server_with(&json!(long)).await;
    let told = error(&garbled).await;
    assert!(told.contains("can't be understood (line 1, column ") && !told.contains(TOKEN), "{told}");
    assert!(told.len() < 200, "{told}");
}
