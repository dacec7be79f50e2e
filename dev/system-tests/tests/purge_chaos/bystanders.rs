//! What is near a sync that is purged and isn't its own: none of it may be touched.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::dice::Dice;
use super::documents::Document;
use super::victim::Victim;

/// Documents of each kind.
const EACH: usize = 4;

/// Documents of the twin and of nobody, as like the victim's as can be.
pub fn documents(victim: &Victim, dice: &mut Dice) -> Vec<Document> {
    let (sync, twin) = (victim.sync, victim.twin);
    let mut all = Vec::new();
    for _ in 0..EACH {
        // Their keys are in the victim's ranges.
        all.push(Document::ours(twin, dice));
        all.push(Document::ours(twin, dice).with_wrong_key(sync, sync, dice));
        all.push(Document::older(twin, dice));
        all.push(Document::foreign(twin, dice));
        // Named like the victim's own.
        let named = format!("{sync}.{:032x}.0", dice.number());
        all.push(Document::ours(twin, dice).called(named));
        // The victim's id in every field but the one that counts.
        let mut mentions = Document::foreign(twin, dice);
        for field in [
            "entity_id",
            "name",
            "airweave_system_metadata_collection_id",
            "airweave_system_metadata_original_entity_id",
            "airweave_system_metadata_sync_job_id",
        ] {
            mentions.fields[field] = json!(sync);
        }
        all.push(mentions);
        // Nobody's, with a key of the victim's.
        let mut nobodys = Document::ours(sync, dice).called(format!("nobody-{}", dice.number()));
        nobodys.fields.as_object_mut().unwrap().remove("airweave_system_metadata_sync_id");
        all.push(nobodys);
        // Nearly the victim's id.
        for nearly in [format!("{sync}x"), format!("x {sync}"), sync.simple().to_string(), format!("{{{sync}}}")] {
            let mut document = Document::ours(sync, dice).called(format!("nearly-{}", dice.number()));
            document.fields["airweave_system_metadata_sync_id"] = json!(nearly);
            all.push(document);
        }
    }
    all
}

/// Blobs of the twin, and whatever is nearly the victim's folder.
pub fn blobs(arf: &Path, victim: &Victim) {
    let (raw, sync) = (arf.join("raw"), victim.sync.to_string());
    let upper = sync.to_uppercase();
    for folder in [victim.twin.to_string(), upper, format!("{sync}x"), format!("x{sync}"), format!("{sync} ")] {
        let entities = raw.join(folder).join("entities");
        fs::create_dir_all(&entities).unwrap();
        fs::write(entities.join("kept.json"), sync.as_bytes()).unwrap();
        fs::write(entities.join("kept.json#1"), "half").unwrap();
    }
    fs::write(raw.join(format!("{sync}.bak")), "kept").unwrap();
    let outside = victim.outside(arf);
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::write(outside.join("kept.txt"), "kept").unwrap();
    fs::write(outside.join("deep/kept.txt"), "kept").unwrap();
}
