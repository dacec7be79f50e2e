//! The deletion ledger's rows: what it was told, the place of each entry, the hashes and roots of its tree.
//!
//! Keeps DEL-10 and DEL-11: entries are inserted in the transaction of their fact, get an index later, and nobody
//! changes or removes either; the tables refuse it. What an index, a hash or a signature is, [`shared_models::ledger`]
//! says; here it is only kept.
//!
//! A transaction that commits later gets a later index, whatever its entry's id: the log has an order of its own, not
//! that of the facts.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types;
use shared_models::ledger::{Hash, NodeId};

use crate::error::DatabaseError;

mod keys;
mod nodes;
mod publish;
mod recover;
mod sequence;

pub use keys::StoredKey;
pub use publish::{StoredCheckpoint, StoredEntry};
pub use recover::{
    LostBatch, LostEntry, LostReceipt, LostSuperseded, PutBack, Recovered, RecoveredTo, RestoredConnection,
};
pub use sequence::Pending;

fn hash(bytes: &[u8]) -> Result<Hash, DatabaseError> {
    let bytes = <[u8; 32]>::try_from(bytes);
    bytes.map(Hash).map_err(|_| DatabaseError::Corrupt("a hash of the ledger isn't 32 bytes long".to_owned()))
}

fn unsigned(number: i64) -> Result<u64, DatabaseError> {
    u64::try_from(number).map_err(|_| DatabaseError::Corrupt(format!("a place in the ledger is {number}")))
}

fn signed(number: u64) -> Result<i64, DatabaseError> {
    i64::try_from(number).map_err(|_| DatabaseError::Corrupt(format!("a place in the ledger is {number}")))
}

/// A hash of the tree as the statements return it.
#[derive(QueryableByName)]
struct NodeRow {
    #[diesel(sql_type = sql_types::SmallInt)]
    level: i16,
    #[diesel(sql_type = sql_types::BigInt)]
    index: i64,
    #[diesel(sql_type = sql_types::Bytea)]
    hash: Vec<u8>,
}

/// Hashes of the tree, by their places.
pub type LedgerNodes = HashMap<NodeId, Hash>;

fn nodes(rows: Vec<NodeRow>) -> Result<LedgerNodes, DatabaseError> {
    let node = |row: NodeRow| {
        let level = u8::try_from(row.level);
        let level = level.map_err(|_| DatabaseError::Corrupt(format!("ledger level {}", row.level)))?;
        Ok((NodeId { level, index: unsigned(row.index)? }, hash(&row.hash)?))
    };
    rows.into_iter().map(node).collect()
}
