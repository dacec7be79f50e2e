//! A small ledger in which everything occurs: made from fixed keys and ids, and pinned as files in `vectors`, which the
//! verifier in Python reads, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::ledger::*;
use crate::receipt::*;
use crate::*;

/// Entries of the log; a full tile and a bit.
pub(super) const SIZE: usize = 260;
/// The size at which an auditor kept a checkpoint.
pub(super) const KEPT: usize = 9;
/// Where the receipts are.
pub(super) const SUPERSEDED_AT: usize = 6;
pub(super) const RECEIPT_AT: usize = 8;
pub(super) const OLD_AT: usize = 257;

pub(super) struct Example {
    pub(super) entries: Vec<Vec<u8>>,
    pub(super) nodes: BTreeMap<NodeId, Hash>,
    pub(super) keys: TrustedKeys,
    pub(super) superseded: ReceiptFile,
    pub(super) receipt: ReceiptFile,
    pub(super) old: ReceiptFile,
    pub(super) kept: String,
    pub(super) checkpoint: String,
}

pub(super) fn signer(byte: u8) -> LedgerSigner {
    LedgerSigner::new("unweave.example.org/ledger".parse().unwrap(), byte.to_string(), &[byte; 32]).unwrap()
}

pub(super) fn id(last: u128) -> Uuid {
    Uuid::from_u128(0x4000_8000_0000_0000_0000 | last)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap() + TimeDelta::seconds(seconds)
}

fn receipt(last: u128, opening: &Opening, follows: Option<ReceiptId>, issued: i64) -> Receipt {
    let target = |by, of: &str| {
        let verifications: Vec<_> = [60, 0].map(|before| VerifiedEmpty { at: at(issued - before), by }).into();
        TargetReceipt {
            found: 3,
            removed: 3,
            removed_by_type: BTreeMap::from([(of.to_owned(), 3)]),
            rounds: 1,
            verified_empty_at: at(issued),
            verified_by: by,
            verifications,
        }
    };
    let targets = BTreeMap::from([
        (PurgeTarget::Vespa, target(Verification::ZeroCount, "file_entity")),
        (PurgeTarget::Arf, target(Verification::EmptyListing, "raw")),
    ]);
    let until = OutOfReachUntil { what: "backups of PostgreSQL".to_owned(), until: at(2_592_000) };
    Receipt {
        form: FORM,
        receipt_id: ReceiptId(id(last)),
        cleanup_id: CleanupId(id(5)),
        organization_id: OrganizationId(id(1)),
        collection_id: CollectionId(id(2)),
        source_connection_id: SourceConnectionId(id(3)),
        sync_id: SyncId(id(4)),
        requested_by: Some(ApiKeyId(id(6))),
        request_id: Some(RequestId(id(7))),
        deletion_requested_at: at(0),
        rows_deleted_at: at(1),
        entity_rows_deleted: 3,
        blob_key_destroyed_at: Some(at(1)),
        has_plain_blobs: false,
        writer_end: WriterEnd::Lease,
        checked_again_at: Some(at(3_700)),
        targets,
        settle_delay_seconds: Some(60),
        later_check: Some(follows.map_or(LaterCheck::Due { at: at(3_700) }, |_| LaterCheck::Made { at: at(issued) })),
        out_of_reach: vec!["Backups, until they expire; with \"quotes\", é and \u{1f512}.".to_owned()],
        out_of_reach_until: vec![until],
        follows,
        deletion_reference_hash: Some(opening.hash()),
        issued_at: at(issued),
    }
}

impl Example {
    pub(super) fn new() -> Self {
        let opening: Opening =
            serde_json::from_value(json!({ "salt": "000102030405060708090a0b0c0d0e0f", "reference": "GDPR-42" }))
                .unwrap();
        let first = signer(7).sign_receipt(&receipt(8, &opening, None, 100)).unwrap();
        let second = signer(7).sign_receipt(&receipt(9, &opening, Some(ReceiptId(id(8))), 3_800)).unwrap();
        let old: SignedReceipt = serde_json::from_str(include_str!("../../receipt/form_2.json")).unwrap();
        let entries = entries(&opening, [&first, &second, &old]);
        let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let nodes = super::nodes(&leaves);
        let checkpoint = |size: usize, signer: LedgerSigner| {
            let size = u64::try_from(size).unwrap();
            let checkpoint =
                Checkpoint { origin: signer.verifier().origin().clone(), size, root: root(size, &nodes).unwrap() };
            signer.sign_checkpoint(&checkpoint).unwrap()
        };
        // The key was changed in between.
        let (kept, checkpoint) = (checkpoint(KEPT, signer(7)), checkpoint(SIZE, signer(8)));
        let file = |signed: &SignedReceipt, index: usize, reference: Option<&Opening>| {
            let index = u64::try_from(index).unwrap();
            let size = u64::try_from(SIZE).unwrap();
            let inclusion_proof = inclusion_proof(index, size, &nodes).unwrap();
            let proof = LedgerProof { index, checkpoint: checkpoint.clone(), inclusion_proof };
            ReceiptFile { reference: reference.cloned(), ledger: Some(proof), ..signed.clone().into() }
        };
        Self {
            superseded: file(&first, SUPERSEDED_AT, Some(&opening)),
            receipt: file(&second, RECEIPT_AT, Some(&opening)),
            old: file(&old, OLD_AT, None),
            keys: [signer(8), signer(7)].map(|signer| signer.verifier().clone()).into_iter().collect(),
            entries,
            nodes,
            kept,
            checkpoint,
        }
    }

