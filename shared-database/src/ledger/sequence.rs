//! Giving indexes: one process at a time, a batch at a time, with everything that follows from it in one transaction.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use serde_json::Value;
use shared_models::ledger::{Appended, Checkpoint, Frontier, Hash, LedgerSigner, TileId, append};

use super::{NodeRow, nodes, signed, unsigned};
use crate::error::{DatabaseError, Result};
use crate::history::{History, ledger_size};
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

/// Advisory lock of whoever sequences. ASCII "ledger".
const SEQUENCER_LOCK: i64 = 0x6c_65_64_67_65_72;

/// How much waits for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, QueryableByName)]
pub struct Pending {
    /// Entries with a place.
    #[diesel(sql_type = sql_types::BigInt)]
    pub size: i64,
    /// Entries without one.
    #[diesel(sql_type = sql_types::BigInt)]
    pub entries: i64,
    /// Age in seconds of the oldest that isn't where it is to be; 0 if there is none.
    #[diesel(sql_type = sql_types::Double)]
    pub oldest_seconds: f64,
}

#[derive(QueryableByName)]
struct Size {
    #[diesel(sql_type = sql_types::BigInt)]
    ledger_size: i64,
}

#[derive(QueryableByName)]
struct EntryRow {
    #[diesel(sql_type = sql_types::BigInt)]
    id: i64,
    #[diesel(sql_type = sql_types::Jsonb)]
    entry: Value,
}

impl Database {
    /// Gives the next indexes to entries that wait, at most `most`, in the order in which they were inserted, and signs
    /// the root that follows from them. Returns what was appended, or nothing if none waits or somebody else is at it.
    ///
    /// # Errors
    /// Any database error, [`DatabaseError::Corrupt`] if an entry can't be in a ledger, or
    /// [`DatabaseError::HistoryLost`]: an index that was given before isn't given again (DEL-10).
    pub async fn sequence_ledger(&self, most: u32, signer: &Arc<LedgerSigner>) -> Result<Option<Checkpoint>> {
        let (signer, history) = (Arc::clone(signer), self.history().clone());
        self.transaction(move |db| sequence(db, most, Arc::clone(&signer), history.clone()).boxed()).await
    }

    /// Whether an entry waits for its place.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::HistoryLost`].
    pub async fn does_ledger_wait(&self) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Waits {
            #[diesel(sql_type = sql_types::Bool)]
            waits: bool,
            #[diesel(sql_type = sql_types::BigInt)]
            ledger_size: i64,
        }
        let before = self.history().before()?;
        let waits = concat!("SELECT EXISTS (SELECT 1 FROM ledger_pending) AS waits, ", ledger_size!());
        let waits: Waits = sql_query(waits).get_result(&mut self.connection().await?).await?;
        self.history().after(before, waits.ledger_size)?;
        Ok(waits.waits)
    }

    /// The number of entries that have their place.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ledger_size(&self) -> Result<u64> {
        self.read(async |db| size_of(db).await).await
    }

    /// How much waits for the ledger, and how long: for its place, and if there is a ledger store, for being there.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ledger_pending(&self, is_published: bool) -> Result<Pending> {
        let pending = "SELECT (SELECT coalesce(max(index) + 1, 0) FROM ledger_index) AS size,
                (SELECT count(*) FROM ledger_pending) AS entries,
                extract(epoch FROM coalesce(statement_timestamp() - least(
                    (SELECT min(since) FROM ledger_pending),
                    (SELECT e.created_at FROM ledger_index i JOIN ledger_entry e ON e.id = i.entry_id
                     WHERE $1 AND i.index = (SELECT coalesce(max(size), 0) FROM ledger_checkpoint
                                             WHERE published_at IS NOT NULL))
                ), interval '0'))::float8 AS oldest_seconds";
        let pending = sql_query(pending).bind::<sql_types::Bool, _>(is_published);
        Ok(pending.get_result(&mut self.connection().await?).await?)
    }
}

async fn sequence(
    db: &mut Session,
    most: u32,
    signer: Arc<LedgerSigner>,
    history: History,
) -> Result<Option<Checkpoint>> {
    let before = history.before()?;
    if !is_first(db).await? {
        return Ok(None);
    }
    let waiting: Vec<EntryRow> =
        sql_query("SELECT id, entry FROM ledger_pending JOIN ledger_entry ON id = entry_id ORDER BY entry_id LIMIT $1")
            .bind::<sql_types::BigInt, _>(i64::from(most))
            .load(db)
            .await?;
    if waiting.is_empty() {
        return Ok(None);
    }
    let log = right_edge(db).await?;
    let old_size = log.size();
    history.after(before, signed(old_size)?)?;
    let (ids, entries): (Vec<i64>, Vec<Value>) = waiting.into_iter().map(|row| (row.id, row.entry)).unzip();
    let corrupt = |error: &dyn std::fmt::Display| DatabaseError::Corrupt(format!("ledger entries {ids:?}: {error}"));
    let appended = append(log, &entries, &signer).map_err(|error| corrupt(&error))?;
    store(db, old_size, &ids, &appended).await?;
    Ok(Some(appended.checkpoint))
}

