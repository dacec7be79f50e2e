//! What is really there: the stand-in's file, read by SQL of our own, and the blob folder, walked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use system_tests::System;
use uuid::Uuid;

/// Looks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Eyes {
    documents: PathBuf,
    arf: PathBuf,
}

/// What a sync has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub documents: Vec<String>,
    pub blobs: Vec<PathBuf>,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.blobs.is_empty()
    }
}

/// Everything that isn't a deleted sync's, word for word.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    pub documents: BTreeMap<String, String>,
    pub blobs: BTreeMap<PathBuf, Entry>,
}

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    Folder,
    File(Vec<u8>),
    Link(PathBuf),
}

const SYNC: &str = "airweave_system_metadata_sync_id";

impl Eyes {
    pub fn new(system: &System) -> Self {
        Self { documents: system.vespa.data().join("documents.sqlite"), arf: system.arf() }
    }

    /// What is left of a sync, by its id in any case of letters.
    pub fn held(&self, sync: Uuid) -> Held {
        let mut found = Held::default();
        let sql = format!("SELECT id FROM document WHERE lower({SYNC}) = ?1");
        let connection = self.open();
        let mut statement = connection.prepare(&sql).unwrap();
        let ids = statement.query_map([sync.to_string()], |row| row.get::<_, String>(0)).unwrap();
        found.documents.extend(ids.map(Result::unwrap));
        let prefix = self.arf.join("raw").join(sync.to_string());
        let mut blobs = BTreeMap::new();
        walk(&prefix, &[], &mut blobs);
        found.blobs.extend(blobs.into_iter().filter(|(_, entry)| *entry != Entry::Folder).map(|(path, _)| path));
        found
    }

    /// Everything but what these syncs have.
    pub fn foreign(&self, gone: &[Uuid]) -> Foreign {
        let gone: Vec<String> = gone.iter().map(Uuid::to_string).collect();
        let mut found = Foreign::default();
        let connection = self.open();
        let sql = format!("SELECT id, coalesce(lower({SYNC}), ''), fields FROM document JOIN body USING (serial)");
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (id, sync, fields): (String, String, String) =
                (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
            if !gone.contains(&sync) {
                found.documents.insert(id, fields);
            }
        }
        let raw = self.arf.join("raw");
        let prefixes: Vec<PathBuf> = gone.iter().map(|sync| raw.join(sync)).collect();
        walk(&self.arf, &prefixes, &mut found.blobs);
        found
    }

    fn open(&self) -> Connection {
        let connection = Connection::open_with_flags(&self.documents, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        connection
    }
}

/// Follows no link. What vanishes on the way is gone.
fn walk(path: &Path, but: &[PathBuf], found: &mut BTreeMap<PathBuf, Entry>) {
    if but.iter().any(|but| but == path) {
        return;
    }
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let entry = if metadata.is_dir() {
        let Ok(entries) = fs::read_dir(path) else { return };
        for entry in entries {
            walk(&entry.unwrap().path(), but, found);
        }
        Some(Entry::Folder)
    } else if metadata.is_symlink() {
        fs::read_link(path).ok().map(Entry::Link)
    } else {
        fs::read(path).ok().map(Entry::File)
    };
    found.extend(entry.map(|entry| (path.to_owned(), entry)));
}
