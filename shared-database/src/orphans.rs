//! Orphans: sync ids that a store holds, and what PostgreSQL knows of them.
//!
//! One sweep at a time, by a lease. An id with a tombstone, a cleanup, and without a live row is always purged again.
//! One without either is only noted; it becomes a cleanup of its own when somebody, or a setting, says so. Keeps DEL-4:
//! every statement that begins a purge looks for the live row again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::ledger::Actor;
use shared_models::{CleanupId, PurgeTarget, SweepOwner, SyncId};

use crate::audit::{self, audited};
use crate::cleanups::reopen_found;
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// A sync id that PostgreSQL knows nothing of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Orphan {
    /// The id.
    #[diesel(sql_type = sql_types::Uuid)]
    pub sync_id: SyncId,
    /// Documents in Vespa.
    #[diesel(sql_type = sql_types::BigInt)]
    pub documents: i64,
    /// Whether it has blobs.
    #[diesel(sql_type = sql_types::Bool)]
    pub has_blobs: bool,
    /// Sweeps that found it, one after the other.
    #[diesel(sql_type = sql_types::Integer)]
    pub sweeps: i32,
    /// When the first of them began.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub first_seen_at: DateTime<Utc>,
    /// When the last of them began.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub last_seen_at: DateTime<Utc>,
}

/// What a page of sync ids turned out to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sorted {
    /// With a live row.
    pub live: u64,
    /// With a tombstone and no live row: of those, the cleanups that were done and are open again.
    pub reopened: u64,
    /// Neither: noted as orphans.
    pub orphans: u64,
}

/// How many orphans there are, and syncs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OrphanCounts {
    /// Noted by the last sweep.
    pub orphans: u64,
    /// Of those, found by two sweeps and long enough ago.
    pub ripe: u64,
    /// Syncs with a live row.
    pub live_syncs: u64,
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Found by two sweeps, the first at least `$1` seconds ago.
const RIPE: &str = "sweeps >= 2 AND first_seen_at <= statement_timestamp() - make_interval(secs => $1)";

impl Database {
    /// Takes the lease on sweeping for `ttl`, or renews it. Returns PostgreSQL's time, or nothing if somebody else has
    /// it; nor while PostgreSQL's history is lost: a sweep would find as orphans what only PostgreSQL forgot (DEL-10).
    ///
    /// # Errors
    /// Any database error.
    pub async fn hold_sweep(&self, owner: SweepOwner, ttl: Duration) -> Result<Option<DateTime<Utc>>> {
        #[derive(QueryableByName)]
        struct Held {
            #[diesel(sql_type = sql_types::Timestamptz)]
            now: DateTime<Utc>,
        }
        if self.history().lost().is_some() {
            return Ok(None);
        }
        let held: Option<Held> = sql_query(
            "UPDATE orphan_sweep
             SET owner = $1, lease_expires_at = statement_timestamp() + make_interval(secs => $2)
             WHERE owner = $1 OR owner IS NULL OR lease_expires_at <= statement_timestamp()
             RETURNING statement_timestamp() AS now",
        )
        .bind::<sql_types::Uuid, _>(owner)
        .bind::<sql_types::Double, _>(ttl.as_secs_f64())
        .get_result(&mut self.connection().await?)
        .await
        .optional()?;
        Ok(held.map(|held| held.now))
    }

