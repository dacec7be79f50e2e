//! Starting, stopping, health and metrics.

use std::time::Duration;

use serde_json::json;
use test_support::{Fault, Service, TestDatabase};

use crate::gateway::{Gateway, START, answer, environment};

#[tokio::test]
async fn a_gateway_without_broker_and_vespa_is_ready_and_says_so() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let open = async |path: &str| answer(api.request(reqwest::Method::GET, path)).await;
    assert_eq!(open("/health").await.ok(), json!({"status": "healthy"}));
    assert_eq!(open("/health/live").await.ok(), json!({"status": "alive"}));
    let ready = open("/health/ready").await.ok();
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["checks"]["postgres"]["status"], "up");
    assert_eq!(ready["checks"]["rabbitmq"]["status"], "down");
    assert_eq!(ready["checks"]["vespa"]["status"], "down");
    let admin = api.http.get(format!("{}/health/ready", gateway.admin));
    assert_eq!(answer(admin).await.ok()["status"], "ready");
}

#[tokio::test]
async fn metrics_tell_of_requests_and_of_work_left() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let connection = api.stub(&collection, json!({})).await;
    let path = format!("/source-connections/{}", connection["id"].as_str().unwrap());
    api.delete(&path).await.ok();
    api.get(&path).await.refuses(404, "SourceConnection not found");
    let metrics = answer(api.http.get(format!("{}/metrics", gateway.admin))).await.text;
    let line =
        |start: &str| metrics.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{metrics}"));
    let requests = "unweave_http_requests_total{method=\"GET\",route=\"/source-connections/{id}\",status=\"404\"}";
    assert!(line(requests).ends_with(" 1"));
    line("unweave_http_request_seconds_bucket{method=\"DELETE\",route=\"/source-connections/{id}\"");
    assert!(line("unweave_cleanups{state=\"scheduled\"}").ends_with(" 1"));
    assert!(line("unweave_cleanups{state=\"done\"}").ends_with(" 0"));
    assert!(!line("unweave_cleanup_oldest_open_age_seconds ").ends_with(" 0"));
    assert!(line("unweave_cleanups_by_status{status=\"waiting\",waiting_for=\"turn\"}").ends_with(" 1"));
    assert!(line("unweave_cleanup_oldest_failing_age_seconds ").ends_with(" 0"));
    assert!(line("unweave_outbox_messages ").ends_with(" 2"));
    line("unweave_outbox_oldest_age_seconds ");
}

#[tokio::test]
async fn the_log_has_one_line_a_request_with_id_route_and_organization() {
    let gateway = Gateway::start().await;
    let answer = gateway.api.get("/collections/unknown").await;
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let organization = gateway.api.get("/api-keys").await.ok()[0]["organization_id"].as_str().unwrap().to_owned();
    let log = gateway.service.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
    let [line] = lines[..] else { panic!("{lines:?}") };
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["route"], "/collections/{readable_id}");
    assert_eq!((line["method"].as_str(), line["status"].as_u64()), (Some("GET"), Some(404)));
    assert_eq!(line["organization"].as_str(), Some(organization.as_str()));
}

#[tokio::test]
async fn sigterm_ends_it_with_code_0() {
    let mut gateway = Gateway::start().await;
    gateway.api.collection().await;
    assert_eq!(gateway.service.terminate(Duration::from_secs(20)).await.code(), Some(0), "{}", gateway.service.tail());
}

#[tokio::test]
async fn without_authentication_it_listens_on_loopback_only() {
    let database = TestDatabase::create().await;
    let environment = environment(&database, &[("AUTH_ENABLED", "false"), ("LISTEN", "0.0.0.0:0")]);
    let mut service = Service::spawn("api-gateway", environment);
    assert_eq!(service.exited(START).await.code(), Some(2));
    assert!(service.log().contains("AUTH_ENABLED is false: LISTEN must be a loopback address"), "{}", service.tail());
}

#[tokio::test]
async fn the_configuration_is_judged_without_a_start() {
    let database = TestDatabase::create().await;
    let check = async |more: &[(&str, &str)]| {
        let mut service = Service::spawn_with("api-gateway", &["--check-config"], environment(&database, more));
        (service.exited(START).await.code(), service.log())
    };
    assert_eq!(check(&[]).await, (Some(0), "configuration is valid\n".to_owned()));
    let (code, line) = check(&[("INITIAL_API_KEY", "too-short")]).await;
    assert!(code == Some(2) && line.contains("INITIAL_API_KEY") && !line.contains("too-short"), "{line}");
}

#[tokio::test]
async fn it_waits_for_postgresql() {
    let database = TestDatabase::create().await;
    database.allow_connections(false).await;
    let mut service = crate::gateway::spawn(&database, &[]);
    service.expects.fault(Fault::PostgresAway);
    service.wait_until_logged("isn't ready; trying again", START).await;
    database.allow_connections(true).await;
    crate::gateway::addresses(&mut service).await;
}
