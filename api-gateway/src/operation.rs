//! What the gateway's binary does besides serving: it prints the document of its API.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use shared_service::settings::Validate;

use crate::documentation;

/// An operation.
#[derive(Debug, Clone, Parser)]
#[command(name = "api-gateway")]
pub struct Operation {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Prints the OpenAPI document of the API
    Openapi,
}

impl Validate for Operation {
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Runs an operation.
///
/// # Errors
/// The document can't be written.
#[expect(clippy::print_stdout, reason = "what docs/openapi.json is written from")]
pub fn run(operation: &Operation) -> anyhow::Result<()> {
    match operation.command {
        Command::Openapi => print!("{}", documentation::text().context("write the OpenAPI document")?),
    }
    Ok(())
}
