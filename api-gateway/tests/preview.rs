//! What a deletion would take along.

use serde_json::{Value, json};

use crate::gateway::{Gateway, field_order, text};

const RUNNING: &str = "UPDATE sync_job SET status = 'running', started_at = clock_timestamp(),
    lease_owner = gen_random_uuid(), lease_expires_at = clock_timestamp() + interval '1 hour'";

async fn preview(gateway: &Gateway, connection: &Value) -> Value {
    gateway.api.get(&format!("/source-connections/{}/deletion-preview", text(connection, "id"))).await.ok()
}

/// A text of everything in the database that a preview might touch.
async fn everything(gateway: &Gateway) -> String {
    let tables = ["source_connection", "sync", "sync_job", "entity", "credential", "cleanup", "collection"];
    let rows = tables.map(|table| format!("(SELECT string_agg(t::text, '|' ORDER BY t::text) FROM {table} t)"));
    // The relay works on the rows of the outbox meanwhile.
    let query = format!("SELECT concat_ws('#', {}, (SELECT count(*) FROM outbox))", rows.join(", "));
    gateway.database.client().await.query_one(&query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn it_counts_what_would_go_and_changes_nothing() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    let schedule = json!({"cron": "0 3 * * *"});
    let made = gateway.api.stub(&collection, json!({"sync_immediately": true, "schedule": schedule})).await;
    gateway.api.stub(&collection, json!({"name": "Another one"})).await;
    let before = everything(&gateway).await;
    let answer = gateway.api.get(&format!("/source-connections/{}/deletion-preview", text(&made, "id"))).await;
    assert_eq!(
        field_order(&answer.text),
        [
            "source_connection_id",
            "sync_id",
            "name",
            "readable_collection_id",
            "rows",
            "entities",
            "expected",
            "shredding",
            "out_of_reach",
            "purge",
            "active_job",
            "longest_wait_seconds",
            "schedule",
        ]
    );
    let shown = answer.ok();
    assert_eq!((&shown["source_connection_id"], &shown["sync_id"]), (&made["id"], &made["sync_id"]));
    assert_eq!(shown["rows"], json!({"jobs": 1, "entities": 0, "credentials": 1}));
    assert_eq!(shown["expected"], json!({"documents": 0, "blobs": 0}));
    assert_eq!((&shown["active_job"]["status"], &shown["longest_wait_seconds"]), (&json!("pending"), &json!(0.0)));
    assert_eq!(shown["schedule"]["cron"], "0 3 * * *");

    gateway.database.execute(RUNNING).await;
    gateway
        .database
        .execute(&format!(
            "INSERT INTO entity (sync_id, entity_key, entity_class, entity_id, document_type, chunk_count, file_name,
                                 seen_by_job)
             SELECT '{}', decode(lpad(to_hex(n), 32, '0'), 'hex'), CASE WHEN n = 1 THEN 'A' ELSE 'B' END, n::text,
                    'base_entity', n, CASE WHEN n = 3 THEN 'raw.txt' END, gen_random_uuid()
             FROM generate_series(1, 3) n",
            text(&made, "sync_id")
        ))
        .await;
    gateway.database.count_entities_anew().await;
    let running = everything(&gateway).await;
    let shown = preview(&gateway, &made).await;
    assert_eq!(shown["rows"]["entities"], 3);
    assert_eq!(
        (&shown["entities"]["total_entities"], &shown["entities"]["by_type"]["B"]["count"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(shown["expected"], json!({"documents": 6, "blobs": 5}), "a manifest, three entities, one raw file");
    assert_eq!((&shown["active_job"]["status"], &shown["longest_wait_seconds"]), (&json!("running"), &json!(15.0)));

    assert_ne!(before, running);
    assert_eq!(everything(&gateway).await, running, "no side effect");
}

#[tokio::test]
async fn there_is_none_of_what_is_not_there() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    let made = gateway.api.stub(&collection, json!({"schedule": {"cron": null}})).await;
    let shown = preview(&gateway, &made).await;
    assert!(shown["active_job"].is_null() && shown["schedule"].is_null());
    let path = format!("/source-connections/{}/deletion-preview", text(&made, "id"));
    let gone = "SourceConnection not found";
    gateway.other_organization().await.get(&path).await.refuses(404, gone);
    gateway.request_deletion("source_connection").await;
    gateway.api.get(&path).await.refuses(404, gone);
    assert_eq!(gateway.api.get("/source-connections/x/deletion-preview").await.status, 422);
}

#[tokio::test]
async fn it_says_what_would_be_unreadable_what_stays_out_of_reach_and_how_long_it_takes() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    let made = gateway.api.stub(&collection, json!({})).await;
    let sync = text(&made, "sync_id");
    let shown = preview(&gateway, &made).await;
    let shredding = |destroys, plain, unreadable| json!({"destroys_blob_key": destroys, "has_plain_blobs": plain, "makes_earlier_versions_unreadable": unreadable});
    assert_eq!(shown["shredding"], shredding(true, false, true));
    let of_versions = |shown: &Value| shown["out_of_reach"][0].to_string() + &shown["out_of_reach"][1].to_string();
    assert!(of_versions(&shown).contains("unreadable since their key went"), "{shown}");
    let unknown = json!({"documents_per_second": null, "seconds": null, "settle_seconds": null, "waits_for": null});
    assert_eq!(shown["purge"], unknown, "no cleanup-worker has told anything");

    gateway.database.execute(&format!("UPDATE sync SET has_plain_blobs = true WHERE id = '{sync}'")).await;
    gateway
        .database
        .execute(&format!(
            "INSERT INTO entity_count VALUES ('{sync}', 'E', 10, 3000, 0, now());
             UPDATE cleanup_rate SET measured_per_second = 1000;
             UPDATE cleanup_schedule SET settle_delay = '1 minute'"
        ))
        .await;
    let shown = preview(&gateway, &made).await;
    assert_eq!(shown["shredding"], shredding(true, true, false));
    assert!(of_versions(&shown).contains("may be readable"), "{shown}");
    gateway.database.execute("UPDATE cleanup_schedule SET purges_versions = true").await;
    let told = of_versions(&preview(&gateway, &made).await);
    assert!(told.contains("Copies that the object store keeps elsewhere") && !told.contains("Earlier"), "{told}");
    let known = json!({"documents_per_second": 1000.0, "seconds": 3.0, "settle_seconds": 60.0, "waits_for": null});
    assert_eq!(shown["purge"], known);

    gateway.database.execute("UPDATE cleanup_schedule SET documents_per_second = 100").await;
    assert_eq!(preview(&gateway, &made).await["purge"]["seconds"], 30.0, "the limit is slower than Vespa");
    gateway.database.execute("INSERT INTO cleanup_pause (organization_id) VALUES (NULL)").await;
    assert_eq!(preview(&gateway, &made).await["purge"]["waits_for"], "resume");

    // What other organizations have before them shows in nobody's forecast.
    gateway.database.execute("DELETE FROM cleanup_pause").await;
    let busy = |organization: &str| {
        format!(
            "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id,
                                  deletion_requested_at, entity_rows_deleted, writer_end, targets, progress)
             SELECT gen_random_uuid(), gen_random_uuid(), {organization}, gen_random_uuid(), gen_random_uuid(), now(), 0,
                    'acknowledged', '{{vespa,arf}}', '{{\"vespa\": {{\"found\": 9000, \"removed\": 0, \"rounds\": 1}}}}'"
        )
    };
    gateway.database.execute(&busy("gen_random_uuid()")).await;
    assert_eq!(preview(&gateway, &made).await["purge"]["waits_for"], Value::Null);
    gateway.database.execute(&busy(&format!("'{}'", text(&made, "organization_id")))).await;
    assert_eq!(preview(&gateway, &made).await["purge"]["waits_for"], "turn");
}
