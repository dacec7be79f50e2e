//! What lost receipts say: they are there again, and hold no longer.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::ledger::SupersededReason;
use shared_models::{CleanupId, ReceiptId, SyncId};

use super::{LostBatch, LostReceipt, LostSuperseded};
use crate::cleanups::reopen_restored;
use crate::error::{DatabaseError, Result};
use crate::session::Session;
use crate::statement::sql_query;

/// Inserts the receipts that aren't there, and returns how many. A cleanup may have another id than the receipt says: a
/// connection that was there again may have been deleted once more before anybody recovered.
pub(super) async fn put_back(db: &mut Session, receipts: &[LostReceipt], entry_ids: &[i64]) -> Result<u64> {
    let entry = |receipt: &LostReceipt| {
        let id = entry_ids.get(receipt.place).copied();
        id.ok_or_else(|| DatabaseError::Corrupt(format!("receipt {} has no entry", receipt.id)))
    };
    let entries: Vec<i64> = receipts.iter().map(entry).collect::<Result<_>>()?;
    let ids: Vec<ReceiptId> = receipts.iter().map(|receipt| receipt.id).collect();
    let syncs: Vec<SyncId> = receipts.iter().map(|receipt| receipt.sync_id).collect();
    let signed: Vec<&Value> = receipts.iter().map(|receipt| &receipt.signed).collect();
    let issued: Vec<DateTime<Utc>> = receipts.iter().map(|receipt| receipt.issued_at).collect();
    let (since, why): (Vec<Option<DateTime<Utc>>>, Vec<Option<&'static str>>) =
        receipts.iter().map(|receipt| receipt.superseded.map(|(at, why)| (at, why.as_str())).unzip()).unzip();
    let rows = sql_query(
        "INSERT INTO receipt (id, cleanup_id, signed, issued_at, entry_id, superseded_at, superseded_reason)
         SELECT given.id, cleanup.id, given.signed, given.issued_at, given.entry_id, given.since, given.why
         FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::timestamptz[], $5::bigint[], $6::timestamptz[], $7::text[])
              AS given (id, sync_id, signed, issued_at, entry_id, since, why)
              JOIN cleanup ON cleanup.sync_id = given.sync_id
         ON CONFLICT (id) DO NOTHING",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
    .bind::<sql_types::Array<sql_types::Uuid>, _>(syncs)
    .bind::<sql_types::Array<sql_types::Jsonb>, _>(signed)
    .bind::<sql_types::Array<sql_types::Timestamptz>, _>(issued)
    .bind::<sql_types::Array<sql_types::BigInt>, _>(entries)
    .bind::<sql_types::Array<sql_types::Nullable<sql_types::Timestamptz>>, _>(since)
    .bind::<sql_types::Array<sql_types::Nullable<sql_types::Text>>, _>(why)
    .execute(db)
    .await?;
    Ok(u64::try_from(rows).unwrap_or(u64::MAX))
}

/// Ends receipts that PostgreSQL kept as ones that hold; the ledger has the entry that says so.
pub(super) async fn supersede(db: &mut Session, superseded: &[LostSuperseded]) -> Result<()> {
    let ids: Vec<ReceiptId> = superseded.iter().map(|ended| ended.receipt_id).collect();
    let since: Vec<DateTime<Utc>> = superseded.iter().map(|ended| ended.at).collect();
    let why: Vec<&'static str> = superseded.iter().map(|ended| ended.reason.as_str()).collect();
    sql_query(
        "UPDATE receipt SET superseded_at = given.since, superseded_reason = given.why
         FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS given (id, since, why)
         WHERE receipt.id = given.id AND receipt.superseded_at IS NULL",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
    .bind::<sql_types::Array<sql_types::Timestamptz>, _>(since)
    .bind::<sql_types::Array<sql_types::Text>, _>(why)
    .execute(db)
    .await?;
    Ok(())
}

/// Opens every cleanup again that the batch speaks of, and ends its receipts: what they say was removed may be back.
/// Returns how many were done.
pub(super) async fn reopen(db: &mut Session, batch: &LostBatch) -> Result<u64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::BigInt)]
        reopened: i64,
    }
    let syncs: Vec<SyncId> = batch
        .deleted
        .iter()
        .map(|deleted| deleted.sync_id)
        .chain(batch.receipts.iter().map(|receipt| receipt.sync_id))
        .collect();
    let cleanups: Vec<CleanupId> = batch.superseded.iter().map(|ended| ended.cleanup_id).collect();
    let Row { reopened } = sql_query(reopen_restored(SupersededReason::Restored))
        .bind::<sql_types::Array<sql_types::Uuid>, _>(syncs)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(cleanups)
        .get_result(db)
        .await?;
    Ok(u64::try_from(reopened).unwrap_or_default())
}