    /// Ends a sweep that began at `began` and went through: orphans that it didn't find are forgotten.
    ///
    /// # Errors
    /// Any database error.
    pub async fn complete_sweep(&self, owner: SweepOwner, began: DateTime<Utc>) -> Result<()> {
        sql_query(
            "WITH ended AS (UPDATE orphan_sweep SET owner = NULL, lease_expires_at = NULL, last_began_at = $2
                            WHERE owner = $1 RETURNING last_began_at)
             DELETE FROM orphan USING ended WHERE last_seen_at < ended.last_began_at",
        )
        .bind::<sql_types::Uuid, _>(owner)
        .bind::<sql_types::Timestamptz, _>(began)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(())
    }

    /// Gives the lease back: the sweep didn't go through.
    ///
    /// # Errors
    /// Any database error.
    pub async fn drop_sweep(&self, owner: SweepOwner) -> Result<()> {
        sql_query("UPDATE orphan_sweep SET owner = NULL, lease_expires_at = NULL WHERE owner = $1")
            .bind::<sql_types::Uuid, _>(owner)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }

    /// When the last sweep began that went through; nothing before the first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn last_sweep(&self) -> Result<Option<DateTime<Utc>>> {
        #[derive(QueryableByName)]
        struct Last {
            #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
            last_began_at: Option<DateTime<Utc>>,
        }
        let last = sql_query("SELECT last_began_at FROM orphan_sweep");
        Ok(last.get_result::<Last>(&mut self.connection().await?).await?.last_began_at)
    }

    /// How long ago the last sweep began that went through; before the first, since when there are sweeps.
    ///
    /// # Errors
    /// Any database error.
    pub async fn since_last_sweep(&self) -> Result<Duration> {
        #[derive(QueryableByName)]
        struct Since {
            #[diesel(sql_type = sql_types::Double)]
            seconds: f64,
        }
        let since =
            "SELECT extract(epoch FROM statement_timestamp() - coalesce(last_began_at, since))::float8 AS seconds
                     FROM orphan_sweep";
        let since: Since = sql_query(since).get_result(&mut self.connection().await?).await?;
        Ok(Duration::try_from_secs_f64(since.seconds).unwrap_or_default())
    }

    /// Sorts syncs that `target` was seen to hold, with their numbers of documents, by a list that began at `began` and
    /// is at its end before this is asked: a sync that was made since has its row by now.
    ///
    /// # Errors
    /// Any database error.
    pub async fn sort_found(
        &self,
        target: PurgeTarget,
        syncs: &[(SyncId, u64)],
        began: DateTime<Utc>,
    ) -> Result<Sorted> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::BigInt)]
            live: i64,
            #[diesel(sql_type = sql_types::BigInt)]
            reopened: i64,
            #[diesel(sql_type = sql_types::BigInt)]
            orphans: i64,
        }
        self.history().check()?;
        let (ids, documents): (Vec<SyncId>, Vec<i64>) =
            syncs.iter().map(|(sync, documents)| (*sync, i64::try_from(*documents).unwrap_or(i64::MAX))).unzip();
        let sorted: Row = sql_query(format!(
            "WITH found AS (SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS found (sync_id, documents)),
                  live AS (SELECT id FROM sync WHERE id = ANY ($1)),
                  {},
                  noted AS (
                      INSERT INTO orphan AS known (sync_id, documents, has_blobs, first_seen_at, last_seen_at)
                      SELECT sync_id, CASE $4 WHEN 'vespa' THEN documents ELSE 0 END, $4 = 'arf', $3, $3 FROM found
                      WHERE sync_id NOT IN (SELECT id FROM live)
                        AND NOT EXISTS (SELECT 1 FROM cleanup WHERE cleanup.sync_id = found.sync_id)
                      ON CONFLICT (sync_id) DO UPDATE SET
                          documents = CASE WHEN known.last_seen_at < $3 THEN excluded.documents
                                           ELSE known.documents + excluded.documents END,
                          has_blobs = excluded.has_blobs OR known.has_blobs AND known.last_seen_at = $3,
                          sweeps = known.sweeps + (known.last_seen_at < $3)::int,
                          last_seen_at = $3
                      RETURNING sync_id)
             SELECT (SELECT count(*) FROM live) AS live, (SELECT count(*) FROM reopened) AS reopened,
                    (SELECT count(*) FROM noted) AS orphans",
            reopen_found()
        ))
        .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(documents)
        .bind::<sql_types::Timestamptz, _>(began)
        .bind::<sql_types::Text, _>(target.as_str())
        .get_result(&mut self.connection().await?)
        .await?;
        let Row { live, reopened, orphans } = sorted;
        Ok(Sorted { live: count(live), reopened: count(reopened), orphans: count(orphans) })
    }

    /// How many orphans the last sweep noted, and how many of them have been there for `min_age`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn orphan_counts(&self, min_age: Duration) -> Result<OrphanCounts> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::BigInt)]
            orphans: i64,
            #[diesel(sql_type = sql_types::BigInt)]
            ripe: i64,
            #[diesel(sql_type = sql_types::BigInt)]
            live_syncs: i64,
        }
        let Row { orphans, ripe, live_syncs } = sql_query(format!(
            "SELECT count(*) AS orphans, count(*) FILTER (WHERE {RIPE}) AS ripe,
                    (SELECT count(*) FROM sync) AS live_syncs
             FROM orphan"
        ))
        .bind::<sql_types::Double, _>(min_age.as_secs_f64())
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(OrphanCounts { orphans: count(orphans), ripe: count(ripe), live_syncs: count(live_syncs) })
    }

    /// The orphans that the last sweep noted, the oldest first, at most `limit` after the first `skip`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn orphans(&self, skip: i64, limit: i64) -> Result<Vec<Orphan>> {
        let listed = "SELECT sync_id, documents, has_blobs, sweeps, first_seen_at, last_seen_at FROM orphan
                      ORDER BY first_seen_at, sync_id OFFSET $1 LIMIT $2";
        let listed = sql_query(listed).bind::<sql_types::BigInt, _>(skip).bind::<sql_types::BigInt, _>(limit);
        Ok(listed.load(&mut self.connection().await?).await?)
    }

    /// Makes a cleanup of each orphan that was found by two sweeps, the first `min_age` ago, and still has neither a
    /// live row nor a cleanup. Their writers are unknown, so they are checked once more later. Returns how many.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::HistoryLost`](crate::DatabaseError::HistoryLost).
    pub async fn purge_orphans(&self, min_age: Duration) -> Result<u64> {
        self.history().check()?;
        let targets: Vec<&'static str> = PurgeTarget::ALL.iter().map(|target| target.as_str()).collect();
        let rows = sql_query(format!(
            "WITH ripe AS (DELETE FROM orphan WHERE {RIPE} RETURNING sync_id),
                  cleaned AS (
                      INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id,
                                           deletion_requested_at, entity_rows_deleted, writer_end, targets, origin)
                      SELECT gen_random_uuid(), sync_id, $3, $3, $3, clock_timestamp(), 0, 'lease', $2, 'orphan'
                      FROM ripe
                      WHERE NOT EXISTS (SELECT 1 FROM sync WHERE sync.id = ripe.sync_id)
                      ON CONFLICT (sync_id) DO NOTHING
                      RETURNING organization_id, ledger_deleted(cleanup) AS entry),
                  purged AS (SELECT NULL::uuid AS organization_id, NULL::uuid AS object_id FROM cleaned LIMIT 1),
                  {}
             INSERT INTO ledger_entry (organization_id, entry) SELECT organization_id, entry FROM cleaned",
            audited("purged", "orphans.purged", "$4")
        ))
        .bind::<sql_types::Double, _>(min_age.as_secs_f64())
        .bind::<sql_types::Array<sql_types::Text>, _>(targets)
        .bind::<sql_types::Uuid, _>(CleanupId(uuid::Uuid::nil()))
        .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    }
}
