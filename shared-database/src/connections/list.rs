//! Lists of connections, each with its status and entity count, in one statement.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::wire::source_connection::AuthMethod;
use shared_models::{OrganizationId, SourceConnectionId, StatusFacts};

use super::{LAST_JOB, LastJob};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// A connection in a list.
#[derive(Debug, Clone, QueryableByName)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ListedConnection {
    #[diesel(sql_type = sql_types::Uuid)]
    pub id: SourceConnectionId,
    #[diesel(sql_type = sql_types::Text)]
    pub name: String,
    #[diesel(sql_type = sql_types::Text)]
    pub short_name: String,
    #[diesel(sql_type = sql_types::Text)]
    pub readable_collection_id: String,
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub modified_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Bool)]
    pub is_authenticated: bool,
    #[diesel(sql_type = sql_types::Text)]
    pub auth_method: AuthMethod,
    #[diesel(sql_type = sql_types::BigInt)]
    pub entity_count: i64,
    #[diesel(embed)]
    last_job: LastJob,
}

impl ListedConnection {
    /// What its status is derived from.
    #[must_use]
    pub const fn facts(&self) -> StatusFacts {
        self.last_job.facts(self.is_authenticated)
    }
}

impl Database {
    /// An organization's connections, newest first; those of one collection if `collection` names one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_connections(
        &self,
        organization: OrganizationId,
        collection: Option<&str>,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<ListedConnection>> {
        // A text of its own for each case, so that each is planned for its own index.
        let only = match collection {
            Some(_) => "AND c.collection_id = (SELECT id FROM collection WHERE readable_id = $4)",
            None => "AND $4::text IS NULL",
        };
        // The page is cut first: what is shown of its connections is read for these alone.
        let text = format!(
            "SELECT c.id, c.name, c.short_name, k.readable_id AS readable_collection_id, c.created_at, c.modified_at,
                    c.is_authenticated, c.auth_method, j.last_job, j.error_category,
                    (SELECT coalesce(sum(entities), 0)::bigint FROM entity_count WHERE sync_id = s.id) AS entity_count
             FROM (SELECT c.* FROM source_connection c
                   WHERE c.organization_id = $1 AND c.deletion_requested_at IS NULL {only}
                   ORDER BY c.created_at DESC, c.id OFFSET $2 LIMIT $3) c
             JOIN collection k ON k.id = c.collection_id
             JOIN sync s ON s.source_connection_id = c.id
             {LAST_JOB}
             ORDER BY c.created_at DESC, c.id"
        );
        self.read(async |db| {
            let listed = sql_query(&text)
                .bind::<sql_types::Uuid, _>(organization)
                .bind::<sql_types::BigInt, _>(skip)
                .bind::<sql_types::BigInt, _>(limit)
                .bind::<sql_types::Nullable<sql_types::Text>, _>(collection)
                .load(db)
                .await?;
            Ok(listed)
        })
        .await
    }
}
