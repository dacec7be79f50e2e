//! What clients are told of the deletion ledger beside their receipts: that it only grew.
//!
//! Keeps DEL-9: entries go to their own organization; keys, checkpoints and proofs name nobody and go to everybody.

use shared_database::Database;
use shared_models::ledger::{TreeError, consistency_proof, needed_for_consistency};
use shared_models::wire::ledger::ConsistencyProof;
use shared_receipts::FileError;

use crate::problem::Problem;

/// That the first `old` entries are the beginning of the first `new`; nothing if there aren't so many.
///
/// # Errors
/// PostgreSQL.
pub async fn consistency(database: &Database, old: u64, new: u64) -> Result<Option<ConsistencyProof>, Problem> {
    let published = database.newest_checkpoint(true).await?;
    if old == 0 || old > new || published.is_none_or(|published| new > published.size) {
        return Ok(None);
    }
    let nodes = database.ledger_nodes(&needed_for_consistency(old, new).map_err(unfit)?).await?;
    let proof = consistency_proof(old, new, &nodes).map_err(unfit)?;
    let proof = proof.iter().map(ToString::to_string).collect();
    Ok(Some(ConsistencyProof { old_size: old, new_size: new, proof }))
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Database(error) => error.into(),
            FileError::Malformed => Self::Internal("a receipt is malformed"),
            FileError::Tree(error) => unfit(error),
        }
    }
}

fn unfit(error: TreeError) -> Problem {
    tracing::error!(%error, "prove by the ledger");
    Problem::Internal("the ledger can't prove what it has")
}
