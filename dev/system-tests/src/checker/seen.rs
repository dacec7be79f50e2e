//! Every sync that the database has ever seen, and what it holds of each.

use std::time::Duration;

use shared_models::{CleanupState, PurgeTarget};
use tokio_postgres::{Client, Row};

/// One sync.
pub(super) struct Seen {
    pub(super) id: String,
    /// Whether it has a row.
    pub(super) is_live: bool,
    /// Rows of it, and of its connection, in every table.
    pub(super) rows: u64,
    pub(super) active_jobs: u64,
    /// Documents of its settled entities.
    pub(super) documents: u64,
    /// Blobs of its settled entities.
    pub(super) blobs: u64,
    /// Messages that ask for its cleanup.
    pub(super) requests: u64,
    /// Events of its connection's end.
    pub(super) events: u64,
    /// Its cleanup's, if it has one.
    pub(super) state: Option<CleanupState>,
    /// Time since its rows went.
    pub(super) age: Duration,
    pub(super) receipts: u64,
    /// Events of its cleanup's end.
    pub(super) ends: u64,
    pub(super) targets: Vec<PurgeTarget>,
    /// Verified empty since the rows are gone, and so says the newest receipt.
    pub(super) verified: Vec<PurgeTarget>,
    /// Whether the verifications that count are later than the end of the settle delay.
    pub(super) is_settled: bool,
}

/// The tables below `sync`, and beside it below the connection.
const ALL: &str = "
    WITH seen AS (
        SELECT id FROM witness.sync UNION SELECT id FROM sync UNION SELECT sync_id FROM cleanup
    ), settled AS (
        SELECT sync_id, sum(chunk_count)::bigint AS documents, count(*) + count(file_name) AS blobs
        FROM entity WHERE content_hash IS NOT NULL GROUP BY sync_id
    ), told AS (
        SELECT message->>'type' AS kind, message->>'cleanup_id' AS cleanup FROM outbox
    ), verified AS (
        SELECT c.id, t.target, (c.progress->t.target->>'verified_empty_at')::timestamptz AS at,
               (SELECT r.signed->'receipt'->'targets'->t.target->>'verified_empty_at' FROM receipt r
                WHERE r.cleanup_id = c.id ORDER BY r.issued_at DESC LIMIT 1)::timestamptz AS certified_at
        FROM cleanup c, unnest(c.targets) AS t (target)
    )
    SELECT s.id::text,
           EXISTS (SELECT FROM sync x WHERE x.id = s.id) AS is_live,
           (SELECT count(*) FROM sync x WHERE x.id = s.id)
           + (SELECT count(*) FROM sync_job x WHERE x.sync_id = s.id)
           + (SELECT count(*) FROM entity x WHERE x.sync_id = s.id)
           + (SELECT count(*) FROM entity_count x WHERE x.sync_id = s.id)
           + (SELECT count(*) FROM source_connection x WHERE x.id = c.source_connection_id)
           + (SELECT count(*) FROM credential x WHERE x.source_connection_id = c.source_connection_id) AS rows,
           (SELECT count(*) FROM sync_job x
            WHERE x.sync_id = s.id AND x.status IN ('pending', 'running', 'cancelling')) AS active_jobs,
           coalesce(e.documents, 0) AS documents, coalesce(e.blobs, 0) AS blobs,
           (SELECT count(*) FROM told WHERE kind = 'CleanupRequested' AND cleanup = c.id::text) AS requests,
           (SELECT count(*) FROM told WHERE kind = 'SourceConnectionDeleted' AND cleanup = c.id::text) AS events,
           (SELECT count(*) FROM told WHERE kind = 'CleanupCompleted' AND cleanup = c.id::text) AS ends,
           -- One that came back by a restore ended before the events that there are.
           (SELECT count(*) FROM receipt x
            WHERE x.cleanup_id = c.id AND x.superseded_reason IS DISTINCT FROM 'restored') AS receipts,
           c.state, coalesce(c.targets, '{}') AS targets,
           coalesce(extract(epoch FROM clock_timestamp() - c.rows_deleted_at), 0)::float8 AS age,
           ARRAY(SELECT v.target FROM verified v
                 WHERE v.id = c.id AND v.at >= c.rows_deleted_at AND v.at = v.certified_at) AS verified,
           NOT EXISTS (SELECT FROM verified v WHERE v.id = c.id AND v.at < c.next_attempt_at) AS is_settled
    FROM seen s LEFT JOIN settled e ON e.sync_id = s.id LEFT JOIN cleanup c ON c.sync_id = s.id";

/// Looks.
pub(super) async fn all(client: &Client) -> Vec<Seen> {
    client.query(ALL, &[]).await.unwrap_or_else(|error| panic!("{error:?}")).iter().map(Seen::read).collect()
}

impl Seen {
    fn read(row: &Row) -> Self {
        let count = |column: &str| u64::try_from(row.get::<_, i64>(column)).unwrap();
        let targets = |column: &str| {
            let names: Vec<&str> = row.get(column);
            names.iter().map(|name| name.parse().unwrap()).collect()
        };
        Self {
            id: row.get("id"),
            is_live: row.get("is_live"),
            rows: count("rows"),
            active_jobs: count("active_jobs"),
            documents: count("documents"),
            blobs: count("blobs"),
            requests: count("requests"),
            events: count("events"),
            state: row.get::<_, Option<&str>>("state").map(|state| state.parse().unwrap()),
            age: Duration::from_secs_f64(row.get::<_, f64>("age").max(0.0)),
            receipts: count("receipts"),
            ends: count("ends"),
            targets: targets("targets"),
            verified: targets("verified"),
            is_settled: row.get("is_settled"),
        }
    }
}
