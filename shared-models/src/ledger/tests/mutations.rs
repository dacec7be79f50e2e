//! Ten thousand ways to alter what is evidence: each is refused, and none makes anything panic.

use serde_json::Value;

use super::example::{Example, RECEIPT_AT, SIZE, id};
use crate::ids::CleanupId;
use crate::ledger::*;
use crate::receipt::ReceiptFile;

/// Chances from a seed (SplitMix64), the same in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// One bit turned, or a byte removed, doubled, or in the place of another.
    fn altered(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut altered = bytes.to_vec();
        let place = self.below(bytes.len());
        match self.below(5) {
            0 | 1 => altered[place] ^= 1 << self.below(8),
            2 => drop(altered.remove(place)),
            3 => altered.insert(place, bytes[place]),
            _ => altered[place] = bytes[self.below(bytes.len())],
        }
        altered
    }

    /// One value somewhere below altered, removed, doubled or renamed.
    fn alter(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let name = fields.keys().nth(self.below(fields.len())).unwrap().clone();
                match self.below(8) {
                    0 => drop(fields.remove(&name)),
                    1 => {
                        let field = fields.remove(&name).unwrap();
                        fields.insert(format!("{name}s"), field);
                    }
                    2 => drop(fields.insert(format!("{name}s"), Value::Null)),
                    _ => self.alter(&mut fields[&name]),
                }
            }
            Value::Array(values) if !values.is_empty() => {
                let place = self.below(values.len());
                match self.below(6) {
                    0 => drop(values.remove(place)),
                    1 => values.insert(place, values[place].clone()),
                    2 => values.reverse(),
                    _ => self.alter(&mut values[place]),
                }
            }
            Value::String(text) if !text.is_empty() => {
                let altered = self.altered(text.as_bytes());
                *text = String::from_utf8_lossy(&altered).into_owned();
            }
            Value::Number(number) => *value = (number.as_i64().unwrap() + [1, -1, 256][self.below(3)]).into(),
            Value::Bool(is) => *is = !*is,
            Value::Object(_) | Value::Array(_) | Value::String(_) | Value::Null => *value = "x".into(),
        }
    }
}

/// What the file would prove; `None` if it is refused.
fn verified(example: &Example, bytes: &[u8]) -> Option<Verified> {
    let file = ReceiptFile::read(bytes).ok()?;
    verify_receipt(&file, &example.keys, Expectation::Cleanup(CleanupId(id(5))), None).ok()
}

#[test]
fn no_altered_receipt_is_evidence() {
    let example = Example::new();
    let mut chance = Chance(1);
    // A file without its opening or its place proves less, and says so; of earlier forms the key's name isn't signed.
    for (file, times) in [(&example.receipt, 2_000), (&example.old, 500)] {
        let whole = serde_json::to_value(file).unwrap();
        let proven = verified(&example, &serde_json::to_vec(file).unwrap()).unwrap();
        let mut altered_ones = 0;
        while altered_ones < times {
            let mut altered = whole.clone();
            let bytes = if chance.below(2) == 0 {
                chance.alter(&mut altered);
                serde_json::to_vec(&altered).unwrap()
            } else {
                chance.altered(&serde_json::to_vec(&altered).unwrap())
            };
            let read: Option<Value> = serde_json::from_slice(&bytes).ok();
            let only_less = read.as_ref().is_some_and(|read| {
                let part = |name: &str| read.get(name).filter(|part| !part.is_null());
                let (place, opening) = (part("ledger"), part("reference"));
                (place.is_none() && whole["ledger"] != Value::Null)
                    || (opening.is_none() && whole["reference"] != Value::Null)
            });
            let only_name = file.signature.public_key.is_some()
                && read.as_ref().is_some_and(|read| read["signature"]["key_id"] != whole["signature"]["key_id"]);
            if ReceiptFile::read(&bytes).is_ok_and(|read| read == *file) || only_name {
                continue;
            }
            altered_ones += 1;
            let Some(found) = verified(&example, &bytes) else { continue };
            assert!(only_less, "{}", String::from_utf8_lossy(&bytes));
            assert_eq!(found.receipt, proven.receipt);
            assert!(found.checked.len() < proven.checked.len());
        }
    }
}

