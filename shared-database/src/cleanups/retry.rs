//! Trying a cleanup again now, because an operator says so: what stopped it may be mended.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use shared_models::ledger::Actor;
use shared_models::{CleanupId, CleanupState, Envelope, Message, RequestId};

use super::moves;
use crate::audit::{self, audited};
use crate::error::Result;
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is due now.
    Due,
    /// It is being purged just now, or was and is verified once its settle delay is over.
    UnderWay,
    /// It is done; what may have come back, a sweep finds.
    Done,
    /// Its sync is live: purging it would remove what nobody deleted.
    Live,
    /// There is no such cleanup.
    NotFound,
}

impl Database {
    /// `refused → scheduled`, or no move: makes a cleanup due now. The ledger is told.
    ///
    /// # Errors
    /// Any database error.
    pub async fn retry_cleanup(&self, id: CleanupId) -> Result<Retried> {
        self.transaction(move |db| retry(db, id).boxed()).await
    }
}

async fn retry(db: &mut Session, id: CleanupId) -> Result<Retried> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
        request_id: Option<RequestId>,
    }
    let retried: Option<Row> = sql_query(format!(
        "WITH retried AS ({}), {} SELECT request_id FROM retried",
        moves::RETRY,
        audited("retried", "cleanup.retried", "$2")
    ))
    .bind::<sql_types::Uuid, _>(id)
    .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
    .get_result(db)
    .await
    .optional()?;
    match retried {
        Some(row) => {
            let message = Message::CleanupRequested { cleanup_id: id };
            crate::outbox::enqueue(db, &Envelope::new(message, row.request_id)).await?;
            Ok(Retried::Due)
        }
        None => why_not(db, id).await,
    }
}

async fn why_not(db: &mut Session, id: CleanupId) -> Result<Retried> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        state: CleanupState,
    }
    let row = sql_query("SELECT state FROM cleanup WHERE id = $1").bind::<sql_types::Uuid, _>(id);
    let row: Option<Row> = row.get_result(db).await.optional()?;
    Ok(match row.map(|row| row.state) {
        None => Retried::NotFound,
        Some(CleanupState::Done) => Retried::Done,
        Some(CleanupState::Refused) => Retried::Live,
        Some(CleanupState::Scheduled | CleanupState::Purging | CleanupState::Settling) => Retried::UnderWay,
    })
}
