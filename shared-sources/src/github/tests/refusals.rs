//! What can't go on, and what it says; and where the token goes.

use serde_json::json;
use shared_models::job::ErrorCategory;
use wiremock::ResponseTemplate;

use super::{GithubServer, Read, TOKEN, config, credentials, limits, object, read, read_with, refused};
use crate::{ReadSummary, SourceAccess, SourceError};

#[tokio::test]
async fn a_refused_token_asks_for_another_one_and_is_never_shown() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    let api = limits(&server.url());
    let error = read_with(&api, config(None), credentials("ghp_wrong")).await.error();
    assert_eq!(error.category(), Some(ErrorCategory::ApiKeyInvalid));
    assert!(error.to_string().ends_with("refused the personal access token: Bad credentials"), "{error}");
    assert!(!format!("{error:?}").contains("ghp_wrong"));
    assert_eq!(server.asked().len(), 1);

    let error = read_with(&api, config(None), credentials("ghp\nwrong")).await.error();
    assert_eq!(error.to_string(), "the personal access token holds characters that none has");
}

#[tokio::test]
async fn a_repository_that_is_missing_and_a_right_that_is_missing_are_told_apart() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    let other = object(json!({"repo_name": "octo/other", "branch": null}));
    let error = read_with(&limits(&server.url()), other, credentials(TOKEN)).await.error();
    assert!(matches!(error, SourceError::Misconfigured(_)));
    assert!(error.to_string().contains("has no repository 'octo/other', or the personal access token may not read it"));

    server.fail("/git/blobs/", 1, refused(403, "Resource not accessible by personal access token"));
    let error = read(&server).await.error();
    assert!(matches!(error, SourceError::Misconfigured(_)) && error.category().is_none());
    assert!(error.to_string().ends_with("Resource not accessible by personal access token"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_there_although_its_repository_is_is_a_gap() {
    let server = GithubServer::with(&[("a.txt", "a"), ("b.txt", "b")]).await;
    server.lose("a.txt");
    let Read { entities, outcome } = read(&server).await;
    let ReadSummary { skipped, seen, .. } = outcome.unwrap();
    assert_eq!((entities.len(), skipped.count()), (2, 1));
    let told = &skipped.told()[0];
    assert_eq!((told.entity_id.as_str(), told.reason.as_str()), ("octo/spoon/a.txt", "it is listed but not there"));
    assert!(!seen.means_gone("octo/spoon/a.txt") && seen.means_gone("octo/spoon/c.txt"));
}

#[tokio::test]
async fn a_name_that_is_no_repository_is_never_asked_for() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    for name in ["octo", "../../user", "octo/..", "octo/spoon/git", "octo/spoon?x=1"] {
        let config = object(json!({"repo_name": name, "branch": null}));
        let error = read_with(&limits(&server.url()), config, credentials(TOKEN)).await.error().to_string();
        assert!(error.contains("String should match pattern"), "{error}");
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn an_api_that_the_operator_did_not_allow_is_never_asked() {
    let (allowed, other) = (GithubServer::with(&[]).await, GithubServer::with(&[]).await);
    let credentials = object(json!({"personal_access_token": TOKEN, "api_url": other.url()}));
    let error = read_with(&limits(&allowed.url()), config(None), credentials.clone()).await.error();
    assert!(matches!(error, SourceError::Misconfigured(_)), "{error}");
    let error = read_with(&SourceAccess::for_tests(|_| {}), config(None), credentials).await.error().to_string();
    assert_eq!(error, "the api_url of the credentials is not allowed on this worker");
    assert_eq!((allowed.asked().len(), other.asked().len()), (0, 0));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (server, other) = (GithubServer::with(&[("a.txt", "a")]).await, GithubServer::with(&[("a.txt", "a")]).await);
    for part in ["/octo/spoon", "/branches", "/git/trees", "/git/blobs"] {
        let elsewhere = other.url().join("repos/octo/spoon").unwrap();
        server.fail(part, 1, ResponseTemplate::new(302).insert_header("location", elsewhere.as_str()));
        let error = read(&server).await.error();
        assert!(matches!(error, SourceError::Failed(_)), "{error:?}");
        assert!(error.to_string().contains("redirected the request (302 Found)"), "{error}");
    }
    assert_eq!(other.asked().len(), 0);
}

#[tokio::test]
async fn a_redirect_that_leads_round_in_circles_ends() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    server.fail("/octo/spoon", usize::MAX, ResponseTemplate::new(301).insert_header("location", "/repos/octo/spoon"));
    let error = read(&server).await.error().to_string();
    assert!(error.contains("redirected the request"), "{error}");
    assert!(server.asked().len() < 10);
}

#[tokio::test]
async fn an_answer_that_is_not_githubs_fails_the_run() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    for part in ["/octo/spoon", "/branches", "/git/trees"] {
        server.fail(part, 1, ResponseTemplate::new(200).set_body_string("<html>log in</html>"));
        let error = read(&server).await.error().to_string();
        assert!(error.contains("can't be understood"), "{error}");
    }
}
