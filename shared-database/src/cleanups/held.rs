//! What the holder of a claim may do with its row. Each is one conditional update under the claim.

use std::time::Duration;

use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use shared_models::ledger::SupersededReason;
use shared_models::receipt::SignedReceipt;
use shared_models::{
    CleanupId, CleanupWork, Envelope, Message, OrganizationId, PurgeTarget, ReceiptId, RequestId, TargetsProgress,
};

use super::{Claim, ClaimError, ClaimLost, moves, progress_json};
use crate::error::DatabaseError;
use crate::pool::Database;
use crate::statement::sql_query;

type Result<T> = std::result::Result<T, ClaimError>;

/// The end of a cleanup: everything that commits with `done`.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Whose it was.
    pub organization_id: OrganizationId,
    /// The request that asked, for the event.
    pub request_id: Option<RequestId>,
    /// What was removed.
    pub progress: TargetsProgress,
    /// The targets that were verified empty under this claim: a row that names another one isn't finished.
    pub verified: Vec<PurgeTarget>,
    /// The receipt's id.
    pub receipt_id: ReceiptId,
    /// The receipt.
    pub receipt: SignedReceipt,
    /// When to verify once more.
    pub check_again_at: Option<chrono::DateTime<chrono::Utc>>,
}

fn columns(claims: &[Claim]) -> (Vec<CleanupId>, Vec<i64>) {
    claims.iter().map(|claim| (claim.cleanup_id, claim.number)).unzip()
}

/// The receipt `$3` with its id `$1`, of the cleanup `$2`, and its entry in the ledger. One before it that nobody
/// ended, as workers of earlier versions reopen cleanups, holds no longer.
fn append_receipt() -> String {
    format!(
        "WITH reopened AS (SELECT id, organization_id FROM cleanup WHERE id = $2), {},
              entered AS (
                  INSERT INTO ledger_entry (organization_id, entry)
                  SELECT organization_id,
                         jsonb_build_object('form', 1, 'kind', 'receipt', 'receipt', $3::jsonb->'receipt')
                  FROM reopened RETURNING id)
         INSERT INTO receipt (id, cleanup_id, signed, entry_id) SELECT $1, $2, $3, id FROM entered",
        moves::supersede(SupersededReason::Reopened)
    )
}

fn held(rows: usize) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(ClaimLost.into()) }
}

