//! A receipt's file: what was signed, what opens its reference, and where it is in the ledger.

use std::collections::BTreeSet;

use shared_database::ledger::StoredCheckpoint;
use shared_database::receipts::StoredReceipt;
use shared_database::{Database, DatabaseError};
use shared_models::ledger::{NodeId, TreeError, inclusion_proof, needed_for_inclusion};
use shared_models::receipt::{LedgerProof, ReceiptFile, SignedReceipt};

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What PostgreSQL has is no receipt.
    #[error("a receipt is malformed")]
    Malformed,
    /// PostgreSQL's ledger lacks a hash.
    #[error("the ledger can't prove what it has: {0}")]
    Tree(#[from] TreeError),
}

/// A receipt as its organization gets it: with its place in the ledger, if that is published.
///
/// # Errors
/// [`FileError`].
pub async fn file(database: &Database, receipt: StoredReceipt) -> Result<ReceiptFile, FileError> {
    let published = database.newest_checkpoint(true).await?;
    files(database, vec![receipt], published.as_ref()).await?.pop().ok_or(FileError::Malformed)
}

/// The same of several under one checkpoint, in their order. It asks PostgreSQL once, however many they are.
///
/// # Errors
/// [`FileError`].
pub async fn files(
    database: &Database,
    receipts: Vec<StoredReceipt>,
    published: Option<&StoredCheckpoint>,
) -> Result<Vec<ReceiptFile>, FileError> {
    let size = published.map_or(0, |published| published.size);
    let indexes: Vec<Option<u64>> =
        receipts.iter().map(|receipt| receipt.index.filter(|index| *index < size)).collect();
    let mut needed: BTreeSet<NodeId> = BTreeSet::new();
    for index in indexes.iter().flatten() {
        needed.extend(needed_for_inclusion(*index, size)?);
    }
    let needed: Vec<NodeId> = needed.into_iter().collect();
    let nodes = if needed.is_empty() { Default::default() } else { database.ledger_nodes(&needed).await? };
    let mut files = Vec::with_capacity(receipts.len());
    for (receipt, index) in receipts.into_iter().zip(indexes) {
        let signed: SignedReceipt = serde_json::from_value(receipt.signed).map_err(|_| FileError::Malformed)?;
        let mut file = ReceiptFile::from(signed);
        file.reference = receipt.reference;
        if let (Some(index), Some(published)) = (index, published) {
            let inclusion_proof = inclusion_proof(index, size, &nodes)?;
            file.ledger = Some(LedgerProof { index, checkpoint: published.note.clone(), inclusion_proof });
        }
        files.push(file);
    }
    Ok(files)
}
