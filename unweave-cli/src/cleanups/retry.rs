//! `unweave cleanups retry`.

use clap::Args;
use serde_json::json;
use shared_database::cleanup_view::CleanupFilter;
use shared_database::cleanups::Retried;
use shared_models::{CleanupId, CleanupStatus};

use crate::failure::Failure;
use crate::output::{Answer, Output, say_meanwhile};
use crate::postgres::Postgres;

const EXAMPLES: &str = "Examples:
    unweave cleanups retry 0f0e0d0c-0b0a-4908-8706-050403020100
  All that fail:
    unweave cleanups retry --failing

A cleanup that fails is tried again by itself, after longer and longer pauses: use this once what stopped it is mended.
Allowed hours, the rate of removals and pauses hold for it as before. One that was refused, because its sync was live,
is tried again once that sync is gone.";

/// What `cleanups retry` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Retry {
    /// Which
    #[arg(value_name = "ID", required_unless_present = "failing")]
    cleanups: Vec<CleanupId>,
    /// All whose last attempt failed
    #[arg(long, conflicts_with = "cleanups")]
    failing: bool,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// Failing cleanups that are tried again at once, at most.
const MOST: i64 = 100_000;

impl Retry {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let database = self.postgres.open()?;
        let mut cleanups = self.cleanups.clone();
        if self.failing {
            let filter = CleanupFilter { status: Some(CleanupStatus::Failing), ..CleanupFilter::default() };
            cleanups.extend(database.list_all_cleanups(filter, 0, MOST).await?.iter().map(|row| row.id));
        }
        let (mut lines, mut outcomes, mut refused) = (Vec::new(), Vec::new(), None);
        for id in cleanups {
            let (name, text) = match database.retry_cleanup(id).await? {
                Retried::Due => ("due", "is due now"),
                Retried::UnderWay => ("under_way", "is worked on just now, or waits to be verified"),
                Retried::Done => ("done", "is done: a sweep finds what came back"),
                Retried::Live => ("live", "isn't tried again: its sync is live, and nothing of it is purged"),
                Retried::NotFound => ("not_found", "isn't there"),
            };
            if matches!(name, "live" | "not_found") {
                refused.get_or_insert(name);
            }
            lines.push(format!("cleanup {id} {text}"));
            outcomes.push(json!({ "id": id, "outcome": name }));
        }
        let answer = Answer { lines, json: json!(outcomes) };
        match refused {
            None => Ok(answer),
            // The others were tried again all the same.
            Some(reason) => {
                say_meanwhile(self.output, &answer);
                Err(Failure::refused(reason, "not every cleanup is tried again"))
            }
        }
    }
}
