//! `unweave cleanups watch`: a line for each change, until nothing changes any more.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use shared_models::wire::cleanup::Cleanup;
use shared_models::{CleanupId, CleanupState};

use super::show::read;
use crate::failure::Failure;
use crate::output::{Answer, Output, say_meanwhile};
use crate::postgres::Postgres;
use crate::table;

/// How often PostgreSQL is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// What `cleanups watch` is given.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n    unweave cleanups watch 0f0e0d0c-0b0a-4908-8706-050403020100\n\nWith --output json \
                  each change is one line. It ends with 0 once the cleanup is done, and with 1 if it is refused."
)]
pub struct Watch {
    /// Which
    #[arg(value_name = "ID")]
    cleanup: CleanupId,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Watch {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let database = self.postgres.open()?;
        let mut told = None;
        loop {
            let cleanup = read(&database, self.cleanup).await?;
            match cleanup.state {
                CleanupState::Done => return Ok(answer(&cleanup)),
                CleanupState::Refused => {
                    return Err(Failure::refused("refused", table::shown(cleanup.error_text.as_ref())));
                }
                CleanupState::Scheduled | CleanupState::Purging | CleanupState::Settling => {}
            }
            let now = answer(&cleanup);
            if told.as_ref() != Some(&now.lines) {
                say_meanwhile(self.output, &now);
                told = Some(now.lines);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

fn answer(cleanup: &Cleanup) -> Answer {
    let targets = cleanup.targets.iter().map(|(target, known)| {
        let empty = if known.verified_empty_at.is_some() { ", verified empty" } else { "" };
        format!("{target} {} of {}{empty}", known.removed, known.found)
    });
    let targets: Vec<_> = targets.collect();
    let problem = cleanup.error_code.as_ref().map_or_else(String::new, |code| format!("; {code}"));
    let at = table::moment(cleanup.modified_at);
    let line = format!("{at}  {:<9} {:<9} {}{problem}", cleanup.state, cleanup.status, targets.join("; "));
    Answer { lines: vec![line], json: json!(cleanup) }
}