impl Database {
    /// Renews claims for `ttl`; returns how many still stood.
    ///
    /// # Errors
    /// Any database error; the claims then stand as they did before.
    pub async fn renew_claims(&self, claims: &[Claim], ttl: Duration) -> std::result::Result<usize, DatabaseError> {
        let (ids, numbers) = columns(claims);
        let rows = sql_query(
            "UPDATE cleanup SET claim_expires_at = clock_timestamp() + make_interval(secs => $3)
             FROM unnest($1::uuid[], $2::bigint[]) AS held (cleanup_id, number)
             WHERE id = cleanup_id AND claim = number AND claim_expires_at IS NOT NULL
               AND state IN ('scheduled', 'purging', 'settling')",
        )
        .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(numbers)
        .bind::<sql_types::Double, _>(ttl.as_secs_f64())
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows)
    }

    /// Stores what is known so far. A crash from here on repeats at most what comes after it.
    ///
    /// # Errors
    /// [`ClaimLost`], or any database error.
    pub async fn save_progress(&self, claim: Claim, progress: &TargetsProgress) -> Result<()> {
        self.update_held(claim, progress, moves::save_progress()).await
    }

    /// Stores what is known so far, after something was removed: whatever failed before has got over it.
    ///
    /// # Errors
    /// [`ClaimLost`], or any database error.
    pub async fn save_headway(&self, claim: Claim, progress: &TargetsProgress) -> Result<()> {
        self.update_held(claim, progress, moves::save_headway()).await
    }

    /// `purging → settling`: gives the claim back; due again after `delay`.
    ///
    /// # Errors
    /// [`ClaimLost`], or any database error.
    pub async fn settle(&self, claim: Claim, progress: &TargetsProgress, delay: Duration) -> Result<()> {
        self.give_back(claim, progress, moves::settle(), delay).await
    }

    /// Gives the claim back, due now, without counting an attempt: at shutdown, at the end of the allowed hours, or for
    /// others that wait.
    ///
    /// # Errors
    /// [`ClaimLost`], or any database error.
    pub async fn release_claim(&self, claim: Claim, progress: &TargetsProgress) -> Result<()> {
        self.give_back(claim, progress, moves::release(), Duration::ZERO).await
    }

    /// Gives the claim back for somebody to do this work, due now; something having been removed, or not.
    ///
    /// # Errors
    /// [`ClaimLost`], or any database error.
    pub async fn hand_over(
        &self,
        claim: Claim,
        progress: &TargetsProgress,
        work: CleanupWork,
        has_headway: bool,
    ) -> Result<()> {
        let progress = progress_json(progress)?;
        let rows = sql_query(moves::hand_over(has_headway))
            .bind::<sql_types::Uuid, _>(claim.cleanup_id)
            .bind::<sql_types::BigInt, _>(claim.number)
            .bind::<sql_types::Jsonb, _>(progress)
            .bind::<sql_types::Double, _>(0.0)
            .bind::<sql_types::Text, _>(work.as_str())
            .execute(&mut self.connection().await?)
            .await
            .map_err(DatabaseError::from)?;
        held(rows)
    }

    /// Gives claims back that nothing was done under, due now. One that was lost, or given back before, is left alone.
    ///
    /// # Errors
    /// Any database error.
    pub async fn release_claims(&self, claims: &[Claim]) -> std::result::Result<(), DatabaseError> {
        let (ids, numbers) = columns(claims);
        sql_query(moves::RELEASE_ALL)
            .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
            .bind::<sql_types::Array<sql_types::BigInt>, _>(numbers)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }

    /// `→ scheduled` after a failed attempt, due after `delay`. `attempts` counts failures without headway in between.
    ///
    /// # Errors
    /// [`ClaimLost`], or any database error.
    pub async fn fail_attempt(
        &self,
        claim: Claim,
        progress: &TargetsProgress,
        attempts: u32,
        code: &str,
        text: &str,
        delay: Duration,
    ) -> Result<()> {
        let progress = progress_json(progress)?;
        let rows = sql_query(moves::fail())
            .bind::<sql_types::Uuid, _>(claim.cleanup_id)
            .bind::<sql_types::BigInt, _>(claim.number)
            .bind::<sql_types::Jsonb, _>(progress)
            .bind::<sql_types::Double, _>(delay.as_secs_f64())
            .bind::<sql_types::Integer, _>(i32::try_from(attempts).unwrap_or(i32::MAX))
            .bind::<sql_types::Text, _>(code)
            .bind::<sql_types::Text, _>(text)
            .execute(&mut self.connection().await?)
            .await
            .map_err(DatabaseError::from)?;
        held(rows)
    }

    /// `→ refused`: the sync is live. Nobody works on the row until somebody has looked (DEL-4).
    ///
    /// # Errors
    /// [`ClaimLost`], or any database error.
    pub async fn refuse(&self, claim: Claim, progress: &TargetsProgress) -> Result<()> {
        self.update_held(claim, progress, moves::refuse()).await
    }

    /// `settling → done`, the receipt, its entry in the ledger and the event, in one transaction. Refused by the row if
    /// it names a target that wasn't verified, or if its sync is live.
    ///
    /// # Errors
    /// [`ClaimLost`], also while PostgreSQL's history is lost (DEL-10), or any database error; if the connection was
    /// lost, all of it may have happened.
    pub async fn finish(&self, claim: Claim, finished: &Finished) -> Result<()> {
        self.history().check().map_err(|_| ClaimLost)?;
        let progress = progress_json(&finished.progress)?;
        let signed = serde_json::to_value(&finished.receipt)
            .map_err(|error| DatabaseError::Corrupt(format!("receipt: {error}")))?;
        let verified: Vec<&'static str> = finished.verified.iter().map(|target| target.as_str()).collect();
        let (receipt_id, check_again_at) = (finished.receipt_id, finished.check_again_at);
        let completed =
            Message::CleanupCompleted { organization_id: finished.organization_id, cleanup_id: claim.cleanup_id };
        let event = Envelope::new(completed, finished.request_id);
        let done = self
            .transaction(move |db| {
                let (progress, signed) = (progress.clone(), signed.clone());
                let (verified, event) = (verified.clone(), event.clone());
                async move {
                    let rows = sql_query(moves::finish())
                        .bind::<sql_types::Uuid, _>(claim.cleanup_id)
                        .bind::<sql_types::BigInt, _>(claim.number)
                        .bind::<sql_types::Jsonb, _>(progress)
                        .bind::<sql_types::Array<sql_types::Text>, _>(verified)
                        .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(check_again_at)
                        .execute(db)
                        .await?;
                    if rows == 0 {
                        return Ok(false);
                    }
                    sql_query(append_receipt())
                        .bind::<sql_types::Uuid, _>(receipt_id)
                        .bind::<sql_types::Uuid, _>(claim.cleanup_id)
                        .bind::<sql_types::Jsonb, _>(signed)
                        .execute(db)
                        .await?;
                    crate::outbox::enqueue(db, &event).await?;
                    Ok(true)
                }
                .boxed()
            })
            .await?;
        held(usize::from(done))
    }

    async fn update_held(&self, claim: Claim, progress: &TargetsProgress, update: String) -> Result<()> {
        let progress = progress_json(progress)?;
        let rows = sql_query(update)
            .bind::<sql_types::Uuid, _>(claim.cleanup_id)
            .bind::<sql_types::BigInt, _>(claim.number)
            .bind::<sql_types::Jsonb, _>(progress)
            .execute(&mut self.connection().await?)
            .await
            .map_err(DatabaseError::from)?;
        held(rows)
    }

    async fn give_back(&self, claim: Claim, progress: &TargetsProgress, update: String, delay: Duration) -> Result<()> {
        let progress = progress_json(progress)?;
        let rows = sql_query(update)
            .bind::<sql_types::Uuid, _>(claim.cleanup_id)
            .bind::<sql_types::BigInt, _>(claim.number)
            .bind::<sql_types::Jsonb, _>(progress)
            .bind::<sql_types::Double, _>(delay.as_secs_f64())
            .execute(&mut self.connection().await?)
            .await
            .map_err(DatabaseError::from)?;
        held(rows)
    }
}
