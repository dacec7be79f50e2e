//! Commands about cleanups, over all organizations: how far each is, and what an operator does about one that is stuck.

use clap::Subcommand;

pub mod follow;
mod list;
mod pause;
mod retry;
mod show;
mod watch;

use crate::failure::Failure;
use crate::output::{Answer, Output};

/// What is done with cleanups.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists cleanups, the newest first
    List(list::List),
    /// Shows one cleanup: how far it is, and what stopped it
    Show(show::Show),
    /// Shows each change of a cleanup, until it is done or refused
    Watch(watch::Watch),
    /// Tries a cleanup again now, instead of when it is due
    Retry(retry::Retry),
    /// Pauses cleanups, of one organization or all: none is worked on until they are resumed, whatever its deadline
    Pause(pause::Pause),
    /// Ends a pause: the one of an organization, or the one of all
    Resume(pause::Resume),
    /// Lists the pauses: whose cleanups, since when, what for
    Pauses(pause::Pauses),
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::List(asked) => asked.output,
            Self::Show(asked) => asked.output,
            Self::Watch(asked) => asked.output,
            Self::Retry(asked) => asked.output,
            Self::Pause(asked) => asked.output,
            Self::Resume(asked) => asked.output,
            Self::Pauses(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::List(asked) => asked.run().await,
            Self::Show(asked) => asked.run().await,
            Self::Watch(asked) => asked.run().await,
            Self::Retry(asked) => asked.run().await,
            Self::Pause(asked) => asked.run().await,
            Self::Resume(asked) => asked.run().await,
            Self::Pauses(asked) => asked.run().await,
        }
    }
}

/// There is no such cleanup.
fn unknown(cleanup: shared_models::CleanupId) -> Failure {
    Failure::refused("not_found", format!("there is no cleanup {cleanup}"))
}
