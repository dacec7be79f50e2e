//! What an operator does with the cleanup-worker's binary besides serving: pauses, and a sweep for orphans.

use anyhow::{Context as _, ensure};
use chrono::SecondsFormat;
use clap::{Args, Parser, Subcommand};
use shared_database::Database;
use shared_database::cleanups::Pause;
use shared_models::OrganizationId;
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
    /// Pauses cleanups, of one organization or all: none is worked on until they are resumed, whatever its deadline
    Pause(PauseCleanups),
    /// Ends a pause: the one of an organization, or the one of all
    Resume(Resume),
    /// Lists the pauses: whose cleanups, since when, what for
    Pauses(Pauses),
    /// Looks now for data that no sync has, and lists it: sync, documents, blobs, sweeps that found it, since when
    Sweep(SweepNow),
}

#[derive(Debug, Clone, Args)]
struct PauseCleanups {
    /// Id of the organization; without it the cleanups of all are paused
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// What for, shown by `pauses`
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Clone, Args)]
struct Resume {
    /// Id of the organization; without it the pause of all ends, and those of organizations stand
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Clone, Args)]
struct Pauses {
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Validate for Operation {
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Runs an operation.
///
/// # Errors
/// PostgreSQL can't be reached, or isn't migrated, or there is no such organization or pause.
#[expect(clippy::print_stderr, reason = "speaks to an operator")]
pub async fn run(operation: Operation) -> anyhow::Result<()> {
    match operation.command {
        Command::Pause(given) => {
            let database = connect(&given.database)?;
            if let Some(organization) = given.organization {
                let is_known =
                    database.is_organization_known(organization).await.context("look for the organization")?;
                ensure!(is_known, "there is no organization {organization}, and there are no cleanups of it");
            }
            let paused = database.pause_cleanups(given.organization, given.reason.as_deref()).await;
            let said = if paused.context("pause cleanups")? { "are paused" } else { "were paused before" };
            eprintln!("{} {said}; a purge that is under way stops within its slice", whose(given.organization));
        }
        Command::Resume(given) => {
            let database = connect(&given.database)?;
            let resumed = database.resume_cleanups(given.organization).await.context("resume cleanups")?;
            ensure!(resumed, "{} aren't paused", whose(given.organization));
            eprintln!("{} go on", whose(given.organization));
            let left = database.cleanup_pauses().await.context("list the pauses")?;
            for pause in left.iter().filter(|pause| pause.organization_id.is_none() || given.organization.is_none()) {
                eprintln!("still paused: {}", whose(pause.organization_id));
            }
        }
        Command::Pauses(given) => list(&connect(&given.database)?).await?,
        Command::Sweep(given) => sweep::run(&given).await?,
    }
    Ok(())
}

fn connect(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    Database::new(&settings.database_url, 1).context("connect to PostgreSQL")
}

fn whose(organization: Option<OrganizationId>) -> String {
    organization.map_or_else(|| "all cleanups".to_owned(), |id| format!("the cleanups of organization {id}"))
}

/// One line each, the parts separated by tabs, for scripts.
#[expect(clippy::print_stdout, reason = "speaks to an operator")]
async fn list(database: &Database) -> anyhow::Result<()> {
    for Pause { organization_id, reason, paused_at } in database.cleanup_pauses().await.context("list the pauses")? {
        let whose = organization_id.map_or_else(|| "all".to_owned(), |id| id.to_string());
        // A reason may hold any character.
        let reason = reason.unwrap_or_default().replace(char::is_control, " ");
        println!("{whose}\t{}\t{reason}", paused_at.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    Ok(())
}
