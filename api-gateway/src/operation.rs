//! What an operator does with the gateway's binary besides serving: making organizations.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret as _;
use shared_database::Database;
use shared_service::settings::{DatabaseSettings, Validate, load};

use crate::keys;

/// Name of the subcommand, by which `main` tells it from serving.
pub const CREATE_ORGANIZATION: &str = "create-organization";

/// An operation.
#[derive(Debug, Clone, Parser)]
#[command(name = "api-gateway")]
struct Operation {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Makes an organization and prints its first API key, which is shown only this once
    CreateOrganization {
        /// Name of the organization
        #[arg(long)]
        name: String,
        /// PostgreSQL.
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

impl Validate for Operation {
    fn validate(&self) -> Result<(), String> {
        match &self.command {
            Command::CreateOrganization { name, .. } if name.trim().is_empty() => {
                Err("--name must not be blank".to_owned())
            }
            Command::CreateOrganization { database, .. } => database.validate(),
        }
    }
}

/// Runs the operation that the command line names.
///
/// # Errors
/// PostgreSQL can't be reached, or isn't migrated.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "speaks to an operator")]
pub async fn run() -> anyhow::Result<()> {
    match load::<Operation>().command {
        Command::CreateOrganization { name, database } => {
            let database = Database::new(&database.database_url, 1).context("connect to PostgreSQL")?;
            let key = keys::generate();
            let hash = keys::hash(key.expose_secret());
            let organization = database.create_organization(&name, hash).await.context("make the organization")?;
            // The key alone on stdout, for scripts.
            eprintln!("organization {organization}; its API key, shown only this once:");
            println!("{}", key.expose_secret());
        }
    }
    Ok(())
}