async fn is_first(db: &mut Session) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = sql_types::Bool)]
        locked: bool,
    }
    let locked = "SELECT pg_try_advisory_xact_lock($1) AS locked";
    let locked: Locked = sql_query(locked).bind::<sql_types::BigInt, _>(SEQUENCER_LOCK).get_result(db).await?;
    Ok(locked.locked)
}

/// Keeps everybody from sequencing until the end of the transaction; waits for whoever is at it.
pub(super) async fn lock_sequencer(db: &mut Session) -> Result<()> {
    let lock = "SELECT pg_advisory_xact_lock($1)";
    sql_query(lock).bind::<sql_types::BigInt, _>(SEQUENCER_LOCK).execute(db).await?;
    Ok(())
}

/// Entries that have their place, as this transaction sees it.
pub(super) async fn size_of(db: &mut Session) -> Result<u64> {
    let Size { ledger_size } = sql_query(concat!("SELECT ", ledger_size!())).get_result(db).await?;
    unsigned(ledger_size)
}

/// At most 255 hashes a level: a full tile is one hash of the level above.
async fn right_edge(db: &mut Session) -> Result<Frontier> {
    let size = size_of(db).await?;
    let rows: Vec<NodeRow> = sql_query(
        "SELECT 0::smallint AS level, index, leaf_hash AS hash FROM ledger_index WHERE index >= $1 / 256 * 256
         UNION ALL
         SELECT t.level, t.index, t.hash
         FROM generate_series(1, 7) AS levels (level)
              JOIN ledger_tile t ON t.level = levels.level AND t.index >= ($1 >> (8 * levels.level)) / 256 * 256",
    )
    .bind::<sql_types::BigInt, _>(signed(size)?)
    .load(db)
    .await?;
    let edge = Frontier::resume(size, &nodes(rows)?);
    edge.map_err(|error| DatabaseError::Corrupt(format!("the ledger's tree: {error}")))
}

/// One statement, so that a batch costs one round trip whatever its size.
async fn store(db: &mut Session, old_size: u64, ids: &[i64], appended: &Appended) -> Result<()> {
    let leaves: Vec<&[u8]> = appended.leaves.iter().map(|leaf| leaf.0.as_slice()).collect();
    let full: Vec<(&TileId, Hash)> = appended.full.iter().filter_map(|tile| Some((&tile.id, tile.root()?))).collect();
    let levels: Vec<i16> = full.iter().map(|(id, _)| i16::from(id.level) + 1).collect();
    let places: Vec<i64> = full.iter().map(|(id, _)| signed(id.index)).collect::<Result<_>>()?;
    let hashes: Vec<&[u8]> = full.iter().map(|(_, hash)| hash.0.as_slice()).collect();
    sql_query(
        "WITH batch AS MATERIALIZED (
             SELECT * FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS batch (entry_id, leaf_hash, place)
         ), indexed AS (
             INSERT INTO ledger_index (index, entry_id, leaf_hash) SELECT $3 + place - 1, entry_id, leaf_hash FROM batch
         ), taken AS (
             DELETE FROM ledger_pending USING batch WHERE ledger_pending.entry_id = batch.entry_id
         ), tiled AS (
             INSERT INTO ledger_tile (level, index, hash) SELECT * FROM unnest($4::smallint[], $5::bigint[], $6::bytea[])
         )
         INSERT INTO ledger_checkpoint (size, root, note) VALUES ($7, $8, $9)",
    )
    .bind::<sql_types::Array<sql_types::BigInt>, _>(ids)
    .bind::<sql_types::Array<sql_types::Bytea>, _>(leaves)
    .bind::<sql_types::BigInt, _>(signed(old_size)?)
    .bind::<sql_types::Array<sql_types::SmallInt>, _>(levels)
    .bind::<sql_types::Array<sql_types::BigInt>, _>(places)
    .bind::<sql_types::Array<sql_types::Bytea>, _>(hashes)
    .bind::<sql_types::BigInt, _>(signed(appended.checkpoint.size)?)
    .bind::<sql_types::Bytea, _>(appended.checkpoint.root.0.as_slice())
    .bind::<sql_types::Text, _>(appended.note.as_str())
    .execute(db)
    .await?;
    Ok(())
}
