//! Receipts as their organization may read them, with what proves them; and over all organizations, for operators. Read
//! only.
//!
//! Keeps DEL-9: whatever a client asks for names its organization.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::ledger::SupersededReason;
use shared_models::receipt::Opening;
use shared_models::{CleanupId, CollectionId, DeletionReference, OrganizationId, ReceiptId, SourceConnectionId};

use crate::cleanup_view::KEY_NAME;
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

/// A receipt in a list over many cleanups.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedReceipt {
    /// The receipt.
    pub receipt: StoredReceipt,
    /// What the API key is called that asked, or was when it was deleted.
    pub requested_by_name: Option<String>,
}

/// Where a receipt stands in the list of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptPlace {
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Its id: several may be issued at one time.
    pub id: ReceiptId,
}

impl ListedReceipt {
    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> ReceiptPlace {
        ReceiptPlace { issued_at: self.receipt.issued_at, id: self.receipt.id }
    }
}

/// Which receipts to list.
#[derive(Debug, Clone, Default)]
pub struct ReceiptFilter {
    /// Only those of this organization; without it those of all, which are for operators alone (DEL-9).
    pub organization: Option<OrganizationId>,
    /// Only those of connections that were in this collection.
    pub collection: Option<CollectionId>,
    /// Only those of this connection.
    pub connection: Option<SourceConnectionId>,
    /// Only those whose deletion the caller called so.
    pub reference: Option<DeletionReference>,
    /// Only those issued at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Only those issued before this time.
    pub until: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct ListedRow {
    #[diesel(embed)]
    receipt: Row,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    requested_by_name: Option<String>,
}

impl Database {
    /// Receipts of many cleanups, the first issued first: at most `limit` behind `after`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_receipts(
        &self,
        filter: &ReceiptFilter,
        after: Option<ReceiptPlace>,
        limit: i64,
    ) -> Result<Vec<ListedReceipt>> {
        let rows: Vec<ListedRow> = self
            .read(async |db: &mut Session| {
                let is_asked = [
                    (filter.organization.is_some(), "cleanup.organization_id = $1"),
                    (filter.collection.is_some(), "cleanup.collection_id = $2"),
                    (filter.connection.is_some(), "cleanup.source_connection_id = $3"),
                    (filter.reference.is_some(), "cleanup.deletion_reference = $4"),
                    (filter.since.is_some(), "r.issued_at >= $5"),
                    (filter.until.is_some(), "r.issued_at < $6"),
                    (after.is_some(), "(r.issued_at, r.id) > ($7, $8)"),
                ];
                let asked: Vec<_> =
                    is_asked.into_iter().filter_map(|(is_asked, text)| is_asked.then_some(text)).collect();
                let asked = if asked.is_empty() { "true".to_owned() } else { asked.join(" AND ") };
                // Every parameter has its type here: PostgreSQL can't tell that of one that isn't used.
                let listed = sql_query(format!(
                    "SELECT r.id, r.signed, r.issued_at, r.superseded_at, r.superseded_reason, i.index,
                        cleanup.deletion_reference, cleanup.deletion_reference_salt, {KEY_NAME} AS requested_by_name
                 FROM receipt r JOIN cleanup ON cleanup.id = r.cleanup_id
                      LEFT JOIN ledger_index i ON i.entry_id = r.entry_id
                      CROSS JOIN (SELECT $1::uuid, $2::uuid, $3::uuid, $4::text, $5::timestamptz, $6::timestamptz,
                                         $7::timestamptz, $8::uuid) AS asked
                 WHERE {asked} ORDER BY r.issued_at, r.id LIMIT $9"
                ));
                let listed = listed
                    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(filter.organization)
                    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(filter.collection)
                    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(filter.connection)
                    .bind::<sql_types::Nullable<sql_types::Text>, _>(
                        filter.reference.as_ref().map(DeletionReference::as_str),
                    )
                    .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(filter.since)
                    .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(filter.until)
                    .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(after.map(|place| place.issued_at))
                    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(after.map(|place| place.id))
                    .bind::<sql_types::BigInt, _>(limit);
                Ok(listed.load(db).await?)
            })
            .await?;
        let listed = |row: ListedRow| ListedReceipt {
            receipt: StoredReceipt::from(row.receipt),
            requested_by_name: row.requested_by_name,
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// What time it is on PostgreSQL's clock: receipts are issued by it.
    ///
    /// # Errors
    /// Any database error.
    pub async fn receipts_until_now(&self) -> Result<DateTime<Utc>> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Timestamptz)]
            now: DateTime<Utc>,
        }
        let now =
            async |db: &mut Session| Ok(sql_query("SELECT clock_timestamp() AS now").get_result::<Row>(db).await?);
        Ok(self.read(now).await?.now)
    }

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