    /// Name and content of each pinned file.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let json = |file: &ReceiptFile| serde_json::to_string_pretty(file).unwrap() + "\n";
        let keys: String = self.keys.iter().map(|key| format!("{key}\n")).collect();
        let not_yet = ReceiptFile { ledger: None, ..self.receipt.clone() };
        let texts = [
            ("keys.txt", keys),
            ("kept-checkpoint", self.kept.clone()),
            ("receipt.json", json(&self.receipt)),
            ("receipt-not-in-ledger.json", json(&not_yet)),
            ("receipt-superseded.json", json(&self.superseded)),
            ("receipt-form-2.json", json(&self.old)),
            ("copy/checkpoint", self.checkpoint.clone()),
        ];
        let mut files: BTreeMap<_, _> = texts.map(|(name, text)| (name.to_owned(), text.into_bytes())).into();
        let size = u64::try_from(SIZE).unwrap();
        for tile in tiles_between(0, size) {
            let first = tile.index * 256;
            let range = first..first + u64::from(tile.width);
            let hashes: Vec<_> = range.map(|index| self.nodes[&NodeId { level: tile.level, index }]).collect();
            files.insert(format!("copy/log/{}", tile.path()), write_tile(&hashes).unwrap());
        }
        for bundle in bundles_between(0, size) {
            let first = usize::try_from(bundle.first_entry()).unwrap();
            let entries = &self.entries[first..first + usize::from(bundle.width)];
            files.insert(format!("copy/log/{}", bundle.path()), write_bundle(entries).unwrap());
        }
        files
    }
}

fn entries(opening: &Opening, [first, second, old]: [&SignedReceipt; 3]) -> Vec<Vec<u8>> {
    let stamp = |seconds| stamp::text(at(seconds));
    let audit = |actor: serde_json::Value, action: &str, object: Option<Uuid>| {
        json!({ "form": 1, "kind": "audit", "at": stamp(-60), "actor": actor, "organization_id": id(1),
                "action": action, "object_id": object })
    };
    let deleted = json!({
        "form": 1, "kind": "deleted", "organization_id": id(1), "collection_id": id(2), "source_connection_id": id(3),
        "sync_id": id(4), "cleanup_id": id(5), "deletion_requested_at": stamp(0), "rows_deleted_at": stamp(1),
        "requested_by": id(6), "request_id": id(7), "reference_hash": opening.hash(), "entity_rows_deleted": 3,
        "writer_end": "lease", "targets": ["vespa", "arf"], "blob_key_destroyed_at": stamp(1), "has_plain_blobs": false,
    });
    let superseded = json!({ "form": 1, "kind": "superseded", "receipt_id": id(8), "cleanup_id": id(5),
                             "organization_id": id(1), "superseded_at": stamp(3_000), "reason": "reopened" });
    let receipt = |signed: &SignedReceipt| serde_json::to_value(Entry::of_receipt(signed.receipt.clone())).unwrap();
    let facts: BTreeMap<usize, _> = BTreeMap::from([
        (3, audit(json!({ "api_key_id": id(6) }), "api_key.created", Some(id(10)))),
        (4, audit(json!("operator"), "purge.paused", None)),
        (5, deleted),
        (SUPERSEDED_AT, receipt(first)),
        (7, superseded),
        (RECEIPT_AT, receipt(second)),
        (OLD_AT, receipt(old)),
    ]);
    let filler = |index| json!({ "form": 1, "kind": "later", "number": index });
    (0..SIZE).map(|index| canonical(facts.get(&index).unwrap_or(&filler(index))).unwrap()).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/ledger/vectors")
}

/// To be run after a form was added.
#[test]
#[ignore = "writes the pinned files anew: cargo test -p shared-models write_vectors -- --ignored"]
fn write_vectors() {
    for (name, content) in Example::new().files() {
        let file = folder().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
}

#[test]
fn what_is_made_is_what_was_pinned() {
    let files = Example::new().files();
    for (name, content) in &files {
        assert!(std::fs::read(folder().join(name)).unwrap() == *content, "{name}");
    }
    let pinned: BTreeSet<_> = super::below(&folder()).into_iter().collect();
    assert_eq!(pinned, files.into_keys().collect());
}
