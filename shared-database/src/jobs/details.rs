//! What a job tells its connection's owner beside counts and error: which entities were left out, by name.

use diesel::sql_types;
use diesel_async::RunQueryDsl;

use crate::entities::EntityWriter;
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

impl Database {
    /// Keeps `details` in the job's row; `false` if its lease is lost.
    ///
    /// # Errors
    /// Any database error.
    pub async fn record_details(&self, writer: EntityWriter, details: &serde_json::Value) -> Result<bool> {
        let rows = sql_query(
            "UPDATE sync_job SET error_details = $3
             WHERE id = $1 AND lease_owner = $2 AND status IN ('running', 'cancelling')",
        )
        .bind::<sql_types::Uuid, _>(writer.job)
        .bind::<sql_types::Uuid, _>(writer.owner)
        .bind::<sql_types::Jsonb, _>(details)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows > 0)
    }
}
