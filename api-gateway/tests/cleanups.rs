//! The list of cleanups: its filters, its pages, and what it refuses.

use serde_json::{Value, json};

use crate::gateway::{Api, Gateway};

/// The ids of the connections whose cleanups are on this page.
fn connections(page: &Value) -> Vec<&str> {
    page.as_array().unwrap().iter().map(|cleanup| cleanup["source_connection_id"].as_str().unwrap()).collect()
}

/// Deletes `count` connections; their ids, the last one first.
async fn delete(api: &Api, collection: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let made = api.stub(collection, json!({})).await;
        let id = made["id"].as_str().unwrap().to_owned();
        assert_eq!(api.delete(&format!("/source-connections/{id}")).await.status, 200);
        ids.insert(0, id);
    }
    ids
}

#[tokio::test]
async fn pages_lead_from_one_to_the_next_and_miss_nothing() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let deleted = delete(api, &collection, 5).await;
    // Made in one statement, as those of a collection are: the place of each is told by its id as well.
    gateway.database.execute("UPDATE cleanup SET created_at = '2026-11-29T12:00:00Z'").await;
    let (mut seen, mut next) = (Vec::new(), Some("/cleanups?limit=2&state=scheduled".to_owned()));
    let mut pages = 0;
    while let Some(path) = next {
        let page = api.get(&path).await;
        next = page.headers.get("link").map(|link| {
            let link = link.to_str().unwrap();
            link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned()
        });
        seen.extend(connections(&page.ok()).into_iter().map(str::to_owned));
        pages += 1;
        assert!(pages <= 3, "{next:?}");
    }
    let sorted = |mut ids: Vec<String>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!((pages, sorted(seen)), (3, sorted(deleted)));
}

#[tokio::test]
async fn cleanups_are_found_by_connection_collection_state_and_time() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let deleted = delete(api, &collection, 2).await;
    let other = delete(api, &api.collection().await, 1).await;
    let id = api.get(&format!("/collections/{collection}")).await.ok()["id"].as_str().unwrap().to_owned();
    let first =
        format!("UPDATE cleanup SET created_at = '2020-02-03T04:05:06Z' WHERE source_connection_id = '{}'", deleted[1]);
    gateway.database.execute(&first).await;
    for (query, expected) in [
        (format!("source_connection_id={}", deleted[0]), vec![&deleted[0]]),
        (format!("collection_id={id}"), vec![&deleted[0], &deleted[1]]),
        ("state=scheduled".to_owned(), vec![&other[0], &deleted[0], &deleted[1]]),
        ("state=done".to_owned(), vec![]),
        ("until=2020-02-04".to_owned(), vec![&deleted[1]]),
        ("since=2020-02-03T04:05:06Z&until=2020-02-03T04:05:06Z".to_owned(), vec![]),
        ("since=2020-02-03T04:05:07Z".to_owned(), vec![&other[0], &deleted[0]]),
        (format!("since=2020-02-03T06:05:06+02:00&collection_id={id}&until=2021-01-01"), vec![&deleted[1]]),
    ] {
        let page = api.get(&format!("/cleanups?{query}")).await;
        assert!(page.headers.get("link").is_none(), "{query}");
        assert_eq!(connections(&page.ok()), expected, "{query}");
    }
}

/// What the API says of how a cleanup stands.
fn standing(cleanup: &Value) -> [&Value; 6] {
    ["status", "waiting_for", "failing_since", "attempts", "error_code", "error_text"].map(|name| &cleanup[name])
}

#[tokio::test]
async fn how_a_cleanup_stands_is_shown_and_found() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let connection = &delete(api, &api.collection().await, 1).await[0];
    delete(api, &api.collection().await, 1).await;
    let id = api.get(&format!("/cleanups?source_connection_id={connection}")).await.ok()[0]["id"].clone();
    let id = id.as_str().unwrap();
    let since = "2026-11-29T12:00:00Z";
    let failing =
        format!("attempts = 3, failing_since = '{since}', error_code = 'vespa_unavailable', error_text = 'no'");
    let hour = "clock_timestamp() + interval '1 hour'";
    for (columns, expected) in [
        ("state = 'scheduled'".to_owned(), json!(["waiting", "turn", null, 0, null, null])),
        (
            format!("state = 'settling', next_attempt_at = {hour}"),
            json!(["waiting", "settle_delay", null, 0, null, null]),
        ),
        (format!("state = 'purging', claim_expires_at = {hour}"), json!(["working", null, null, 0, null, null])),
        (
            format!("state = 'scheduled', {failing}, next_attempt_at = {hour}"),
            json!(["failing", null, since, 3, "vespa_unavailable", "no"]),
        ),
        (
            "state = 'done', attempts = 0, error_code = NULL, error_text = NULL".to_owned(),
            json!(["done", null, null, 0, null, null]),
        ),
        ("state = 'refused'".to_owned(), json!(["refused", null, null, 0, null, null])),
    ] {
        gateway.database.arrange(&format!("UPDATE cleanup SET {columns} WHERE id = '{id}'")).await;
        let shown = api.get(&format!("/cleanups/{id}")).await.ok();
        assert_eq!(json!(standing(&shown)), expected, "{columns}");
        let status = expected[0].as_str().unwrap();
        let found = api.get(&format!("/cleanups?status={status}")).await.ok();
        let found = found.as_array().unwrap().iter().find(|cleanup| cleanup["id"] == id);
        assert_eq!(found, Some(&shown), "{status}");
        for other in
            ["waiting", "working", "failing", "paused", "done", "refused"].iter().filter(|other| **other != status)
        {
            let page = api.get(&format!("/cleanups?status={other}")).await.ok();
            assert!(page.as_array().unwrap().iter().all(|cleanup| cleanup["id"] != id), "{other}");
        }
    }
    let now = "extract(epoch FROM (now() AT TIME ZONE 'UTC')::time)::int";
    let closed = format!("INSERT INTO cleanup_hours VALUES (({now} + 600) % 86400, ({now} + 1200) % 86400)");
    gateway.database.execute(&closed).await;
    let waits_for = async |what: &str| {
        let waiting = api.get("/cleanups?status=waiting").await.ok();
        assert!(waiting.as_array().unwrap().iter().all(|cleanup| standing(cleanup)[1] == what), "{waiting}");
        !waiting.as_array().unwrap().is_empty()
    };
    assert!(waits_for("turn").await, "a look removes nothing");
    gateway.database.arrange("UPDATE cleanup SET next_work = 'purge'").await;
    assert!(waits_for("hours").await);
    let hurry = "UPDATE cleanup_schedule SET hurries_after = '18 hours'; UPDATE cleanup SET opened_at = now() - interval '1 day'";
    gateway.database.arrange(hurry).await;
    assert!(waits_for("turn").await, "one that is late waits for no hours");
    gateway.database.execute("INSERT INTO cleanup_pause (organization_id) VALUES (NULL)").await;
    assert!(!waits_for("nothing").await);
    let paused = api.get("/cleanups?status=paused").await.ok();
    assert_eq!(json!(standing(&paused[0])), json!(["paused", null, null, 0, null, null]));
}

