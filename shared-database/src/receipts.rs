//! Receipts as their organization may read them, with what proves them. Read only.
//!
//! Keeps DEL-9: every call names the organization.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::ledger::SupersededReason;
use shared_models::receipt::Opening;
use shared_models::{CleanupId, OrganizationId, ReceiptId, SourceConnectionId};

use crate::cleanups::opening;
use crate::error::Result;
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

/// A receipt, with its place in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReceipt {
    /// Its id.
    pub id: ReceiptId,
    /// The receipt with its signature.
    pub signed: Value,
    /// When it was written.
    pub issued_at: DateTime<Utc>,
    /// Since when it holds no longer, and why.
    pub superseded: Option<(DateTime<Utc>, SupersededReason)>,
    /// Its place in the ledger, once it has one.
    pub index: Option<u64>,
    /// What opens the hash of the caller's reference.
    pub reference: Option<Opening>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Uuid)]
    id: ReceiptId,
    #[diesel(sql_type = sql_types::Jsonb)]
    signed: Value,
    #[diesel(sql_type = sql_types::Timestamptz)]
    issued_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    superseded_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    superseded_reason: Option<SupersededReason>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    index: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    deletion_reference: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Bytea>)]
    deletion_reference_salt: Option<Vec<u8>>,
}

impl From<Row> for StoredReceipt {
    fn from(row: Row) -> Self {
        // Receipts before the reference was signed have none to open.
        let is_signed = row.signed.pointer("/receipt/deletion_reference_hash").is_some_and(Value::is_string);
        Self {
            id: row.id,
            signed: row.signed,
            issued_at: row.issued_at,
            superseded: row.superseded_at.zip(row.superseded_reason),
            index: row.index.and_then(|index| u64::try_from(index).ok()),
            reference: opening(row.deletion_reference, row.deletion_reference_salt).filter(|_| is_signed),
        }
    }
}

impl Database {
    /// The receipts of a cleanup, the newest first. At most one of them holds.
    ///
    /// # Errors
    /// Any database error.
    pub async fn receipts(&self, organization: OrganizationId, cleanup: CleanupId) -> Result<Vec<StoredReceipt>> {
        let receipts = async |db: &mut Session| {
            let receipts = sql_query(
                "SELECT r.id, r.signed, r.issued_at, r.superseded_at, r.superseded_reason, i.index,
                        c.deletion_reference, c.deletion_reference_salt
                 FROM receipt r JOIN cleanup c ON c.id = r.cleanup_id LEFT JOIN ledger_index i ON i.entry_id = r.entry_id
                 WHERE c.id = $1 AND c.organization_id = $2
                 ORDER BY r.issued_at DESC, r.id DESC",
            );
            let receipts =
                receipts.bind::<sql_types::Uuid, _>(cleanup).bind::<sql_types::Uuid, _>(organization).load(db);
            Ok(receipts.await?)
        };
        let rows: Vec<Row> = self.read(receipts).await?;
        Ok(rows.into_iter().map(StoredReceipt::from).collect())
    }

    /// The cleanup of a connection that is gone, if this organization deleted it.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanup_of_deleted(
        &self,
        organization: OrganizationId,
        connection: SourceConnectionId,
    ) -> Result<Option<CleanupId>> {
        #[derive(QueryableByName)]
        struct Found {
            #[diesel(sql_type = sql_types::Uuid)]
            id: CleanupId,
        }
        let found = async |db: &mut Session| {
            let found = sql_query(
                "SELECT id FROM cleanup WHERE source_connection_id = $1 AND organization_id = $2
                 ORDER BY created_at DESC LIMIT 1",
            );
            let found = found.bind::<sql_types::Uuid, _>(connection).bind::<sql_types::Uuid, _>(organization);
            Ok(found.get_result(db).await.optional()?)
        };
        let found: Option<Found> = self.read(found).await?;
        Ok(found.map(|found| found.id))
    }
}
