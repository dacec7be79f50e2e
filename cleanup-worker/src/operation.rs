//! What an operator does with the cleanup-worker's binary besides serving: a sweep for orphans.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use shared_database::Database;
use shared_service::settings::{DatabaseSettings, Validate};

mod sweep;

use sweep::SweepNow;

/// An operation.
#[derive(Debug, Clone, Parser)]
#[command(name = "cleanup-worker")]
pub struct Operation {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Looks now for data that no sync has, and lists it: sync, documents, blobs, sweeps that found it, since when
    Sweep(SweepNow),
}

impl Validate for Operation {
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Runs an operation.
///
/// # Errors
/// PostgreSQL or a store can't be reached, PostgreSQL isn't migrated, or somebody must look first.
pub async fn run(operation: Operation) -> anyhow::Result<()> {
    match operation.command {
        Command::Sweep(given) => sweep::run(&given).await,
    }
}

fn connect(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    Database::new(&settings.database_url, 1).context("connect to PostgreSQL")
}
