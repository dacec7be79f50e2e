//! Tests of what several parts of the ledger do together.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

mod copies;
mod entries;
mod example;
mod mutations;
mod trees;
mod verified;

/// All nodes of tiles, from the leaves.
fn nodes(leaves: &[Hash]) -> BTreeMap<NodeId, Hash> {
    let mut all = BTreeMap::new();
    let (mut level, mut hashes) = (0, leaves.to_vec());
    while !hashes.is_empty() {
        all.extend((0..).zip(&hashes).map(|(index, hash)| (NodeId { level, index }, *hash)));
        hashes = hashes.chunks_exact(256).map(trees::rfc::root).collect();
        level += 1;
    }
    all
}

/// The names of the files below a folder.
fn below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            names.extend(below(&entry.path()).iter().map(|below| format!("{name}/{below}")));
        } else {
            names.push(name);
        }
    }
    names
}