#[test]
fn no_altered_checkpoint_is_trusted() {
    let example = Example::new();
    let mut chance = Chance(2);
    let whole = read_checkpoint(&example.checkpoint, &example.keys).unwrap();
    for _ in 0..3_000 {
        let altered = chance.altered(example.checkpoint.as_bytes());
        let Ok(altered) = String::from_utf8(altered) else { continue };
        match read_checkpoint(&altered, &example.keys) {
            Ok(read) => assert!(altered == example.checkpoint && read == whole, "{altered}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn no_altered_proof_leads_to_the_root() {
    let example = Example::new();
    let mut chance = Chance(3);
    let size = u64::try_from(SIZE).unwrap();
    let mut roots = LogCopy::new([]);
    let mut root_of = vec![EMPTY_ROOT];
    for entry in &example.entries {
        roots.add_entry(entry).unwrap();
        root_of.push(roots.root());
    }
    for _ in 0..1_800 {
        let index = u64::try_from(chance.below(SIZE)).unwrap();
        let leaf = example.nodes[&NodeId { level: 0, index }];
        let proof = inclusion_proof(index, size, &example.nodes).unwrap();
        let (altered, [index_, size_]) = alter_proof(&mut chance, &proof, [index, size]);
        if (&altered, index_, size_) != (&proof, index, size) {
            let checked = check_inclusion(&altered, index_, size_, leaf, root_of[SIZE]);
            // A proof of the same entry of the same log, if the size has the same path to the same root: it hasn't.
            assert!(checked.is_err(), "{index} of {size} is {index_} of {size_}");
        }
        let old = u64::try_from(1 + chance.below(SIZE - 1)).unwrap();
        let proof = consistency_proof(old, size, &example.nodes).unwrap();
        let (altered, [old_, size_]) = alter_proof(&mut chance, &proof, [old, size]);
        if (&altered, old_, size_) != (&proof, old, size) {
            let checked =
                check_consistency(&altered, old_, root_of[usize::try_from(old).unwrap()], size_, root_of[SIZE]);
            assert!(checked.is_err(), "{old} and {size} are {old_} and {size_}");
        }
    }
}

fn alter_proof(chance: &mut Chance, proof: &[Hash], mut sizes: [u64; 2]) -> (Vec<Hash>, [u64; 2]) {
    let mut proof = proof.to_vec();
    let place = chance.below(proof.len());
    match chance.below(6) {
        0 => sizes[0] ^= 1 << chance.below(10),
        1 if !proof.is_empty() => drop(proof.remove(place)),
        2 => proof.insert(place, Hash([0; 32])),
        3 if proof.len() > 1 => proof.swap(0, 1),
        4 if !proof.is_empty() => proof.push(proof[place]),
        _ if !proof.is_empty() => proof[place].0[chance.below(32)] ^= 1 << chance.below(8),
        _ => {}
    }
    (proof, sizes)
}

#[test]
fn no_altered_log_is_the_one_that_was_signed() {
    let example = Example::new();
    let mut chance = Chance(4);
    let signed = read_checkpoint(&example.checkpoint, &example.keys).unwrap().checkpoint;
    let mut copy = LogCopy::new([]);
    let bundle = |entries: &[Vec<u8>]| write_bundle(entries).unwrap();
    copy.add_bundle(&bundle(&example.entries[..256]), 256).unwrap();
    let last = bundle(&example.entries[256..]);
    for _ in 0..500 {
        let altered = chance.altered(&last);
        let mut copy = copy.clone();
        let is_refused = copy.add_bundle(&altered, 4).is_err() || copy.check_whole(&signed).is_err();
        assert!(is_refused || altered == last);
    }
}

#[test]
fn an_altered_entry_is_refused_or_is_another_one() {
    let example = Example::new();
    let mut chance = Chance(5);
    for turn in 0..1_500 {
        let entry = &example.entries[3 + turn % (RECEIPT_AT - 2)];
        let altered = chance.altered(entry);
        let read = Entry::read(&altered);
        assert!(read.is_err() || altered == *entry || leaf_hash(&altered) != leaf_hash(entry));
        if let Ok(ReadEntry::Known(read)) = read {
            assert_eq!(read.canonical().unwrap(), altered);
        }
        // Nesting and numbers of any size in every place; within a text they are harmless.
        let text = String::from_utf8_lossy(entry);
        for hostile in ["[".repeat(20_000), "9".repeat(5_000), "{\"a\":".repeat(3_000), "\":[".repeat(3_000)] {
            let place = chance.below(text.len());
            if turn % 50 == 0 && text.is_char_boundary(place) {
                drop(Entry::read(format!("{}{hostile}{}", &text[..place], &text[place..]).as_bytes()));
            }
        }
    }
}
