//! `unweave`: what operators do by hand, and what anybody does with receipts and the deletion ledger.
//!
//! It reads strangers' files: what is in them is bounded, checked before it is believed, and shown without what would
//! do something to a terminal. With receipts and ledgers it needs none of the services, and no key but those that its
//! caller trusts. Operators give it the services' own settings.

mod answer;
mod api;
mod api_keys;
mod audit;
mod cleanups;
mod confirm;
mod dead;
mod delete;
mod doctor;
mod failure;
mod input;
mod keys;
mod ledger;
mod organizations;
mod output;
mod place;
mod postgres;
mod progress;
mod receipt;
mod ring;
mod shell;
mod stores;
mod sweep;
mod table;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use failure::Failure;
use output::{Answer, Output};

/// Operates Unweave; verifies receipts of deletions, and the ledger that they are in
#[derive(Debug, Parser)]
#[command(
    name = "unweave",
    version,
    after_help = "Exit codes: 0 verified or done, 1 refused, 2 not understood, \
    3 couldn't be checked or done.\nEach command's --help has examples."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receipts of deletions
    #[command(subcommand)]
    Receipt(receipt::Command),
    /// The deletion ledger
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Cleanups: how far they are, and what to do about one that is stuck
    #[command(subcommand)]
    Cleanups(cleanups::Command),
    /// Messages that no consumer could work on
    #[command(subcommand)]
    Dead(dead::Command),
    /// Deletes a source connection or a collection by the API, and waits until its data is gone
    Delete(delete::Delete),
    /// Orphans: data whose sync PostgreSQL doesn't know
    #[command(subcommand)]
    Sweep(sweep::Command),
    /// The key ring that encrypts source credentials and wraps the keys of blobs
    #[command(subcommand)]
    Keys(ring::Command),
    /// Organizations, the tenants
    #[command(subcommand)]
    Organizations(organizations::Command),
    /// API keys of organizations
    #[command(subcommand)]
    ApiKeys(api_keys::Command),
    /// Shows who changed what: keys, organizations, plans, pauses, retries, sweeps, recoveries
    Audit(audit::AuditLog),
    /// Looks at everything that an installation needs, and says what to do about what isn't well
    Doctor(doctor::Doctor),
    /// Prints the completions for a shell
    Completion(shell::Completion),
    /// Writes manual pages
    Man(shell::Man),
}

impl Command {
    const fn output(&self) -> Output {
        match self {
            Self::Receipt(command) => command.output(),
            Self::Ledger(command) => command.output(),
            Self::Cleanups(command) => command.output(),
            Self::Dead(command) => command.output(),
            Self::Delete(asked) => asked.output,
            Self::Sweep(command) => command.output(),
            Self::Keys(command) => command.output(),
            Self::Organizations(command) => command.output(),
            Self::ApiKeys(command) => command.output(),
            Self::Audit(asked) => asked.output,
            Self::Doctor(asked) => asked.output,
            Self::Man(asked) => asked.output,
            Self::Completion(_) => Output::Table,
        }
    }

    async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::Receipt(command) => Box::pin(command.run()).await,
            Self::Ledger(command) => Box::pin(command.run()).await,
            Self::Cleanups(command) => Box::pin(command.run()).await,
            Self::Dead(command) => Box::pin(command.run()).await,
            Self::Delete(asked) => Box::pin(asked.run()).await,
            Self::Sweep(command) => Box::pin(command.run()).await,
            Self::Keys(command) => Box::pin(command.run()).await,
            Self::Organizations(command) => Box::pin(command.run()).await,
            Self::ApiKeys(command) => Box::pin(command.run()).await,
            Self::Audit(asked) => Box::pin(asked.run()).await,
            Self::Doctor(asked) => Box::pin(asked.run()).await,
            Self::Completion(asked) => Ok(asked.run(Arguments::command())),
            Self::Man(asked) => asked.run(Arguments::command()),
        }
    }
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    shared_service::install_tls_provider();
    let outcome = shared_service::run(command.run())
        .unwrap_or_else(|error| Err(Failure::Unchecked(format!("start the runtime: {error}"))));
    output::say(command.output(), &outcome);
    outcome.map_or_else(|failure| ExitCode::from(failure.exit_code()), |_| ExitCode::SUCCESS)
}
