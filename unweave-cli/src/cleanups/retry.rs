//! `unweave cleanups retry`.

use clap::Args;
use serde_json::json;
use shared_database::cleanups::Retried;
use shared_models::CleanupId;

use super::unknown;
use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::postgres::Postgres;

const EXAMPLES: &str = "Examples:
    unweave cleanups retry 0f0e0d0c-0b0a-4908-8706-050403020100
  All that fail:
    unweave cleanups list --status failing --output json | jq -r '.[].id' | xargs unweave cleanups retry

A cleanup that fails is tried again by itself, after longer and longer pauses: use this once what stopped it is mended.
Allowed hours, the rate of removals and pauses hold for it as before. One that was refused, because its sync was live,
is tried again once that sync is gone.";

/// What `cleanups retry` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Retry {
    /// Which
    #[arg(value_name = "ID", required = true)]
    cleanups: Vec<CleanupId>,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Retry {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let database = self.postgres.open()?;
        let (mut lines, mut outcomes) = (Vec::new(), Vec::new());
        for id in &self.cleanups {
            let (name, text) = match database.retry_cleanup(*id).await? {
                Retried::Due => ("due", "is due now"),
                Retried::UnderWay => ("under_way", "is worked on just now, or waits to be verified"),
                Retried::Done => ("done", "is done: a sweep finds what came back"),
                Retried::Live => {
                    return Err(Failure::refused(
                        "live",
                        format!("the sync of cleanup {id} is live: nothing is purged"),
                    ));
                }
                Retried::NotFound => return Err(unknown(*id)),
            };
            lines.push(format!("cleanup {id} {text}"));
            outcomes.push(json!({ "id": id, "outcome": name }));
        }
        Ok(Answer { lines, json: json!(outcomes) })
    }
}
