//! Hashes of the tree, for proofs.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::ledger::{Hash, NodeId};

use super::{LedgerNodes, NodeRow, hash, nodes, signed};
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

impl Database {
    /// These hashes of the tree; those that there aren't are left out.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ledger_nodes(&self, wanted: &[NodeId]) -> Result<LedgerNodes> {
        let levels: Vec<i16> = wanted.iter().map(|node| i16::from(node.level)).collect();
        let places: Vec<i64> = wanted.iter().map(|node| signed(node.index)).collect::<Result<_>>()?;
        let rows: Vec<NodeRow> = sql_query(
            "WITH wanted AS (SELECT * FROM unnest($1::smallint[], $2::bigint[]) AS wanted (level, place))
             SELECT 0::smallint AS level, i.index, i.leaf_hash AS hash
             FROM wanted JOIN ledger_index i ON i.index = place WHERE wanted.level = 0
             UNION ALL
             SELECT t.level, t.index, t.hash
             FROM wanted JOIN ledger_tile t ON t.level = wanted.level AND t.index = place",
        )
        .bind::<sql_types::Array<sql_types::SmallInt>, _>(levels)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(places)
        .load(&mut self.connection().await?)
        .await?;
        nodes(rows)
    }

    /// The hashes of the entries from `from` up to before `to`, in their order.
    ///
    /// # Errors
    /// Any database error, or [`DatabaseError::Corrupt`] if one is missing.
    pub async fn ledger_leaves(&self, from: u64, to: u64) -> Result<Vec<Hash>> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Bytea)]
            leaf_hash: Vec<u8>,
        }
        let (first, end) = (signed(from)?, signed(to)?);
        let rows: Vec<Row> =
            sql_query("SELECT leaf_hash FROM ledger_index WHERE index >= $1 AND index < $2 ORDER BY index")
                .bind::<sql_types::BigInt, _>(first)
                .bind::<sql_types::BigInt, _>(end)
                .load(&mut self.connection().await?)
                .await?;
        if u64::try_from(rows.len()).ok() != to.checked_sub(from) {
            return Err(DatabaseError::Corrupt(format!("the ledger has not every entry from {from} to {to}")));
        }
        rows.iter().map(|row| hash(&row.leaf_hash)).collect()
    }
}
