//! Makes a ledger of many entries in a folder, to measure how long a copy of it takes to verify:
//! `cargo run --release -p unweave-cli --example make_ledger -- FOLDER ENTRIES`. Prints the verifier key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use shared_models::ledger::{
    Checkpoint, Frontier, LedgerSigner, TILE_WIDTH, Tile, canonical, leaf_hash, write_bundle, write_tile,
};
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[expect(clippy::print_stdout, reason = "tells the key")]
fn main() -> Outcome<()> {
    let mut given = std::env::args().skip(1);
    let folder = PathBuf::from(given.next().ok_or("say in which folder")?);
    let entries: u64 = given.next().ok_or("say how many entries")?.parse()?;
    let signer = LedgerSigner::new("unweave.example.org/ledger".parse()?, "made".to_owned(), &[7; 32])?;
    let log = Log { folder: folder.join("log"), frontier: Frontier::new() }.of(entries)?;
    let checkpoint = Checkpoint { origin: signer.verifier().origin().clone(), size: entries, root: log.root() };
    let note = signer.sign_checkpoint(&checkpoint)?;
    write(&folder.join(format!("log/checkpoints/{entries}")), note.as_bytes())?;
    write(&folder.join("checkpoint"), note.as_bytes())?;
    println!("{}", signer.verifier());
    Ok(())
}

struct Log {
    folder: PathBuf,
    frontier: Frontier,
}

impl Log {
    fn of(mut self, entries: u64) -> Outcome<Frontier> {
        let mut bundle = Vec::new();
        for index in 0..entries {
            let entry = canonical(&entry(index))?;
            for tile in self.frontier.append(leaf_hash(&entry))? {
                self.write_tile(&tile)?;
            }
            bundle.push(entry);
            if bundle.len() == usize::from(TILE_WIDTH) || index + 1 == entries {
                let id = shared_models::ledger::BundleId { index: index / 256, width: u16::try_from(bundle.len())? };
                write(&self.folder.join(id.path()), &write_bundle(&bundle)?)?;
                bundle.clear();
            }
        }
        self.frontier.partial_tiles().iter().try_for_each(|tile| self.write_tile(tile))?;
        Ok(self.frontier)
    }

    fn write_tile(&self, tile: &Tile) -> Outcome<()> {
        write(&self.folder.join(tile.id.path()), &write_tile(&tile.hashes)?)
    }
}

/// In turn a deletion, its receipt, and what somebody changed.
fn entry(index: u64) -> Value {
    let id = |kind: u128| Uuid::from_u128((kind << 96) | 0x4000_8000_0000_0000_0000 | u128::from(index / 3));
    let at = "2026-09-21T14:13:20.123456Z";
    let target = |by: &str| {
        json!({
            "found": index, "removed": index, "removed_by_type": { "file_entity": index }, "rounds": 1,
            "verified_empty_at": at, "verified_by": by, "verifications": [{ "at": at, "by": by }, { "at": at, "by": by }],
        })
    };
    match index % 3 {
        0 => json!({
            "kind": "deleted", "form": 1, "organization_id": id(1), "collection_id": id(2),
            "source_connection_id": id(3), "sync_id": id(4), "cleanup_id": id(5), "deletion_requested_at": at,
            "rows_deleted_at": at, "requested_by": id(6), "request_id": id(7), "reference_hash": null,
            "entity_rows_deleted": index, "writer_end": "lease", "targets": ["vespa", "arf"],
            "blob_key_destroyed_at": at, "has_plain_blobs": false,
        }),
        1 => json!({
            "kind": "receipt", "form": 1,
            "receipt": {
                "form": 3, "receipt_id": id(8), "cleanup_id": id(5), "organization_id": id(1), "collection_id": id(2),
                "source_connection_id": id(3), "sync_id": id(4), "requested_by": id(6), "request_id": id(7),
                "deletion_requested_at": at, "rows_deleted_at": at, "entity_rows_deleted": index,
                "blob_key_destroyed_at": at, "has_plain_blobs": false, "writer_end": "acknowledged",
                "checked_again_at": null, "settle_delay_seconds": 0, "later_check": null, "follows": null,
                "targets": { "vespa": target("zero_count"), "arf": target("empty_listing") },
                "out_of_reach": ["Disk blocks that Vespa has not compacted yet, and document ids in its tombstones."],
                "out_of_reach_until": [{ "what": "backups of PostgreSQL", "until": at }],
                "deletion_reference_hash": null, "issued_at": at,
            },
        }),
        _ => json!({
            "kind": "audit", "form": 1, "at": at, "actor": { "api_key_id": id(6) }, "organization_id": id(1),
            "action": "api_key.created", "object_id": id(9),
        }),
    }
}

fn write(file: &Path, content: &[u8]) -> Outcome<()> {
    fs::create_dir_all(file.parent().ok_or("no folder")?)?;
    Ok(fs::write(file, content)?)
}