/// What the API says of a cleanup and its deadline.
fn urgency(cleanup: &Value) -> Value {
    json!(["deadline_at", "hurries", "is_overdue"].map(|name| &cleanup[name]))
}

#[tokio::test]
async fn how_a_cleanup_stands_against_its_deadline_is_shown_and_found() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let connection = &delete(api, &api.collection().await, 1).await[0];
    let shown = async || api.get(&format!("/cleanups?source_connection_id={connection}")).await.ok()[0].clone();
    assert_eq!(urgency(&shown().await), json!([null, false, false]), "there is no deadline");
    let deadline = "UPDATE cleanup_schedule SET hurries_after = '18 hours', deadline = '24 hours'";
    gateway.database.execute(deadline).await;
    let opened = |at: &str| format!("UPDATE cleanup SET opened_at = {at}");
    gateway.database.arrange(&opened("'2026-01-02T03:04:05.678901Z'")).await;
    assert_eq!(shown().await["deadline_at"], "2026-01-03T03:04:05.678901Z");
    let pause = "INSERT INTO cleanup_pause (organization_id) VALUES (NULL)";
    for (arranged, has_deadline, hurries, is_overdue) in [
        (opened("clock_timestamp() - interval '17 hours'").as_str(), true, false, false),
        (&opened("clock_timestamp() - interval '19 hours'"), true, true, false),
        (&opened("clock_timestamp() - interval '25 hours'"), true, true, true),
        (pause, true, false, true),
        ("DELETE FROM cleanup_pause; UPDATE cleanup SET state = 'purging'", true, true, true),
        ("UPDATE cleanup SET state = 'done', completed_at = clock_timestamp()", false, false, false),
        ("UPDATE cleanup SET state = 'refused'", false, false, false),
    ] {
        gateway.database.arrange(arranged).await;
        let cleanup = shown().await;
        assert_eq!(cleanup["deadline_at"].is_string(), has_deadline, "{arranged}");
        assert_eq!((&cleanup["hurries"], &cleanup["is_overdue"]), (&json!(hurries), &json!(is_overdue)), "{arranged}");
        let one = api.get(&format!("/cleanups/{}", cleanup["id"].as_str().unwrap())).await.ok();
        assert_eq!(urgency(&one), urgency(&cleanup), "{arranged}");
        for asked in [true, false] {
            let found = api.get(&format!("/cleanups?is_overdue={asked}")).await.ok();
            assert_eq!(!connections(&found).is_empty(), asked == is_overdue, "{arranged}, {asked}");
        }
    }
}

#[tokio::test]
async fn what_is_no_filter_is_refused_and_never_passed_over() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let known = "'status', 'state', 'is_overdue', 'source_connection_id', 'collection_id', 'deletion_reference', 'since', \
                 'until', 'skip', 'limit' or 'cursor'";
    let unknown = format!("Unknown parameter: it is one of {known}");
    api.get("/cleanups?source_connection=1").await.faults("query.source_connection", &unknown);
    let states = "Input should be 'scheduled', 'purging', 'settling', 'done' or 'refused'";
    api.get("/cleanups?state=finished").await.faults("query.state", states);
    let statuses = "Input should be 'waiting', 'working', 'failing', 'paused', 'done' or 'refused'";
    api.get("/cleanups?status=scheduled").await.faults("query.status", statuses);
    let times = "Input should be a time or a day, such as 2026-11-29T12:00:00Z or 2026-11-29";
    api.get("/cleanups?since=yesterday").await.faults("query.since", times);
    let flag = "Input should be a valid boolean, unable to interpret input";
    api.get("/cleanups?is_overdue=late").await.faults("query.is_overdue", flag);
    api.get("/cleanups?cursor=x").await.faults("query.cursor", "Input should be the cursor of a Link header");
    let twice = "Value error, the parameter is given more than once";
    api.get("/cleanups?status=done&status=failing").await.faults("query.status", twice);
    let none = "Unknown parameter: none is taken here";
    let id = "00000000-0000-4000-8000-000000000000";
    for path in
        ["cleanups/{id}", "cleanups/{id}/receipt", "cleanups/{id}/events", "source-connections/{id}/deletion-preview"]
    {
        api.get(&format!("/{}?wait=1", path.replace("{id}", id))).await.faults("query.wait", none);
    }
}
