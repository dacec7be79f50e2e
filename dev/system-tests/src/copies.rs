//! Many connections for benches: copies of one in rows alone, with ids that follow from a number.

use std::ops::Range;

use test_support::TestDatabase;

/// Entities of each copy.
pub const ENTITIES_EACH: usize = 20;
/// Jobs of each copy, all of them ended.
pub const JOBS_EACH: usize = 3;

/// The first eight digits of every copy's connection id.
pub const CONNECTION: &str = "00000000";
/// The first eight digits of every copy's sync id.
pub const SYNC: &str = "00000001";
/// What stands between these and the number's twelve digits.
pub const MIDDLE: &str = "-0000-4000-8000-";

/// A copy's connection id.
#[must_use]
pub fn connection(number: usize) -> String {
    format!("{CONNECTION}{MIDDLE}{number:012}")
}

/// Copies the one connection that is no copy, credentials included; each copy is idle.
pub async fn make(database: &TestDatabase, numbers: Range<usize>) {
    let client = database.client().await;
    let columns = "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
                   WHERE table_name = 'source_connection' AND column_name NOT IN ('id', 'created_at', 'name')";
    let rest: String = client.query_one(columns, &[]).await.unwrap().get(0);
    let (first, last) = (numbers.start, numbers.end - 1);
    let id = |kind: &str| format!("('{kind}{MIDDLE}' || lpad(n::text, 12, '0'))::uuid");
    let (connection, sync) = (id(CONNECTION), id(SYNC));
    let series = format!("generate_series({first}, {last}) n");
    let original = format!("SELECT * FROM source_connection WHERE id::text NOT LIKE '{CONNECTION}-%' LIMIT 1");
    let copies = format!(
        "CREATE TEMPORARY TABLE original AS {original};
         INSERT INTO source_connection (id, created_at, name, {rest})
         SELECT {connection}, clock_timestamp() - make_interval(secs => n), 'Connection ' || n, {rest}
         FROM original, {series};
         INSERT INTO credential (id, source_connection_id, key_id, nonce, ciphertext)
         SELECT gen_random_uuid(), {connection}, c.key_id, c.nonce, c.ciphertext
         FROM credential c JOIN original o ON o.id = c.source_connection_id, {series};
         INSERT INTO sync (id, source_connection_id) SELECT {sync}, {connection} FROM {series};
         INSERT INTO sync_job (id, sync_id, status, job_end, created_at, started_at, completed_at, entities_inserted)
         SELECT gen_random_uuid(), {sync}, 'completed', 'acknowledged', clock_timestamp() - make_interval(days => day),
                clock_timestamp(), clock_timestamp(), {ENTITIES_EACH}
         FROM {series}, generate_series(1, {JOBS_EACH}) day;
         INSERT INTO entity (sync_id, entity_key, entity_class, entity_id, document_type, content_hash, chunk_count,
                             seen_by_job)
         SELECT {sync}, decode(md5({sync}::text || e), 'hex'), 'SmallStubEntity', 'small-' || e, 'base_entity', '\\x00',
                1, gen_random_uuid()
         FROM {series}, generate_series(1, {ENTITIES_EACH}) e"
    );
    client.batch_execute(&copies).await.unwrap();
    database.count_entities_anew().await;
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
}
