//! What clients are told of the deletion ledger: where a receipt is in it, and what proves that.
//!
//! Keeps DEL-9: entries go to their own organization; keys, checkpoints and proofs name nobody and go to everybody.

use shared_database::Database;
use shared_database::ledger::StoredCheckpoint;
use shared_database::receipts::StoredReceipt;
use shared_models::ledger::{
    TreeError, consistency_proof, inclusion_proof, needed_for_consistency, needed_for_inclusion,
};
use shared_models::receipt::{LedgerProof, ReceiptFile, SignedReceipt};
use shared_models::wire::ledger::ConsistencyProof;

use crate::problem::Problem;

/// A receipt as its organization gets it: with its place in the ledger, if that is published.
///
/// # Errors
/// PostgreSQL, or what it has is no receipt.
pub async fn file(database: &Database, receipt: StoredReceipt) -> Result<ReceiptFile, Problem> {
    let published = database.newest_checkpoint(true).await?;
    file_in(database, receipt, published.as_ref()).await
}

/// The same of several, under one checkpoint.
///
/// # Errors
/// As [`file()`].
pub async fn file_in(
    database: &Database,
    receipt: StoredReceipt,
    published: Option<&StoredCheckpoint>,
) -> Result<ReceiptFile, Problem> {
    let signed: SignedReceipt =
        serde_json::from_value(receipt.signed).map_err(|_| Problem::Internal("a receipt is malformed"))?;
    let mut file = ReceiptFile::from(signed);
    file.reference = receipt.reference;
    if let (Some(index), Some(published)) = (receipt.index, published)
        && index < published.size
    {
        file.ledger = Some(prove(database, index, published).await?);
    }
    Ok(file)
}

async fn prove(database: &Database, index: u64, published: &StoredCheckpoint) -> Result<LedgerProof, Problem> {
    let needed = needed_for_inclusion(index, published.size).map_err(unfit)?;
    let nodes = database.ledger_nodes(&needed).await?;
    let inclusion_proof = inclusion_proof(index, published.size, &nodes).map_err(unfit)?;
    Ok(LedgerProof { index, checkpoint: published.note.clone(), inclusion_proof })
}

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

fn unfit(error: TreeError) -> Problem {
    tracing::error!(%error, "prove by the ledger");
    Problem::Internal("the ledger can't prove what it has")
}
