//! A sync that is to be purged, and what it has in both stores: something of every kind that a purge could trip over.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::dice::Dice;
use super::documents::Document;

/// More than a page of ids, and than a worker with a rate may remove in a slice.
const MANY: u64 = 10_500;

/// The sync.
pub struct Victim {
    pub sync: Uuid,
    /// A live one with the same first 48 bits.
    pub twin: Uuid,
    documents: Vec<Document>,
    /// Documents that pass to the twin while they are being purged.
    pub passing: Vec<Document>,
}

impl Victim {
    /// The folder outside of `raw` that its links lead to.
    pub fn outside(&self, arf: &Path) -> PathBuf {
        arf.join("outside").join(self.sync.to_string())
    }

    pub fn new(dice: &mut Dice) -> Self {
        let (sync, other) = (dice.sync(), dice.sync());
        // All but the first 48 bits is the other's.
        let twin = Uuid::from_u128((sync.as_u128() >> 80 << 80) | (other.as_u128() & ((1 << 80) - 1)));
        let count = match dice.below(40) {
            0 => 0,
            1..4 => 1,
            4..14 => dice.below(20),
            14..39 => 50 + dice.below(350),
            _ => MANY,
        };
        let documents: Vec<Document> = (0..count).map(|_| document(sync, other, dice)).collect();
        // An id of ours names its sync, and never passes on.
        let may_pass = |document: &&Document| !document.id().contains(&format!(":{sync}."));
        let passing = documents.iter().filter(may_pass).take(3).map(|document| document.clone().passed_on(twin));
        let passing = if dice.once_in(3) { passing.collect() } else { Vec::new() };
        Self { sync, twin, documents, passing }
    }

    pub fn documents(&self) -> Vec<Document> {
        self.documents.clone()
    }

    /// A document that comes late.
    pub fn late(&self, dice: &mut Dice) -> Document {
        document(self.sync, self.twin, dice)
    }

    pub fn prefix(&self, arf: &Path) -> PathBuf {
        arf.join("raw").join(self.sync.to_string())
    }

    /// Its blobs. The folders that links lead to must be there.
    pub fn write_blobs(&self, arf: &Path, dice: &mut Dice) {
        let prefix = self.prefix(arf);
        let outside = self.outside(arf);
        match dice.below(10) {
            0 => return,
            // Not a folder at all.
            1 => return symlink(&outside, &prefix).unwrap(),
            2 => return fs::write(&prefix, "a file where a folder should be").unwrap(),
            _ => {}
        }
        let (entities, files) = (prefix.join("entities"), prefix.join("files"));
        for folder in [&entities, &files, &prefix.join("foreign/deep/er"), &prefix.join("empty/emptier")] {
            fs::create_dir_all(folder).unwrap();
        }
        if dice.once_in(2) {
            fs::write(prefix.join("manifest.json"), "{}").unwrap();
        }
        for _ in 0..dice.below(60) {
            let key = format!("{:016x}{:016x}", dice.number(), dice.number());
            fs::write(entities.join(format!("{key}.json")), "sealed").unwrap();
            fs::write(files.join(format!("{key}_report.pdf")), "sealed").unwrap();
        }
        fs::write(entities.join("killed.json#1"), "half").unwrap();
        fs::write(prefix.join("manifest.json#12"), "half").unwrap();
        fs::write(prefix.join("foreign/deep/er/blob"), "x").unwrap();
        fs::write(prefix.join("foreign").join(std::ffi::OsStr::from_bytes(b"not \xff utf-8\n")), "x").unwrap();
        symlink(outside.join("kept.txt"), entities.join("link.json")).unwrap();
        symlink(&outside, prefix.join("foreign/folder")).unwrap();
        symlink("../../../nowhere", files.join("dangling")).unwrap();
        symlink("..", prefix.join("foreign/up")).unwrap();
    }
}

fn document(sync: Uuid, other: Uuid, dice: &mut Dice) -> Document {
    match dice.below(10) {
        _ if dice.once_in(40) => Document::foreign(sync, dice).shouted(),
        0..5 => Document::ours(sync, dice),
        5 => Document::older(sync, dice),
        6 => Document::ours(sync, dice).with_wrong_key(sync, other, dice),
        7 => Document::foreign(sync, dice).with_wrong_key(sync, other, dice),
        _ => Document::foreign(sync, dice),
    }
}
