//! Commands about orphans: data in Vespa or the ARF store whose sync PostgreSQL doesn't know.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shared_database::Database;
use shared_database::orphans::{Orphan, OrphanCounts};
use shared_models::ledger::stamp;
use shared_service::settings::{time, whole_number};
use shared_sweep::{Report, Sweep, SweepError, objection};

use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::output::{Answer, Output, told};
use crate::postgres::Postgres;
use crate::progress::Watched;
use crate::stores::{Blobs, Index, Remembered};
use crate::table;

const REPORT: &str = "Example:
    unweave sweep report

An orphan has no deletion that we know of: another system wrote it, or PostgreSQL has lost its history. What has a
deletion is never listed here, for every sweep purges it again.";

const RUN: &str = "Examples, with the environment of a cleanup-worker:
  Look now, and list what is found:
    unweave sweep run
  Purge what two sweeps have found, the first a day ago or more; it asks before:
    unweave sweep run --purge

Data of deleted syncs that came back is purged again by any sweep. Orphans aren't, without --purge: nobody has said that
they may go. Each that is purged gets a cleanup and a receipt of its own.";

/// Orphans read at a time.
const PAGE: i64 = 1_000;

/// What is done about orphans.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows what the last sweep found, and when it was; asks PostgreSQL alone
    Report(LastReport),
    /// Looks now through Vespa and the ARF store, and purges orphans if that is asked for
    Run(Run),
}

/// Which orphans are old enough, and how many are listed.
#[derive(Debug, Args)]
struct Listed {
    /// How long ago the first of two sweeps must have found what may be purged
    #[arg(long, env = "ORPHAN_MIN_AGE", value_name = "DURATION", default_value = "24h", value_parser = time)]
    min_age: Duration,
    /// List at most so many, the oldest first
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = whole_number(0..=1_000_000_u32))]
    limit: u32,
}

/// What `sweep report` is given.
#[derive(Debug, Args)]
#[command(after_help = REPORT)]
pub struct LastReport {
    #[command(flatten)]
    listed: Listed,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `sweep run` is given.
#[derive(Debug, Args)]
#[command(after_help = RUN)]
pub struct Run {
    /// Then purge those that two sweeps have found, the first at least --min-age ago
    #[arg(long)]
    purge: bool,
    /// Purge though PostgreSQL has no sync at all, or more than a tenth of all would go
    #[arg(long, requires = "purge")]
    force: bool,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    listed: Listed,
    #[command(flatten)]
    postgres: Postgres,
    #[command(flatten)]
    index: Index,
    #[command(flatten)]
    blobs: Blobs,
    #[command(flatten)]
    remembered: Remembered,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::Report(asked) => asked.output,
            Self::Run(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::Report(asked) => asked.run().await,
            Self::Run(asked) => asked.run().await,
        }
    }
}

impl LastReport {
    async fn run(&self) -> Result<Answer, Failure> {
        let database = self.postgres.open()?;
        let found = self.listed.found(&database).await?;
        let last = database.last_sweep().await?;
        let since = last.map_or_else(|| "none went through yet".to_owned(), stamp::text);
        Ok(found.answer(vec![told("last sweep", since)], [("last_sweep_at", json!(last.map(stamp::text)))]))
    }
}

impl Run {
    async fn run(&self) -> Result<Answer, Failure> {
        let database = self.postgres.open()?;
        let sweep = Sweep { database: database.clone(), vespa: self.index.open()?, arf: self.blobs.open()? };
        self.remembered.compare_with(&database).await?;
        let watched = Watched::new("syncs looked at");
        let report = sweep.run_telling(|so_far| watched.at(so_far.sorted.live + so_far.sorted.orphans)).await?;
        drop(watched);
        let found = self.listed.found(&database).await?;
        let purged = if self.purge { Some(self.purge(&database, &found).await?) } else { None };
        let swept_json = json!({
            "live": report.sorted.live,
            "reopened": report.sorted.reopened,
            "unreadable": report.unreadable,
            "is_cut": report.is_cut,
        });
        let mut answer = found.answer(swept(report), [("swept", swept_json), ("purged", json!(purged))]);
        if let Some(purged) = purged {
            let what =
                if purged == 0 { "nothing was ripe" } else { "cleanups were made; the cleanup-workers purge them" };
            answer.lines.push(told("purged", format!("{purged}: {what}")));
        }
        Ok(answer)
    }

