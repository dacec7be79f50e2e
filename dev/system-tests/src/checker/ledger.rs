//! DEL-10 and DEL-11: what the ledger store has, beside PostgreSQL. It is read as a stranger would.

use std::collections::BTreeSet;
use std::path::Path;

use shared_models::invariant::facts::{Evident, Remembered};
use shared_models::ledger::{
    Entry, LogCopy, MAX_BUNDLE_BYTES, ReadEntry, bundles_between, read_bundle, read_checkpoint, tiles_between,
};
use shared_models::{Facts as _, ReceiptId, Violation};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::ledger_keys::ledger_keys;

/// What a whole log says.
struct Log {
    deleted: Vec<Uuid>,
    receipts: BTreeSet<ReceiptId>,
    size: u64,
}

pub(super) async fn violations(client: &Client, folder: &Path) -> Vec<Violation> {
    // Nothing was published yet.
    let Ok(note) = std::fs::read_to_string(folder.join("checkpoint")) else { return Vec::new() };
    let Some(log) = read(folder, &note) else {
        return Evident { is_whole: false, receipts: 0, proven: 0 }.check().err().into_iter().collect();
    };
    let sql = "SELECT count(*) FROM unnest($1::uuid[]) AS gone (id)
               WHERE NOT EXISTS (SELECT FROM cleanup WHERE sync_id = gone.id)
                  OR EXISTS (SELECT FROM sync WHERE sync.id = gone.id)";
    let undone: i64 = client.query_one(sql, &[&log.deleted]).await.unwrap().get(0);
    let sql = "SELECT r.id FROM receipt r JOIN ledger_index i USING (entry_id)
               WHERE i.index < (SELECT max(size) FROM ledger_checkpoint WHERE published_at IS NOT NULL) AND i.index < $1";
    let rows = client.query(sql, &[&i64::try_from(log.size).unwrap()]).await.unwrap();
    let proven = rows.iter().filter(|row| log.receipts.contains(&ReceiptId(row.get(0)))).count();
    let number = |count: usize| u64::try_from(count).unwrap();
    let undone = u64::try_from(undone).unwrap();
    let checks = [
        Remembered { published: number(log.deleted.len()), undone, is_served: true }.check(),
        Evident { is_whole: true, receipts: number(rows.len()), proven: number(proven) }.check(),
    ];
    checks.into_iter().filter_map(Result::err).collect()
}

/// The log of the checkpoint; nothing if what lies there doesn't lead to it.
fn read(folder: &Path, note: &str) -> Option<Log> {
    let checkpoint = read_checkpoint(note, &ledger_keys()).ok()?.checkpoint;
    let file = |name: String| std::fs::read(folder.join("log").join(name)).ok();
    let mut log = Log { deleted: Vec::new(), receipts: BTreeSet::new(), size: checkpoint.size };
    let mut copy = LogCopy::new([]);
    let mut tiles = Vec::new();
    for bundle in bundles_between(0, checkpoint.size) {
        let bytes = file(bundle.path()).filter(|bytes| bytes.len() <= MAX_BUNDLE_BYTES)?;
        tiles.extend(copy.add_bundle(&bytes, bundle.width).ok()?);
        for entry in read_bundle(&bytes, bundle.width).ok()? {
            match Entry::read(entry).ok()? {
                ReadEntry::Known(Entry::Deleted(deleted)) => log.deleted.push(deleted.sync_id.0),
                ReadEntry::Known(Entry::Receipt(entry)) => {
                    log.receipts.insert(serde_json::from_value(entry.receipt.get("receipt_id")?.clone()).ok()?);
                }
                ReadEntry::Known(Entry::Superseded(_) | Entry::Audit(_)) | ReadEntry::Unknown { .. } => {}
            }
        }
    }
    copy.check_whole(&checkpoint).ok()?;
    tiles.extend(copy.partial_tiles());
    for id in tiles_between(0, checkpoint.size) {
        let made = &tiles.iter().find(|tile| tile.id == id)?.hashes;
        let bytes: Vec<u8> = made.iter().flat_map(|hash| hash.0).collect();
        file(id.path()).filter(|file| *file == bytes)?;
    }
    Some(log)
}
