//! The cursor of a sync: kept as its job completes (see [`super::end`]), and forgotten before everything is read anew.

use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::entities::{EntityWriter, HELD};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// Where the next job of a sync goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What the source gave.
    pub value: Value,
    /// In which form the documents of the sync are written; a job that writes another one starts over.
    pub form: String,
}

impl Database {
    /// Forgets the cursor of the writer's sync. A job that reads everything calls it before its first write: if it
    /// doesn't complete, the next one must read everything too, since what it left half-written lies before the old
    /// cursor. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn forget_cursor(&self, writer: EntityWriter) -> Result<bool> {
        let rows = sql_query(format!("UPDATE sync SET cursor = NULL, cursor_form = NULL WHERE id = $3 AND {HELD}"))
            .bind::<sql_types::Uuid, _>(writer.job)
            .bind::<sql_types::Uuid, _>(writer.owner)
            .bind::<sql_types::Uuid, _>(writer.sync)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(rows == 1)
    }
}
