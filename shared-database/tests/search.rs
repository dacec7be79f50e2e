//! Which syncs a search may show, and what finding out costs.

use serde_json::Value;
use shared_database::search::{LIVE_SYNCS, STILL_LIVE};
use shared_models::{CollectionId, SyncId};

use crate::fixture::Fixture;

/// Connections in other collections.
const ELSEWHERE: u32 = 20_000;

#[tokio::test]
async fn del_3_live_are_those_of_which_nothing_is_being_deleted() {
    let fixture = Fixture::new().await;
    let ((one, one_sync), (two, two_sync)) = (fixture.connection().await, fixture.connection().await);
    let other = CollectionId::random();
    fixture.add_collection(other).await;
    let (three, three_sync) = fixture.connection_in(other).await;
    let live = async |only| fixture.database.live_syncs(fixture.collection, only).await.unwrap();
    let mut both = vec![one_sync, two_sync];
    both.sort();
    assert_eq!(live(None).await, both);
    let some = [two, three];
    assert_eq!(live(Some(&some[..])).await, [two_sync], "a connection elsewhere adds nothing");
    assert_eq!(live(Some(&some[..0])).await, []);
    let all = [one_sync, two_sync, three_sync, SyncId::random()];
    assert_eq!(fixture.database.still_live(&all).await.unwrap().len(), 3);

    let mark = "SET deletion_requested_at = clock_timestamp(), deletion_request_id = gen_random_uuid()";
    fixture.sql(&format!("UPDATE source_connection {mark} WHERE id = '{one}'")).await;
    fixture.sql(&format!("UPDATE collection {mark} WHERE id = '{other}'")).await;
    assert_eq!(live(None).await, [two_sync]);
    assert_eq!(fixture.database.live_syncs(other, None).await.unwrap(), []);
    assert_eq!(fixture.database.still_live(&all).await.unwrap(), [two_sync]);
}

/// The blocks that a prepared statement touches, in memory or not, planned for its arguments or once for all.
async fn blocks(fixture: &Fixture, plan: &str, types: &str, statement: &str, arguments: &str) -> i64 {
    let client = fixture.test_database.client().await;
    let prepare = format!("SET plan_cache_mode = {plan}; PREPARE asked ({types}) AS {statement}");
    client.batch_execute(&prepare).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE asked ({arguments})");
    let plan: Value = client.query_one(&explain, &[]).await.unwrap().get(0);
    let count = |name: &str| plan[0]["Plan"][name].as_i64().unwrap();
    count("Shared Hit Blocks") + count("Shared Read Blocks")
}

async fn costs(fixture: &Fixture, syncs: &[SyncId]) -> Vec<i64> {
    fixture.sql("ANALYZE").await;
    let syncs = syncs.iter().map(SyncId::to_string).collect::<Vec<_>>().join(",");
    let (collection, syncs) = (format!("'{}', NULL", fixture.collection), format!("'{{{syncs}}}'"));
    let mut costs = Vec::new();
    for plan in ["force_custom_plan", "force_generic_plan"] {
        costs.push(blocks(fixture, plan, "uuid, uuid[]", LIVE_SYNCS, &collection).await);
        costs.push(blocks(fixture, plan, "uuid[]", STILL_LIVE, &syncs).await);
    }
    costs
}

#[tokio::test]
async fn a_search_costs_what_its_own_collection_has() {
    let fixture = Fixture::new().await;
    let mut syncs = Vec::new();
    for _ in 0..10 {
        syncs.push(fixture.connection().await.1);
    }
    fill_elsewhere(&fixture, 1_000).await;
    let before = costs(&fixture, &syncs).await;
    fill_elsewhere(&fixture, ELSEWHERE).await;
    let after = costs(&fixture, &syncs).await;
    // Each look-up of an index may need a block more where the index has grown by a level.
    let allowed = |before: i64| before + 3 * 10 + 10;
    let is_allowed = before.iter().zip(&after).all(|(before, after)| *after <= allowed(*before));
    assert!(is_allowed, "{before:?} blocks became {after:?}");
    let table = fixture.count("pg_class WHERE relname = 'source_connection' AND relpages > 300").await;
    assert_eq!(table, 1, "reading the table would have shown");
    assert_eq!(fixture.database.live_syncs(fixture.collection, None).await.unwrap().len(), 10);
}

/// Connections with syncs in a hundred other collections.
async fn fill_elsewhere(fixture: &Fixture, count: u32) {
    let organization = fixture.organization;
    fixture
        .sql(&format!(
            "WITH k AS (INSERT INTO collection (id, organization_id, name, readable_id)
                        SELECT gen_random_uuid(), '{organization}', 'Other', 'other-' || gen_random_uuid()
                        FROM generate_series(1, 100) RETURNING id),
                  numbered AS (SELECT id, row_number() OVER () AS n FROM k)
             INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config, auth_method,
                                            is_authenticated)
             SELECT gen_random_uuid(), '{organization}', k.id, 'stub', 'Stub', '{{}}', 'direct', true
             FROM generate_series(1, {count}) c JOIN numbered k ON k.n = c % 100 + 1"
        ))
        .await;
    fixture
        .sql(
            "INSERT INTO sync (id, source_connection_id) SELECT gen_random_uuid(), c.id FROM source_connection c
             WHERE NOT EXISTS (SELECT FROM sync s WHERE s.source_connection_id = c.id)",
        )
        .await;
}
