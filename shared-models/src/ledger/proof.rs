//! Proofs that an entry is in the log, and that a log continues another one: made from the nodes of tiles, and checked.
//!
//! What is checked may come from anybody: nothing here panics, and no proof is looked at that is longer than a tree can
//! need.

use std::cell::RefCell;

use tlog_tiles::HashReader;

use super::hash::{EMPTY_ROOT, Hash};
use super::tree::{NodeId, Nodes, TileReader, TreeError, check_size, parts};

/// No proof is longer: a tree of [`MAX_SIZE`](super::tree::MAX_SIZE) entries has 53 levels, and a proof that a log
/// continues another one has one hash more.
pub const MAX_PROOF_HASHES: usize = 54;

/// The nodes that [`inclusion_proof`] needs.
///
/// # Errors
/// There is no such entry.
pub fn needed_for_inclusion(index: u64, size: u64) -> Result<Vec<NodeId>, TreeError> {
    let recorder = Recorder::default();
    prove_inclusion(index, size, &recorder)?.map_err(|_| TreeError::Proof)?;
    Ok(recorder.needed())
}

/// The proof that entry `index` is in a log of `size` entries.
///
/// # Errors
/// There is no such entry, or a node is missing.
pub fn inclusion_proof(index: u64, size: u64, nodes: &impl Nodes) -> Result<Vec<Hash>, TreeError> {
    let reader = TileReader::new(nodes);
    let proof = prove_inclusion(index, size, &reader)?.map_err(|_| reader.error())?;
    Ok(proof.into_iter().map(Hash::from).collect())
}

/// The nodes that [`consistency_proof`] needs.
///
/// # Errors
/// The log would have shrunk.
pub fn needed_for_consistency(old: u64, new: u64) -> Result<Vec<NodeId>, TreeError> {
    let recorder = Recorder::default();
    prove_consistency(old, new, &recorder)?.map_err(|_| TreeError::Proof)?;
    Ok(recorder.needed())
}

/// The proof that the log of `new` entries begins with the one of `old` entries. Empty if nothing is to be proven: if
/// both are one, or the old one is empty.
///
/// # Errors
/// The log would have shrunk, or a node is missing.
pub fn consistency_proof(old: u64, new: u64, nodes: &impl Nodes) -> Result<Vec<Hash>, TreeError> {
    let reader = TileReader::new(nodes);
    let proof = prove_consistency(old, new, &reader)?.map_err(|_| reader.error())?;
    Ok(proof.into_iter().map(Hash::from).collect())
}

/// Checks that the entry with this hash is at `index` of the log with this size and root.
///
/// # Errors
/// The proof doesn't show that.
pub fn check_inclusion(proof: &[Hash], index: u64, size: u64, leaf: Hash, root: Hash) -> Result<(), TreeError> {
    check_size(size)?;
    if index >= size {
        return Err(TreeError::Outside { index, size });
    }
    tlog_tiles::check_record(&library(proof)?, size, root.into(), index, leaf.into()).map_err(|_| TreeError::Proof)
}

/// Checks that the log with the new size and root begins with the one with the old size and root.
///
/// # Errors
/// The proof doesn't show that.
pub fn check_consistency(
    proof: &[Hash],
    old_size: u64,
    old_root: Hash,
    new_size: u64,
    new_root: Hash,
) -> Result<(), TreeError> {
    check_growth(old_size, new_size)?;
    if (old_size == 0 && old_root != EMPTY_ROOT) || (new_size == 0 && new_root != EMPTY_ROOT) {
        return Err(TreeError::Proof);
    }
    // Every log continues the empty one.
    if old_size == 0 {
        return if proof.is_empty() { Ok(()) } else { Err(TreeError::Proof) };
    }
    let checked = tlog_tiles::check_tree(&library(proof)?, new_size, new_root.into(), old_size, old_root.into());
    checked.map_err(|_| TreeError::Proof)
}

/// The outer error says that there is nothing to prove, the inner one that the reader failed.
type Proven = Result<Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error>, TreeError>;

fn prove_inclusion(index: u64, size: u64, reader: &impl HashReader) -> Proven {
    check_size(size)?;
    if index >= size {
        return Err(TreeError::Outside { index, size });
    }
    Ok(tlog_tiles::prove_record(size, index, reader))
}

fn prove_consistency(old: u64, new: u64, reader: &impl HashReader) -> Proven {
    check_growth(old, new)?;
    Ok(if old == 0 { Ok(Vec::new()) } else { tlog_tiles::prove_tree(new, old, reader) })
}

fn check_growth(old: u64, new: u64) -> Result<(), TreeError> {
    check_size(new)?;
    if old > new { Err(TreeError::Shrunk { old, new }) } else { Ok(()) }
}

fn library(proof: &[Hash]) -> Result<Vec<tlog_tiles::Hash>, TreeError> {
    if proof.len() > MAX_PROOF_HASHES {
        return Err(TreeError::Proof);
    }
    Ok(proof.iter().map(|hash| (*hash).into()).collect())
}

/// Notes what the library asks for.
#[derive(Default)]
struct Recorder(RefCell<Vec<u64>>);

impl Recorder {
    fn needed(self) -> Vec<NodeId> {
        self.0.into_inner().into_iter().flat_map(parts).collect()
    }
}

impl HashReader for Recorder {
    fn read_hashes(&self, stored: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        self.0.borrow_mut().extend_from_slice(stored);
        Ok(vec![tlog_tiles::Hash::default(); stored.len()])
    }
}
