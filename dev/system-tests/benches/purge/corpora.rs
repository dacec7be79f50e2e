//! The corpora, each made once and copied for every measurement, so that all start from the same documents.

use std::path::Path;
use std::time::Instant;

use system_tests::corpus::{self, Sized};
use tempfile::TempDir;
use uuid::Uuid;

use crate::table::{Scale, grouped};

const LARGE: u64 = 2_000_000;
const PURGED: [u64; 3] = [10_000, 100_000, 1_000_000];
/// The size of the syncs that stay.
const OTHER: u64 = 10_000;

/// A corpus with the syncs that are to be purged from it.
pub struct Corpus {
    folder: TempDir,
    pub syncs: Vec<Sized>,
    pub documents: u64,
}

impl Corpus {
    /// Makes one of these syncs, and of others until it has as many documents as this.
    pub fn new(syncs: Vec<Sized>, documents: u64) -> Self {
        let began = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        let purged: u64 = syncs.iter().map(|(_, documents)| documents).sum();
        let mut others = Vec::new();
        let mut left = documents - purged;
        while left > 0 {
            others.push((Uuid::new_v4(), left.min(OTHER)));
            left -= left.min(OTHER);
        }
        // The others on both sides, as they would be.
        let (before, after) = others.split_at(others.len() / 2);
        corpus::fill(folder.path(), &[before, &syncs, after].concat());
        println!("a corpus of {} documents was made in {:.0} s", grouped(documents), began.elapsed().as_secs_f64());
        Self { folder, syncs, documents }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The corpora of the parts `cost` and `killed`.
pub struct Corpora {
    pub scale: Scale,
    large: Option<Corpus>,
}

impl Corpora {
    pub fn new(scale: Scale) -> Self {
        Self { scale, large: None }
    }

    /// The large one, with syncs of three sizes.
    pub fn large(&mut self) -> &Corpus {
        let scale = self.scale;
        self.large.get_or_insert_with(|| {
            let syncs = PURGED.map(|documents| (Uuid::new_v4(), scale.of(documents)));
            Corpus::new(syncs.to_vec(), scale.of(LARGE))
        })
    }

    /// One that is a single sync, of the smallest size.
    pub fn single(&self) -> Corpus {
        let documents = self.scale.of(PURGED[0]);
        Corpus::new(vec![(Uuid::new_v4(), documents)], documents)
    }
}
