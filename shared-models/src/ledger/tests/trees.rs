//! Roots and proofs, against published vectors and against RFC 6962 written down as it is defined.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::nodes;
use crate::ledger::*;

/// The definitions of RFC 6962, section 2.1, word by word.
pub(super) mod rfc {
    use crate::ledger::{EMPTY_ROOT, Hash, node_hash};

    fn split(n: usize) -> usize {
        n.next_power_of_two() / 2
    }

    pub(in crate::ledger::tests) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [leaf] => *leaf,
            leaves => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node_hash(&root(left), &root(right))
            }
        }
    }

    pub(super) fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        if m < left.len() {
            [path(m, left), vec![root(right)]].concat()
        } else {
            [path(m - left.len(), right), vec![root(left)]].concat()
        }
    }

    pub(super) fn consistency(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        subproof(m, leaves, true)
    }

    fn subproof(m: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if is_known { Vec::new() } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        if m <= left.len() {
            [subproof(m, left, is_known), vec![root(right)]].concat()
        } else {
            [subproof(m - left.len(), right, false), vec![root(left)]].concat()
        }
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(format!("entry {number}").as_bytes())).collect()
}

fn only(needed: Vec<NodeId>, all: &BTreeMap<NodeId, Hash>) -> BTreeMap<NodeId, Hash> {
    needed.into_iter().map(|node| (node, all[&node])).collect()
}

/// Everything about one pair of sizes, from the needed nodes alone.
fn holds(all: &[Hash], nodes: &BTreeMap<NodeId, Hash>, index: usize, old: usize, new: usize) {
    let (leaves, size) = (&all[..new], u64::try_from(new).unwrap());
    let root_of = |count: usize| {
        let count = u64::try_from(count).unwrap();
        root(count, &only(needed_for_root(count).unwrap(), nodes)).unwrap()
    };
    let root = root_of(new);
    assert_eq!(root, rfc::root(leaves));

    let at = u64::try_from(index).unwrap();
    let proof = inclusion_proof(at, size, &only(needed_for_inclusion(at, size).unwrap(), nodes)).unwrap();
    assert_eq!(proof, rfc::path(index, leaves));
    check_inclusion(&proof, at, size, leaves[index], root).unwrap();
    assert_eq!(check_inclusion(&proof, at, size, Hash([0; 32]), root), Err(TreeError::Proof));

    let before = u64::try_from(old).unwrap();
    let needed = only(needed_for_consistency(before, size).unwrap(), nodes);
    let proof = consistency_proof(before, size, &needed).unwrap();
    assert_eq!(proof, if old == 0 { Vec::new() } else { rfc::consistency(old, leaves) });
    check_consistency(&proof, before, root_of(old), size, root).unwrap();
    if old > 0 {
        let other = check_consistency(&proof, before, Hash([0; 32]), size, root);
        assert_eq!(other, Err(TreeError::Proof), "{old} {new}");
    }
}

#[test]
fn roots_and_proofs_of_all_sizes_up_to_300_are_those_of_the_definition() {
    let leaves = leaves(300);
    let nodes = nodes(&leaves);
    for new in 1..=24 {
        for other in 0..new {
            holds(&leaves, &nodes, other, other, new);
        }
    }
    for new in 25..=300 {
        for (index, old) in [(new * new / 3 % new, new * new / 5 % new), (new - 1, new - 1)] {
            holds(&leaves, &nodes, index, old, new);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn roots_and_proofs_of_larger_logs_are_those_of_the_definition(
        new in 301_usize..3_000, index in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(new);
        holds(&leaves, &nodes(&leaves), index.index(new), old.index(new + 1), new);
    }

    #[test]
    fn a_frontier_knows_roots_and_tiles_wherever_it_is_resumed(new in 1_usize..1_500, at in any::<prop::sample::Index>()) {
        let (leaves, at) = (leaves(new), at.index(new));
        let nodes = nodes(&leaves);
        let start = u64::try_from(at).unwrap();
        let mut frontier = Frontier::resume(start, &only(needed_for_root(start).unwrap(), &nodes)).unwrap();
        prop_assert_eq!(frontier.root(), rfc::root(&leaves[..at]));
        let mut written = Vec::new();
        for leaf in &leaves[at..] {
            written.extend(frontier.append(*leaf).unwrap());
        }
        prop_assert_eq!(frontier.root(), rfc::root(&leaves));
        prop_assert_eq!(root(frontier.size(), &frontier).unwrap(), frontier.root());
        let partial = frontier.partial_tiles();
        for tile in written.iter().chain(&partial) {
            let first = tile.id.index * 256;
            let expected = (first..first + u64::from(tile.id.width)).map(|index| nodes[&NodeId { level: tile.id.level, index }]);
            prop_assert_eq!(&tile.hashes, &expected.collect::<Vec<_>>());
        }
        let mut ids: Vec<_> = written.into_iter().chain(partial).map(|tile| tile.id).collect();
        ids.sort();
        // A tile that isn't full and was there before is written again by nobody.
        let mut expected: Vec<_> = tiles_between(start, u64::try_from(new).unwrap()).collect();
        expected.sort();
        ids.retain(|id| expected.contains(id));
        prop_assert_eq!(ids, expected);
    }
}

#[test]
fn the_roots_of_the_certificate_transparency_test_are_the_published_ones() {
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), EMPTY_ROOT);
    for (input, root) in inputs.iter().zip(roots) {
        frontier.append(leaf_hash(&hex::decode(input).unwrap())).unwrap();
        assert_eq!(hex::encode(frontier.root().0), root);
    }
}

