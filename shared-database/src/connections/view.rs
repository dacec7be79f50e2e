//! A connection with all that is shown of it, in one statement.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared_models::{OrganizationId, SourceConnectionId, SyncId};

use super::{ConnectionRow, ConnectionView, RunCounts};
use crate::error::{DatabaseError, Result};
use crate::schedules::NEEDS_CREDENTIALS;
use crate::session::Session;
use crate::statement::sql_query;

#[derive(QueryableByName)]
struct Row {
    #[diesel(embed)]
    connection: ConnectionRow,
    #[diesel(sql_type = sql_types::Text)]
    readable_collection_id: String,
    #[diesel(sql_type = sql_types::Uuid)]
    sync_id: SyncId,
    #[diesel(sql_type = sql_types::Bool)]
    is_held_back: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Jsonb>)]
    cursor: Option<Value>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Jsonb>)]
    last_job: Option<Value>,
    #[diesel(embed)]
    runs: RunCounts,
    #[diesel(sql_type = sql_types::Jsonb)]
    entities: Value,
}

impl TryFrom<Row> for ConnectionView {
    type Error = DatabaseError;

    fn try_from(found: Row) -> Result<Self> {
        // As stored, in the past while nobody fires; but a schedule that would be skipped for its credentials has none.
        let next_run = found.connection.next_run_at.filter(|_| !found.is_held_back);
        Ok(Self {
            next_run,
            last_job: found.last_job.map(read).transpose()?,
            entities: read(found.entities)?,
            row: found.connection,
            readable_collection_id: found.readable_collection_id,
            sync_id: found.sync_id,
            cursor: found.cursor,
            runs: found.runs,
        })
    }
}

/// Rows come as JSON where a connection has several of them, or perhaps none.
fn read<T: DeserializeOwned>(rows: Value) -> Result<T> {
    serde_json::from_value(rows).map_err(|error| DatabaseError::Corrupt(format!("connection: {error}")))
}

/// Reads a connection with all that is shown of it, also while it is being deleted.
pub(super) async fn view(
    db: &mut Session,
    organization: OrganizationId,
    connection: SourceConnectionId,
) -> Result<Option<ConnectionView>> {
    let found: Option<Row> = sql_query(format!(
        "SELECT c.id, c.organization_id, c.short_name, c.name, c.description, c.config, c.auth_method,
                c.is_authenticated, c.authenticated_at, c.cron, c.continuous, c.cursor_field, c.next_run_at,
                c.created_at, c.modified_at, c.deletion_requested_at,
                k.readable_id AS readable_collection_id, s.id AS sync_id, s.cursor,
                CASE WHEN c.next_run_at IS NULL THEN false ELSE {NEEDS_CREDENTIALS} END AS is_held_back,
                (SELECT to_jsonb(j) FROM sync_job j WHERE j.sync_id = s.id
                 ORDER BY j.created_at DESC, j.id LIMIT 1) AS last_job,
                runs.total, runs.successful, runs.failed,
                (SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.entity_class), '[]') FROM entity_count e
                 WHERE e.sync_id = s.id AND e.entities <> 0) AS entities
         FROM source_connection c
              JOIN collection k ON k.id = c.collection_id
              JOIN sync s ON s.source_connection_id = c.id
              CROSS JOIN LATERAL (
                  SELECT count(*) AS total, count(*) FILTER (WHERE status = 'completed') AS successful,
                         count(*) FILTER (WHERE status = 'failed') AS failed
                  FROM sync_job WHERE sync_id = s.id) runs
         WHERE c.id = $1 AND c.organization_id = $2"
    ))
    .bind::<sql_types::Uuid, _>(connection)
    .bind::<sql_types::Uuid, _>(organization)
    .get_result(db)
    .await
    .optional()?;
    found.map(ConnectionView::try_from).transpose()
}
