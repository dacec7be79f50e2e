//! What to start, and how.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::environment::Environment;
use crate::layout::Layout;
use crate::postgres::Durability;
use crate::terminal::Progress;

/// What to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// PostgreSQL and RabbitMQ.
    Servers,
    /// These, the Vespa stand-in and our services.
    Everything,
}

/// How to start it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything lies.
    pub layout: Layout,
    /// What to start.
    pub scope: Scope,
    /// How much a crash of the machine may cost.
    pub durability: Durability,
    /// Download the servers even if the machine has them.
    pub ignore_system: bool,
    /// The caller's variables: passed on to the services.
    pub environment: Environment,
    /// The folder of the services' executables.
    pub binaries: PathBuf,
    /// How progress is shown.
    pub progress: Progress,
}

impl Options {
    /// Durable, with the caller's environment and the services that lie beside this program.
    ///
    /// # Errors
    /// When this program's folder cannot be found.
    pub fn of_caller(layout: Layout, scope: Scope, ignore_system: bool, progress: Progress) -> Result<Self> {
        let executable = std::env::current_exe().context("find the local-stack program")?;
        Ok(Self {
            layout,
            scope,
            durability: Durability::Full,
            ignore_system,
            environment: Environment::of_caller(),
            binaries: executable.parent().map(Path::to_owned).context("find the services' programs")?,
            progress,
        })
    }
}