    async fn purge(&self, database: &Database, found: &Found) -> Result<u64, Failure> {
        let ripe = found.counts.ripe;
        if ripe == 0 {
            return Ok(0);
        }
        if let Some(objection) = objection(found.counts).filter(|_| !self.force) {
            return Err(Failure::refused("unlikely", format!("{objection}: nothing is purged without --force")));
        }
        let what = format!("All that Vespa and the ARF store hold of {ripe} syncs is purged.");
        self.confirmation.ask(&found.answer(vec![told("purge", what)], []).lines, "Purge it?")?;
        Ok(database.purge_orphans(self.listed.min_age).await?)
    }
}

/// Orphans, and what is to be said of them.
struct Found {
    counts: OrphanCounts,
    orphans: Vec<Orphan>,
}

impl Listed {
    async fn found(&self, database: &Database) -> Result<Found, Failure> {
        let mut orphans: Vec<Orphan> = Vec::new();
        let limit = i64::from(self.limit);
        loop {
            let listed = i64::try_from(orphans.len()).unwrap_or(limit);
            let page = database.orphans(listed, PAGE.min(limit - listed)).await?;
            if page.is_empty() {
                return Ok(Found { counts: database.orphan_counts(self.min_age).await?, orphans });
            }
            orphans.extend(page);
        }
    }
}

impl Found {
    /// With these lines before the list, and these values beside it.
    fn answer<const N: usize>(&self, before: Vec<String>, beside: [(&str, Value); N]) -> Answer {
        let OrphanCounts { orphans, ripe, live_syncs } = self.counts;
        let mut lines = before;
        lines.push(told("orphans", format!("{orphans}, {ripe} of them ripe; {live_syncs} syncs are alive")));
        if let Some(objection) = objection(self.counts).filter(|_| ripe > 0) {
            lines.push(told("look first", format!("{objection}")));
        }
        if !self.orphans.is_empty() {
            let headings = ["SYNC", "DOCUMENTS", "BLOBS", "SWEEPS", "SINCE"];
            lines.extend(table::lines(headings, self.orphans.iter().map(row)));
        }
        let left = orphans.saturating_sub(u64::try_from(self.orphans.len()).unwrap_or(orphans));
        if left > 0 {
            lines.push(told("not shown", format!("{left} more: --limit shows them")));
        }
        let objection = objection(self.counts).filter(|_| ripe > 0).map(|objection| objection.to_string());
        let listed: Vec<_> = self.orphans.iter().map(described).collect();
        let found = [
            ("orphans", json!(orphans)),
            ("ripe", json!(ripe)),
            ("live_syncs", json!(live_syncs)),
            ("objection", json!(objection)),
            ("listed", json!(listed)),
        ];
        let json = found.into_iter().chain(beside).map(|(name, value)| (name.to_owned(), value)).collect();
        Answer { lines, json }
    }
}

fn row(orphan: &Orphan) -> [String; 5] {
    [
        orphan.sync_id.to_string(),
        orphan.documents.to_string(),
        (if orphan.has_blobs { "yes" } else { "no" }).to_owned(),
        orphan.sweeps.to_string(),
        table::moment(orphan.first_seen_at),
    ]
}

fn described(orphan: &Orphan) -> Value {
    json!({
        "sync_id": orphan.sync_id,
        "documents": orphan.documents,
        "has_blobs": orphan.has_blobs,
        "sweeps": orphan.sweeps,
        "first_seen_at": stamp::text(orphan.first_seen_at),
        "last_seen_at": stamp::text(orphan.last_seen_at),
    })
}

fn swept(report: Report) -> Vec<String> {
    let Report { sorted, unreadable, is_cut } = report;
    let mut lines = vec![told("swept", format!("{} syncs are alive in the stores", sorted.live))];
    if sorted.reopened > 0 {
        let text = format!("{} cleanups: data of deleted syncs was there again, and is purged", sorted.reopened);
        lines.push(told("opened again", text));
    }
    if unreadable > 0 {
        lines.push(told("unreadable", format!("{unreadable} documents or blobs whose sync can't be told")));
    }
    if is_cut {
        let text = "Vespa has more syncs without purge keys than it lists: sweep again when these are purged";
        lines.push(told("cut", text));
    }
    lines
}

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Database(error) => error.into(),
            SweepError::Vespa(error) => error.into(),
            SweepError::Arf(error) => error.into(),
            SweepError::Another => Self::Unchecked(error.to_string()),
        }
    }
}
