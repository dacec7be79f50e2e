//! Schedules of connections: defaults, refusals, and the next run as it is stored and shown.

use serde_json::{Value, json};
use test_support::wait_until;

use crate::gateway::{Gateway, START, stub_body, text};

const NEXT_RUN: &str = "to_char(next_run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";

/// Connections whose stored next run is in the future and satisfies `condition`.
async fn planned(gateway: &Gateway, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM source_connection WHERE next_run_at > clock_timestamp() AND ({condition})");
    gateway.database.count(&sql).await
}

/// A connection of the source that runs from a cursor.
fn incremental_body(collection: &str, more: Value) -> Value {
    let mut body = stub_body(collection, json!({"short_name": "incremental_stub"}));
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn without_a_schedule_a_connection_runs_daily_or_every_five_minutes() {
    let gateway = Gateway::start().await;
    let (api, collection) = (&gateway.api, gateway.api.collection().await);
    for more in [json!({}), json!({"schedule": null})] {
        let schedule = api.stub(&collection, more.clone()).await["schedule"].clone();
        let cron = text(&schedule, "cron");
        let fields: Vec<&str> = cron.split(' ').collect();
        assert_eq!((fields.len(), &fields[2..]), (5, ["*"; 3].as_slice()), "{cron}");
        let at = format!("T{:0>2}:{:0>2}:00Z", fields[1], fields[0]);
        assert!(text(&schedule, "next_run").ends_with(&at), "{schedule}");
        let made = api.post("/source-connections", incremental_body(&collection, more)).await.ok();
        assert_eq!(made["schedule"]["cron"], "*/5 * * * *");
    }
    let within = async |interval: &str| {
        let sql =
            "SELECT count(*) FROM source_connection WHERE next_run_at > created_at AND next_run_at - created_at <";
        gateway.database.count(&format!("{sql} interval '{interval}'")).await
    };
    assert_eq!((within("1 day 1 minute").await, within("6 minutes").await), (4, 2));
}

#[tokio::test]
async fn a_schedule_with_null_for_cron_is_none() {
    let gateway = Gateway::start().await;
    let (api, collection) = (&gateway.api, gateway.api.collection().await);
    for sync_immediately in [false, true] {
        let more = json!({"schedule": {"cron": null}, "sync_immediately": sync_immediately});
        assert!(api.stub(&collection, more).await["schedule"].is_null());
    }
    assert_eq!(gateway.database.count("SELECT count(*) FROM source_connection WHERE next_run_at IS NULL").await, 2);
}

#[tokio::test]
async fn what_a_source_cannot_follow_and_what_is_no_cron_is_refused() {
    let gateway = Gateway::start().await;
    let (api, collection) = (&gateway.api, gateway.api.collection().await);
    let path = format!("/source-connections/{}", text(&api.stub(&collection, json!({})).await, "id"));
    let create = async |cron: &str| {
        api.post("/source-connections", stub_body(&collection, json!({"schedule": {"cron": cron}}))).await
    };
    let change = async |cron: &str| api.patch(&path, json!({"schedule": {"cron": cron}})).await;
    let slow = "Source 'stub' does not support continuous syncs.";
    for cron in ["* * * * *", "*/5 * * * *", "*/30 * * * *", "0,30 * * * *", "10-20 4 * * *"] {
        create(cron).await.refuses(400, &format!("{slow} Minimum interval is 1 hour."));
        let detail = format!("{slow} Minimum schedule interval is 1 hour (e.g., '0 * * * *' for hourly).");
        change(cron).await.refuses(400, &detail);
        let made =
            api.post("/source-connections", incremental_body(&collection, json!({"schedule": {"cron": cron}}))).await;
        assert_eq!(made.ok()["schedule"]["cron"], cron);
    }
    for cron in ["invalid cron expression", "60 * * * *", "* * * * * *", "0 0 31 2 *", "@often"] {
        let told = format!(
            "Invalid CRON expression: {cron}. Send five fields of a time that comes (minute 0-59, hour 0-23, day of the \
             month 1-31, month 1-12, day of the week 0-7; UTC), for example '0 9 * * 1-5'"
        );
        create(cron).await.refuses(422, &told);
        change(cron).await.refuses(422, &told);
    }
    change("").await.faults("body.schedule.cron", "String should have at least 1 character");
    for cron in ["0 * * * *", "@hourly", "15 3 * * MON-FRI", "0 0 L * *"] {
        assert_eq!(create(cron).await.ok()["schedule"]["cron"], cron);
        assert_eq!(change(cron).await.ok()["schedule"]["cron"], cron);
    }
}

#[tokio::test]
async fn the_next_run_is_stored_moves_with_the_cron_and_goes_with_it() {
    let gateway = Gateway::start().await;
    let (api, collection) = (&gateway.api, gateway.api.collection().await);
    let made = api.stub(&collection, json!({"schedule": {"cron": "30 14 29 2 *"}})).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    let shown = async || api.get(&path).await.ok()["schedule"].clone();
    let first = text(&made["schedule"], "next_run");
    assert!(first.ends_with("T14:30:00Z"), "{first}");
    assert_eq!(
        (text(&shown().await, "next_run"), planned(&gateway, &format!("{NEXT_RUN} = '{first}'")).await),
        (first, 1)
    );

    let moved = api.patch(&path, json!({"schedule": {"cron": "45 10 29 2 *"}})).await.ok();
    let second = text(&moved["schedule"], "next_run");
    assert!(second.ends_with("T10:45:00Z"), "{second}");
    assert_eq!(planned(&gateway, &format!("{NEXT_RUN} = '{second}'")).await, 1);
    let renamed = api.patch(&path, json!({"name": "Another name"})).await.ok();
    assert_eq!(renamed["schedule"], moved["schedule"]);

    for removed in [json!(null), json!({"cron": null}), json!({})] {
        assert!(api.patch(&path, json!({"schedule": removed})).await.ok()["schedule"].is_null());
        assert_eq!((shown().await, planned(&gateway, "true").await), (Value::Null, 0));
        let again = api.patch(&path, json!({"schedule": {"cron": "45 10 29 2 *"}})).await.ok();
        assert_eq!(again["schedule"], moved["schedule"]);
    }
}

#[tokio::test]
async fn a_changed_or_removed_cron_keeps_what_else_the_schedule_says() {
    let gateway = Gateway::start().await;
    let (api, collection) = (&gateway.api, gateway.api.collection().await);
    let given = json!({"schedule": {"cron": "0 3 * * *", "continuous": true, "cursor_field": "updated_at"}});
    let made = api.stub(&collection, given).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    let rest = |schedule: &Value| (schedule["continuous"].clone(), schedule["cursor_field"].clone());
    let kept = (json!(true), json!("updated_at"));
    assert_eq!(rest(&made["schedule"]), kept);
    assert!(api.patch(&path, json!({"schedule": null})).await.ok()["schedule"].is_null());
    let hourly = api.patch(&path, json!({"schedule": {"cron": "0 * * * *"}})).await.ok();
    assert_eq!(rest(&hourly["schedule"]), kept);
    let named = json!({"schedule": {"cron": "0 * * * *", "continuous": false, "cursor_field": null}});
    assert_eq!(rest(&api.patch(&path, named).await.ok()["schedule"]), (json!(false), json!(null)));
}

#[tokio::test]
async fn a_schedule_that_waits_for_credentials_has_no_next_run_until_they_are_replaced() {
    let gateway = Gateway::start().await;
    let (api, collection) = (&gateway.api, gateway.api.collection().await);
    let made = api.stub(&collection, json!({"sync_immediately": true})).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    let refused = "UPDATE sync_job SET status = 'failed', job_end = 'acknowledged', error = 'refused',
                   error_category = 'api_key_invalid', started_at = clock_timestamp(), completed_at = clock_timestamp()";
    gateway.database.arrange(refused).await;
    let held_back = api.get(&path).await.ok();
    assert_eq!((&held_back["status"], &held_back["schedule"]["next_run"]), (&json!("needs_reauth"), &Value::Null));
    assert_eq!(held_back["schedule"]["cron"], made["schedule"]["cron"]);
    let credentials = json!({"authentication": {"credentials": {"stub_key": "another"}}});
    let replaced = api.patch(&path, credentials).await.ok();
    assert_eq!(replaced["schedule"], made["schedule"]);
}

#[tokio::test]
async fn a_schedule_that_nobody_fires_shows_since_when_and_the_metrics_how_long() {
    let gateway = Gateway::start().await;
    let (api, collection) = (&gateway.api, gateway.api.collection().await);
    let path = format!("/source-connections/{}", text(&api.stub(&collection, json!({})).await, "id"));
    let past =
        "UPDATE source_connection SET next_run_at = date_trunc('second', clock_timestamp()) - interval '2 hours'";
    gateway.database.execute(past).await;
    let schedule = api.get(&path).await.ok()["schedule"].clone();
    let due = format!("SELECT count(*) FROM source_connection WHERE {NEXT_RUN} = '{}'", text(&schedule, "next_run"));
    assert_eq!(gateway.database.count(&due).await, 1);
    let overdue = async || {
        let metrics = reqwest::get(format!("{}/metrics", gateway.admin)).await.unwrap().text().await.unwrap();
        let value = metrics.lines().find_map(|line| line.strip_prefix("unweave_schedule_overdue_seconds "));
        value.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
    };
    wait_until("the gauge tells it", START, async || (7_200.0..7_300.0).contains(&overdue().await)).await;
}
