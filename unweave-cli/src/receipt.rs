//! Commands about receipts.

use clap::Subcommand;

mod verify;

use crate::failure::Failure;
use crate::output::{Answer, Output};
use verify::Verify;

/// What is done with receipts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks whether a receipt is evidence: offline, by keys that you already have
    Verify(Verify),
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::Verify(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it is refused, or couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::Verify(asked) => asked.run().await,
        }
    }
}
