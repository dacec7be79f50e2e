//! What happened, and what shouldn't have.

use std::collections::BTreeMap;
use std::time::Duration;

use system_tests::counted::Counted;
use uuid::Uuid;

use super::eyes::{Foreign, Held};
use super::late::Late;
use super::watch::Seen;

/// The figures of all waves.
#[derive(Debug, Default)]
pub struct Report {
    waves: usize,
    seconds: f64,
    pub documents: usize,
    receipts: usize,
    late: Late,
    pub killed: usize,
    pub froze: usize,
    fired: BTreeMap<String, u64>,
    queries: u64,
    removals: u64,
    violations: Vec<String>,
}

impl Report {
    #[expect(clippy::print_stdout, reason = "the long form is for people")]
    pub fn wave(&mut self, plan: &str, receipts: Vec<Seen>, late: Late, took: Duration) {
        println!("wave {}, {:.1} s: {plan}", self.waves, took.as_secs_f64());
        self.waves += 1;
        self.seconds += took.as_secs_f64();
        self.receipts += receipts.len();
        self.late.documents += late.documents;
        self.late.blobs += late.blobs;
        self.late.passed.extend(late.passed);
        self.late.void.extend(late.void);
        for Seen { sync, held } in receipts {
            self.judge_empty("a receipt for a store that isn't empty", sync, &held);
        }
    }

    /// What is left when all is done.
    pub fn left(&mut self, left: impl Iterator<Item = (Uuid, Held)>) {
        for (sync, held) in left {
            self.judge_empty("left in the end", sync, &held);
        }
    }

    fn judge_empty(&mut self, what: &str, sync: Uuid, held: &Held) {
        if !held.is_empty() && !self.late.void.contains(&sync) {
            self.violations.push(format!("{what}: {sync} has {held:?}"));
        }
    }

    /// What passed to a live sync on the way is its own now, and must be there; nothing else may differ.
    pub fn foreign(&mut self, before: Foreign, after: Foreign) {
        for id in self.late.passed.iter().filter(|id| !after.documents.contains_key(*id)) {
            self.violations.push(format!("a document that had passed to a live sync is gone: {id}"));
        }
        for (id, fields) in &before.documents {
            if after.documents.get(id) != Some(fields) {
                self.violations.push(format!("a foreign document was changed: {id}"));
            }
        }
        for (id, fields) in &after.documents {
            let has_passed = self.late.passed.contains(id) && fields.contains("passed on");
            if !before.documents.contains_key(id) && !has_passed {
                self.violations.push(format!("a document from nowhere: {id}"));
            }
        }
        if before.blobs != after.blobs {
            let is_new = |path: &&std::path::PathBuf| after.blobs.get(*path) != before.blobs.get(*path);
            let changed: Vec<_> = before.blobs.keys().chain(after.blobs.keys()).filter(is_new).collect();
            self.violations.push(format!("foreign blobs were changed: {changed:?}"));
        }
    }

    pub fn fired(&mut self, fired: BTreeMap<String, u64>) {
        for (name, count) in fired {
            *self.fired.entry(name).or_default() += count;
        }
    }

    /// No walk over the corpus ever purges or verifies.
    pub async fn walks(&mut self, vespa_url: &str) {
        let counted = Counted::of(vespa_url).await;
        (self.queries, self.removals) = (counted.kind("query").requests, counted.kind("remove").requests);
        let walks = counted.kind("bulk_delete").requests + counted.kind("visit").requests;
        if walks > 0 {
            self.violations.push(format!("{walks} walks over the corpus"));
        }
    }

    #[expect(clippy::print_stdout, reason = "the long form is for people")]
    pub fn print(&self) {
        let Late { documents, blobs, passed, void } = &self.late;
        println!("{} receipts in {} waves, {:.0} s", self.receipts, self.waves, self.seconds);
        println!("{} documents before, {documents} documents and {blobs} blobs late", self.documents);
        println!("{} documents passed to a live sync; {} purges void", passed.len(), void.len());
        println!(
            "{} queries, {} removals; {} workers killed, {} frozen",
            self.queries, self.removals, self.killed, self.froze
        );
        for (name, fired) in &self.fired {
            println!("fault {name}: {fired} times");
        }
        println!("{} violations", self.violations.len());
        self.violations.iter().take(20).for_each(|violation| println!("  {violation}"));
    }

    pub fn assert_clean(&self, purges: usize) {
        assert!(self.violations.is_empty(), "{}", self.violations.join("\n"));
        assert!(self.receipts >= purges, "{} receipts for {purges} purges", self.receipts);
        // On a machine that stands still something may come too late even for us; not often.
        assert!(self.late.void.len() * 10 <= purges, "{} purges are void", self.late.void.len());
        assert!(self.late.documents > 0 && self.late.blobs > 0 && self.removals > 0, "nothing happened: {self:?}");
    }
}
