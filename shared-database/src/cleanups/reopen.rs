//! Reopening a cleanup because something may have been written for its sync after all.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use shared_models::{CleanupId, Envelope, Message, RequestId, SyncId};

use super::moves;
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

impl Database {
    /// `done | settling → scheduled`, due now, for a worker that finds that a write of its own ended after its lease.
    /// The claim grows, so that a holder in its last verification can't finish. `false` if there was nothing to reopen:
    /// no cleanup, or one that verifies again anyway.
    ///
    /// # Errors
    /// Any database error.
    pub async fn reopen_cleanup(&self, sync: SyncId) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Uuid)]
            id: CleanupId,
            #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
            request_id: Option<RequestId>,
        }
        self.transaction(move |db| {
            async move {
                let reopened: Option<Row> =
                    sql_query(moves::reopen()).bind::<sql_types::Uuid, _>(sync).get_result(db).await.optional()?;
                let Some(row) = reopened else { return Ok(false) };
                let message = Message::CleanupRequested { cleanup_id: row.id };
                crate::outbox::enqueue(db, &Envelope::new(message, row.request_id)).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }
}
