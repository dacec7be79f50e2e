//! Commands about receipts.

use clap::Subcommand;

mod export;
mod print;
mod verify;
mod verify_summary;

use crate::failure::Failure;
use crate::output::{Answer, Output};
use export::ExportReceipts;
use print::Print;
use verify::Verify;
use verify_summary::VerifySummary;

/// What is done with receipts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks whether a receipt is evidence: offline, by keys that you already have
    Verify(Verify),
    /// Checks the summary of an organization's deletion, and each receipt that it names
    VerifySummary(VerifySummary),
    /// Prints a receipt as a certificate: a page for people, on paper or on a screen
    Print(Print),
    /// Writes all receipts of a period into a file, for operators: as lines, a table, or an archive for an auditor
    Export(ExportReceipts),
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::Verify(asked) => asked.output,
            Self::VerifySummary(asked) => asked.output,
            Self::Print(asked) => asked.output,
            Self::Export(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it is refused, or couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::Verify(asked) => asked.run().await,
            Self::VerifySummary(asked) => Box::pin(asked.run()).await,
            Self::Print(asked) => asked.run(),
            Self::Export(asked) => asked.run().await,
        }
    }
}
