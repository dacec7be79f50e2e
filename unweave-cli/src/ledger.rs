//! Commands about the ledger.

use clap::Subcommand;

pub mod copy;
mod export;
pub mod growth;
mod keys;
mod new_key;
pub mod objects;
mod recover;
mod status;
mod verify;

pub use keys::Signing;

use crate::failure::Failure;
use crate::output::{Answer, Output};

/// What is done with a ledger.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks a whole copy of the ledger, from its first entry to its signed checkpoint
    Verify(verify::Verify),
    /// Says how large a ledger is, who signed it, and what its newest entry is
    Status(status::Status),
    /// Copies a whole ledger into a folder; again to copy what is new
    Export(export::Export),
    /// Puts back what PostgreSQL lost by a restore or a failover, and deletes again what was deleted since
    Recover(recover::Recover),
    /// Prints the verifier keys of the services' LEDGER_KEYS, to be published
    Keys(keys::Keys),
    /// Makes a new secret key for LEDGER_KEYS, and prints it with its verifier key
    NewKey(new_key::NewKey),
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::Verify(asked) => asked.output,
            Self::Status(asked) => asked.output,
            Self::Export(asked) => asked.output,
            Self::Recover(asked) => asked.output,
            Self::Keys(_) | Self::NewKey(_) => Output::Table,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it is refused, or couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::Verify(asked) => Box::pin(asked.run()).await,
            Self::Status(asked) => Box::pin(asked.run()).await,
            Self::Export(asked) => Box::pin(asked.run()).await,
            Self::Recover(asked) => Box::pin(asked.run()).await,
            Self::Keys(asked) => asked.run(),
            Self::NewKey(asked) => asked.run(),
        }
    }
}
