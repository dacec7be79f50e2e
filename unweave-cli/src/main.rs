//! `unweave`: what is done by hand with receipts and the deletion ledger.
//!
//! It reads strangers' files: what is in them is bounded, checked before it is believed, and shown without what would
//! do something to a terminal. It needs none of the services, and no key but those that its caller trusts.

mod failure;
mod input;
mod keys;
mod ledger;
mod output;
mod place;
mod progress;
mod receipt;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;
use output::{Answer, Output};

/// Receipts of deletions, and the ledger that they are in
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
}

impl Command {
    const fn output(&self) -> Output {
        match self {
            Self::Receipt(command) => command.output(),
            Self::Ledger(command) => command.output(),
        }
    }

    async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::Receipt(command) => Box::pin(command.run()).await,
            Self::Ledger(command) => Box::pin(command.run()).await,
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
