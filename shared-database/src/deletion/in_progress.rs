//! What is said of deletions from outside: which are in progress, and which cleanups came of one.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{CleanupId, CollectionId, SourceConnectionId};

use super::Subject;
use crate::error::Result;
use crate::pool::Database;
use crate::schema::cleanup;
use crate::statement::sql_query;

/// A deletion that was requested and not committed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InProgress {
    /// What is being deleted.
    pub subject: Subject,
    /// Time since the request, on PostgreSQL's clock.
    pub age: Duration,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    collection_id: Option<CollectionId>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    connection_id: Option<SourceConnectionId>,
    #[diesel(sql_type = sql_types::Double)]
    age_seconds: f64,
}

impl Row {
    fn in_progress(self) -> Option<InProgress> {
        let collection = self.collection_id.map(Subject::Collection);
        let subject = collection.or_else(|| self.connection_id.map(Subject::Connection))?;
        Some(InProgress { subject, age: Duration::try_from_secs_f64(self.age_seconds).unwrap_or_default() })
    }
}

impl Database {
    /// Deletions in progress: collections first, then connections, oldest request first. Work for the finisher.
    ///
    /// # Errors
    /// Any database error.
    pub async fn in_progress(&self) -> Result<Vec<InProgress>> {
        if self.history().lost().is_some() {
            return Ok(Vec::new());
        }
        const OF_TABLE: &str = "deletion_requested_at IS NOT NULL ORDER BY deletion_requested_at LIMIT 500";
        let rows: Vec<Row> = sql_query(format!(
            "SELECT collection_id, connection_id,
                    greatest(extract(epoch FROM clock_timestamp() - requested_at), 0)::float8 AS age_seconds
             FROM ((SELECT id AS collection_id, NULL::uuid AS connection_id, deletion_requested_at AS requested_at
                    FROM collection WHERE {OF_TABLE})
                   UNION ALL
                   (SELECT NULL, id, deletion_requested_at FROM source_connection WHERE {OF_TABLE})) AS requested
             ORDER BY collection_id IS NULL, requested_at"
        ))
        .load(&mut self.connection().await?)
        .await?;
        Ok(rows.into_iter().filter_map(Row::in_progress).collect())
    }

    /// The cleanups of a subject that is gone, one for each connection.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanups_of(&self, subject: Subject) -> Result<Vec<CleanupId>> {
        let mut db = self.connection().await?;
        let all = cleanup::table.select(cleanup::id).order(cleanup::id);
        let found = match subject {
            Subject::Connection(id) => all.filter(cleanup::source_connection_id.eq(id)).load(&mut db).await,
            Subject::Collection(id) => all.filter(cleanup::collection_id.eq(id)).load(&mut db).await,
        };
        Ok(found?)
    }
}