/// From the tests of certificate-transparency-go: the same eight leaves.
#[test]
fn proofs_of_the_certificate_transparency_test_verify() {
    let hash = |text: &str| Hash(hex::decode(text).unwrap().try_into().unwrap());
    let root8 = hash("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    let path = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    check_inclusion(&path.map(hash), 0, 8, leaf_hash(b""), root8).unwrap();
    let root6 = hash("76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef");
    let proof = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    check_consistency(&proof.map(hash), 6, root6, 8, root8).unwrap();
}

#[test]
fn what_cant_be_is_refused_without_a_panic() {
    let empty = BTreeMap::new();
    let (zero, long) = (Hash([0; 32]), vec![Hash([0; 32]); 100_000]);
    assert_eq!(root(0, &empty), Ok(EMPTY_ROOT));
    assert_eq!(root(u64::MAX, &empty), Err(TreeError::TooLarge(u64::MAX)));
    assert_eq!(root(3, &empty), Err(TreeError::Missing(NodeId { level: 0, index: 0 })));
    assert_eq!(inclusion_proof(3, 3, &empty), Err(TreeError::Outside { index: 3, size: 3 }));
    assert_eq!(inclusion_proof(0, 0, &empty), Err(TreeError::Outside { index: 0, size: 0 }));
    assert_eq!(consistency_proof(4, 3, &empty), Err(TreeError::Shrunk { old: 4, new: 3 }));
    assert!(needed_for_root(MAX_SIZE).unwrap().len() < 8 * 256);
    // A path needs at most the tile that it goes through and the last one of each level.
    assert!(needed_for_inclusion(MAX_SIZE / 3, MAX_SIZE).unwrap().len() < 2 * 8 * 256);
    assert!(needed_for_consistency(MAX_SIZE / 3, MAX_SIZE).unwrap().len() < 2 * 8 * 256);
    for size in [0, 1, 2, 255, 256, MAX_SIZE, MAX_SIZE + 1, u64::MAX] {
        for other in [0, 1, 2, 255, 256, MAX_SIZE, MAX_SIZE + 1, u64::MAX] {
            for proof in [&[][..], &[zero], &long[..53], &long[..54], &long[..55], &long] {
                assert!(check_inclusion(proof, other, size, zero, Hash([1; 32])).is_err());
                assert!(check_consistency(proof, other, Hash([1; 32]), size, Hash([2; 32])).is_err());
            }
        }
    }
}

#[test]
fn a_log_continues_itself_and_the_empty_one_with_nothing_to_prove() {
    let (one, two) = (Hash([1; 32]), Hash([2; 32]));
    check_consistency(&[], 5, one, 5, one).unwrap();
    assert_eq!(check_consistency(&[], 5, one, 5, two), Err(TreeError::Proof));
    assert_eq!(check_consistency(&[one], 5, one, 5, one), Err(TreeError::Proof));
    check_consistency(&[], 0, EMPTY_ROOT, 5, one).unwrap();
    check_consistency(&[], 0, EMPTY_ROOT, 0, EMPTY_ROOT).unwrap();
    assert_eq!(check_consistency(&[], 0, one, 5, one), Err(TreeError::Proof));
    assert_eq!(check_consistency(&[], 0, EMPTY_ROOT, 0, one), Err(TreeError::Proof));
    assert_eq!(check_consistency(&[one], 0, EMPTY_ROOT, 5, one), Err(TreeError::Proof));
}
