//! Corpora of millions of documents, written by the stand-in's own writer into a folder that no server uses yet: over
//! HTTP, where client, server and tests share two cores, it would take several times as long. Ids and fields are as
//! the store writes them, the texts short.

use std::collections::VecDeque;
use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;
use vespa_standin::document::Prepared;
use vespa_standin::schema::DocType;
use vespa_standin::store::{Operation, Outcome, Pending, Store};
use vespa_standin::tensor::Dimensions;

/// Handed over to the writer and not yet on disk, at most.
const UNDER_WAY: usize = 4_000;
/// Of each ten documents so many are chunks of one entity.
const CHUNKS: u64 = 2;
/// Bits of a slot in the purge key.
const SLOT_BITS: u32 = 15;

/// A sync, and how many documents it has.
pub type Sized = (Uuid, u64);

/// Adds the documents of these syncs to the data folder of a stand-in that doesn't run.
pub fn fill(folder: &Path, syncs: &[Sized]) {
    // The writer is waited for, which no thread of a runtime may do.
    std::thread::scope(|threads| threads.spawn(|| write(folder, syncs)).join().unwrap());
}

fn write(folder: &Path, syncs: &[Sized]) {
    let store = Store::open(folder, Dimensions::DEFAULT).unwrap();
    let mut under_way: VecDeque<Pending> = VecDeque::new();
    for (sync, documents) in syncs {
        for number in 0..*documents {
            let document = Document::of(*sync, number);
            let (id, prepared) = (document.id(), Prepared::new(document.kind, document.fields()));
            let put = Operation::Put { id, document: Box::new(prepared), condition: None, create: false };
            under_way.push_back(store.begin(put).unwrap());
            if under_way.len() > UNDER_WAY {
                stored(under_way.pop_front());
            }
        }
    }
    under_way.drain(..).for_each(|pending| stored(Some(pending)));
    store.close();
}

fn stored(pending: Option<Pending>) {
    let outcome = pending.map(|pending| pending.wait().unwrap());
    assert!(matches!(outcome, None | Some(Outcome::Done { changed: 1, .. })), "{outcome:?}");
}

/// The ids of a sync's documents.
pub fn ids(sync: Uuid, documents: u64) -> impl Iterator<Item = String> {
    (0..documents).map(move |number| Document::of(sync, number).id())
}

/// The purge key: the first 48 bits of the sync's id, then the slot.
#[must_use]
pub fn purge_key(sync: Uuid, slot: u64) -> i64 {
    let (high, _) = sync.as_u64_pair();
    i64::try_from(((high >> 16) << SLOT_BITS) | slot).unwrap()
}

/// One document of a sync, made from its number.
struct Document {
    sync: Uuid,
    kind: DocType,
    entity: u64,
    chunk: u64,
}

impl Document {
    fn of(sync: Uuid, number: u64) -> Self {
        let (entity, chunk) = (number / CHUNKS, number % CHUNKS);
        let kind = DocType::ALL[usize::try_from(entity % 5).unwrap()];
        Self { sync, kind, entity, chunk }
    }

    /// The entity's key, as good as random: its first half.
    fn key(&self) -> u64 {
        let (high, low) = self.sync.as_u64_pair();
        mixed(high ^ mixed(low ^ mixed(self.entity)))
    }

    fn id(&self) -> String {
        let (key, rest) = (self.key(), mixed(self.key()));
        format!("id:airweave:{}::{}.{key:016x}{rest:016x}.{}", self.kind.name(), self.sync, self.chunk)
    }

    fn fields(&self) -> serde_json::Map<String, Value> {
        let entity = format!("entity-{}", self.entity);
        let fields = json!({
            "entity_id": entity,
            "name": format!("Entity {}", self.entity),
            "textual_representation": format!("the quarterly report of harbour {} and its ledger", self.entity % 1_000),
            "payload": "{\"state\":\"open\"}",
            "airweave_system_metadata_sync_id": self.sync,
            "airweave_system_metadata_purge_key": purge_key(self.sync, self.key() >> (64 - SLOT_BITS)),
            "airweave_system_metadata_sync_job_id": Uuid::nil(),
            "airweave_system_metadata_collection_id": COLLECTION,
            "airweave_system_metadata_original_entity_id": entity,
            "airweave_system_metadata_entity_type": "StubEntity",
            "airweave_system_metadata_source_name": "stub",
            "airweave_system_metadata_chunk_index": self.chunk,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => unreachable!("an object"),
        }
    }
}

/// The collection that all of these documents name.
pub const COLLECTION: Uuid = Uuid::from_u128(0xc011_ec71_0000_4000_8000_0000_0000_0000);

/// The output of SplitMix64 for this state.
#[must_use]
pub fn mixed(state: u64) -> u64 {
    let mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
