//! `unweave cleanups watch`: a line for each change, until nothing changes any more.

use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared_models::wire::cleanup::Cleanup;
use shared_models::{CleanupId, CleanupState};

use super::follow::follow;
use super::show::read;
use crate::api::Service;
use crate::failure::Failure;
use crate::output::{Answer, Output, say_meanwhile};
use crate::postgres;
use crate::table;

/// How often PostgreSQL is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// What `cleanups watch` is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  As an operator, by DATABASE_URL:\n    unweave cleanups watch \
                  0f0e0d0c-0b0a-4908-8706-050403020100\n  As a client of the API:\n    unweave cleanups watch \
                  0f0e0d0c-0b0a-4908-8706-050403020100 --url https://unweave.example.com\n\nWith --output json each \
                  change is one line, the last one too. It ends with 0 once the cleanup is done, and with 1 if it is \
                  refused.")]
pub struct Watch {
    /// Which
    #[arg(value_name = "ID")]
    cleanup: CleanupId,
    /// PostgreSQL, as postgres://user:password@host/database; a secret. Without it the API is asked
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<SecretString>,
    #[command(flatten)]
    service: Service,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Watch {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let mut told = Told { output: self.output, last: None };
        let ended = match &self.database_url {
            // Whoever names a service means it, whatever else the environment has.
            Some(url) if !self.service.is_named() => self.in_postgresql(url, &mut told).await?,
            _ => follow(&self.service.open()?, self.cleanup, |cleanup| told.tell(cleanup)).await?,
        };
        told.tell(&ended);
        if ended.state == CleanupState::Refused {
            return Err(Failure::refused("refused", table::shown(ended.error_text.as_ref())));
        }
        Ok(Answer { lines: Vec::new(), json: Value::Null })
    }

    async fn in_postgresql(&self, url: &SecretString, told: &mut Told) -> Result<Cleanup, Failure> {
        let database = postgres::open(url)?;
        loop {
            let cleanup = read(&database, self.cleanup).await?;
            if matches!(cleanup.state, CleanupState::Done | CleanupState::Refused) {
                return Ok(cleanup);
            }
            told.tell(&cleanup);
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// What was told last, so that each change is told once.
struct Told {
    output: Output,
    last: Option<Vec<String>>,
}

impl Told {
    fn tell(&mut self, cleanup: &Cleanup) {
        let now = answer(cleanup);
        if self.last.as_ref() != Some(&now.lines) {
            say_meanwhile(self.output, &now);
            self.last = Some(now.lines);
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
