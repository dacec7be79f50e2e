//! A sweep for orphans on demand, and their purge once a person has seen them.

use std::io::{IsTerminal as _, Write as _, stdin, stdout};
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::SecondsFormat;
use clap::Args;
use shared_database::orphans::{Orphan, OrphanCounts};
use shared_ledger::Watch;
use shared_service::settings::{DatabaseSettings, LedgerStoreSettings, Validate as _, VespaSettings, time};
use shared_stores::VespaClient;

use super::connect;
use crate::orphan_sweep::{Report, Sweep, objection};
use crate::settings::BlobSettings;

/// Orphans read at a time.
const PAGE: i64 = 1_000;

#[derive(Debug, Clone, Args)]
pub(super) struct SweepNow {
    /// Then purge those that two sweeps have found, the first at least --min-age ago
    #[arg(long)]
    purge: bool,
    /// How long ago the first sweep must have found them
    #[arg(long, env = "ORPHAN_MIN_AGE", value_name = "DURATION", default_value = "24h", value_parser = time)]
    min_age: Duration,
    /// Don't ask before purging
    #[arg(long, requires = "purge")]
    yes: bool,
    /// Purge though PostgreSQL has no sync at all, or more than a tenth of all would go
    #[arg(long, requires = "purge")]
    force: bool,
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
    /// The ledger store; while PostgreSQL has less than it, nothing is swept.
    #[command(flatten)]
    ledger: LedgerStoreSettings,
    /// The index.
    #[command(flatten)]
    vespa: VespaSettings,
    /// The blobs.
    #[command(flatten)]
    blobs: BlobSettings,
}

/// Sweeps, lists, and purges if that is asked for.
#[expect(clippy::print_stderr, reason = "speaks to an operator")]
pub(super) async fn run(given: &SweepNow) -> anyhow::Result<()> {
    given.blobs.validate().map_err(anyhow::Error::msg)?;
    let database = connect(&given.database)?;
    let vespa = VespaClient::new(&given.vespa.vespa_url).context("set up the Vespa client")?;
    let arf = given.blobs.open_existing().context("open the ARF store")?;
    if let Some(watch) = Watch::of(&given.ledger, &database).map_err(anyhow::Error::msg)? {
        // What a restore doesn't know looks like orphans.
        watch.begin().await;
        watch.state().map_err(anyhow::Error::msg).context("compare PostgreSQL with the ledger store")?;
    }
    let sweep = Sweep { database, vespa, arf };
    let report = sweep.run().await.context("sweep")?;
    let counts = sweep.database.orphan_counts(given.min_age).await.context("count the orphans")?;
    list(&sweep).await?;
    eprintln!("{}", told(report, counts));
    if !given.purge {
        return Ok(());
    }
    if counts.ripe == 0 {
        eprintln!(
            "nothing to purge: none was found by two sweeps, {} apart",
            humantime::format_duration(given.min_age)
        );
        return Ok(());
    }
    if let Some(objection) = objection(counts).filter(|_| !given.force) {
        bail!("{objection}: nothing is purged without --force");
    }
    if !given.yes && !agreed(counts.ripe)? {
        bail!("nothing is purged");
    }
    let purged = sweep.database.purge_orphans(given.min_age).await.context("make cleanups of the orphans")?;
    eprintln!("{purged} cleanups were made; the cleanup-workers purge them");
    Ok(())
}

fn told(report: Report, counts: OrphanCounts) -> String {
    let Report { sorted, unreadable, is_cut } = report;
    let OrphanCounts { orphans, ripe, live_syncs } = counts;
    let mut told = format!(
        "{orphans} orphans, {ripe} of them found by two sweeps and old enough; {live_syncs} syncs; \
         {} cleanups opened again; {unreadable} documents or blobs whose sync can't be told",
        sorted.reopened
    );
    if is_cut {
        told.push_str("; Vespa has more syncs without purge keys than it lists: sweep again when these are purged");
    }
    told
}

/// One line each, the parts separated by tabs, for scripts.
#[expect(clippy::print_stdout, reason = "speaks to an operator")]
async fn list(sweep: &Sweep) -> anyhow::Result<()> {
    let mut listed = 0;
    loop {
        let page = sweep.database.orphans(listed, PAGE).await.context("list the orphans")?;
        for Orphan { sync_id, documents, has_blobs, sweeps, first_seen_at, .. } in &page {
            let blobs = if *has_blobs { "blobs" } else { "no blobs" };
            let since = first_seen_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            println!("{sync_id}\t{documents}\t{blobs}\t{sweeps}\t{since}");
        }
        if page.is_empty() {
            return Ok(());
        }
        listed += i64::try_from(page.len())?;
    }
}

/// Asks at the terminal; where there is none nobody agrees.
fn agreed(orphans: u64) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("purging {orphans} orphans needs --yes where nobody can be asked");
    }
    write!(stdout(), "Purge all that Vespa and the ARF store hold of {orphans} syncs? Type yes: ")?;
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
