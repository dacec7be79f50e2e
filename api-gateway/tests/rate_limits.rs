//! Rate limits as clients meet them. The window itself is tested where it is decided, in shared-database.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::json;

use crate::gateway::{Answer, Gateway, KEY, answer, text};

/// `RateLimit-Limit`, `-Remaining` and `-Reset`.
#[track_caller]
fn quota(answer: &Answer) -> (i64, i64, i64) {
    let header = |name: &str| answer.headers[name].to_str().unwrap().parse().unwrap();
    (header("ratelimit-limit"), header("ratelimit-remaining"), header("ratelimit-reset"))
}

fn says_nothing_of_a_limit(answer: &Answer) -> bool {
    !answer.headers.keys().any(|name| name.as_str().starts_with("ratelimit"))
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

impl Gateway {
    /// Lets seconds pass for the counted requests.
    async fn pass(&self, seconds: u32) {
        let earlier = format!(
            "UPDATE rate_limit SET admitted_at =
                 ARRAY(SELECT t - interval '{seconds} s' FROM unnest(admitted_at) t ORDER BY t)"
        );
        self.database.execute(&earlier).await;
    }
}

#[tokio::test]
async fn every_authenticated_answer_tells_of_the_limit_whatever_its_status() {
    let gateway = Gateway::start().await;
    let (api, _) = gateway.organization_on("pro").await;
    let mut left = 100;
    for (method, path, body, status) in [
        (Method::GET, "/collections", None, 200),
        (Method::GET, "/source-connections/0f0e0d0c-0b0a-4908-8706-050403020100", None, 404),
        (Method::GET, "/source-connections?limit=0", None, 422),
        (Method::POST, "/collections", Some(json!({"name": "abc"})), 422),
        (Method::DELETE, "/collections/unknown", None, 404),
    ] {
        left -= 1;
        let answer = api.send(method, path, body).await;
        let (limit, remaining, reset) = quota(&answer);
        assert_eq!((answer.status.as_u16(), limit, remaining), (status, 100, left), "{path}");
        assert!((now() + 50..=now() + 61).contains(&reset), "the first request counts for a minute");
    }
    gateway.service.expects.event("request failed");
    gateway.database.execute("ALTER TABLE collection RENAME COLUMN name TO gone").await;
    let failed = api.get("/collections").await;
    assert_eq!((failed.status.as_u16(), quota(&failed).1), (500, left - 1));
}

#[tokio::test]
async fn an_answer_without_authentication_says_nothing_and_counts_nothing() {
    let gateway = Gateway::start().await;
    let (api, _) = gateway.organization_on("developer").await;
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let request = api.request(Method::GET, path);
        answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    let other = "0f0e0d0c-0b0a-4908-8706-050403020100";
    for (path, headers, status) in [
        ("/health", &[("x-api-key", api.key.as_str())][..], 200),
        ("/collections", &[], 401),
        ("/collections", &[("x-api-key", "nonsense")], 403),
        ("/collections", &[("x-api-key", &api.key), ("x-organization-id", other)], 403),
        ("/nonsense", &[("x-api-key", &api.key)], 404),
    ] {
        let answer = ask(path, headers).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(says_nothing_of_a_limit(&answer), "{path}: {answer:?}");
    }
    assert_eq!(gateway.database.count("SELECT count(*) FROM rate_limit").await, 0);
    let malformed = ask("/collections", &[("x-api-key", &api.key), ("x-organization-id", "x")]).await;
    assert_eq!((malformed.status.as_u16(), quota(&malformed).1), (422, 9));
}

#[tokio::test]
async fn over_the_limit_is_429_until_the_time_that_it_names() {
    let gateway = Gateway::start().await;
    let (api, _) = gateway.organization_on("developer").await;
    for left in (0..10).rev() {
        assert_eq!(quota(&api.get("/collections").await).1, left);
    }
    gateway.pass(18).await;
    let refused = api.get("/collections").await;
    let wait: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((30..=42).contains(&wait), "{wait}");
    refused.refuses(429, &format!("Rate limit exceeded. Try again in {wait} seconds."));
    let (limit, remaining, reset) = quota(&refused);
    assert_eq!((limit, remaining), (10, 0));
    assert!((reset - now() - i64::from(wait)).abs() <= 2);
    // Refused requests don't count: the time stands however often the client asks.
    for _ in 0..20 {
        assert_eq!(api.post("/collections", json!({"name": "Refused"})).await.status, 429);
    }
    gateway.pass(wait).await;
    assert_eq!(api.get("/collections").await.ok(), json!([]), "and nothing was done meanwhile");
    // Another organization's requests are its own.
    assert_eq!(gateway.api.get("/collections").await.status, 200);
}

#[tokio::test]
async fn gateways_count_together() {
    let first = Gateway::start().await;
    let (api, _) = first.organization_on("developer").await;
    let (second, _service) = first.beside(&[]).await;
    let second = second.with_key(&api.key);
    let asked = (0..40).map(|at| if at % 2 == 0 { api.get("/sources") } else { second.get("/sources") });
    let answers = futures::future::join_all(asked).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(429)), (10, 30));
}

#[tokio::test]
async fn the_first_organization_has_no_limit_and_a_plan_counts_from_the_next_request_on() {
    let gateway = Gateway::start().await;
    for _ in 0..15 {
        assert_eq!(gateway.api.get("/sources").await.status, 200);
    }
    let (limit, remaining, reset) = quota(&gateway.api.get("/sources").await);
    assert_eq!((limit, remaining), (9999, 9999));
    assert!((reset - now()).abs() <= 2);
    let organization = text(&gateway.api.get("/api-keys").await.ok()[0], "organization_id");
    for (plan, most) in [("developer", 10), ("team", 250), ("enterprise", 9999), ("pro", 100)] {
        gateway.operation(&["organizations", "set-plan", &organization, plan]).await;
        assert_eq!(quota(&gateway.api.get("/sources").await).0, most, "{plan}");
    }
}

#[tokio::test]
async fn limits_can_be_switched_off() {
    let gateway = Gateway::start_with(&[("DISABLE_RATE_LIMIT", "true")]).await;
    let (api, _) = gateway.organization_on("developer").await;
    for _ in 0..12 {
        assert_eq!(quota(&api.get("/sources").await).0, 9999);
    }
    assert_eq!(gateway.database.count("SELECT count(*) FROM rate_limit").await, 0);
}

#[tokio::test]
async fn without_authentication_nobody_is_limited() {
    let gateway = Gateway::start_with(&[("AUTH_ENABLED", "false")]).await;
    gateway.database.execute("UPDATE organization SET plan = 'developer'").await;
    for _ in 0..12 {
        let answer = answer(gateway.api.request(Method::GET, "/sources").header("x-api-key", KEY)).await;
        assert_eq!((answer.status.as_u16(), quota(&answer).0), (200, 9999));
    }
}

#[tokio::test]
async fn the_last_admitted_request_is_done_whole() {
    let gateway = Gateway::start().await;
    let (api, _) = gateway.organization_on("developer").await;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({})).await;
    for _ in 2..9 {
        api.get("/sources").await.ok();
    }
    let path = format!("/source-connections/{}", text(&made, "id"));
    let deleted = api.delete(&path).await;
    assert_eq!((deleted.status.as_u16(), quota(&deleted).1), (200, 0));
    assert_eq!(api.delete(&path).await.status, 429);
}
