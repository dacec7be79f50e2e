//! `unweave cleanups show`.

use clap::Args;
use serde_json::json;
use shared_database::Database;
use shared_models::CleanupId;
use shared_models::wire::cleanup::Cleanup;

use super::unknown;
use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::postgres::Postgres;
use crate::table;

/// What `cleanups show` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave cleanups show 0f0e0d0c-0b0a-4908-8706-050403020100")]
pub struct Show {
    /// Which
    #[arg(value_name = "ID")]
    cleanup: CleanupId,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Show {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let cleanup = read(&self.postgres.open()?, self.cleanup).await?;
        Ok(Answer { lines: lines(&cleanup), json: json!(cleanup) })
    }
}

/// A cleanup as it is now.
pub(super) async fn read(database: &Database, id: CleanupId) -> Result<Cleanup, Failure> {
    let row = database.watched_cleanups(&[id]).await?.pop();
    Ok(row.ok_or_else(|| unknown(id))?.into())
}

fn lines(cleanup: &Cleanup) -> Vec<String> {
    let moment = |at: Option<chrono::DateTime<chrono::Utc>>| table::shown(at.map(table::moment));
    let waits = cleanup.waiting_for.map_or_else(String::new, |what| format!(", for {what}"));
    let by = match (cleanup.requested_by, &cleanup.requested_by_name) {
        (Some(key), Some(name)) => format!("API key '{name}' ({key})"),
        (Some(key), None) => format!("API key {key}"),
        (None, _) => "nobody who is known".to_owned(),
    };
    let mut facts = vec![
        ("id", cleanup.id.to_string()),
        ("status", format!("{}{waits}", cleanup.status)),
        ("step", cleanup.state.to_string()),
        ("organization", cleanup.organization_id.to_string()),
        ("collection", cleanup.collection_id.to_string()),
        ("connection", cleanup.source_connection_id.to_string()),
        ("sync", cleanup.sync_id.to_string()),
        ("asked by", by),
        ("request", table::shown(cleanup.request_id)),
        ("reference", table::shown(cleanup.deletion_reference.as_ref())),
        ("asked", table::moment(cleanup.deletion_requested_at)),
        ("rows gone", table::moment(cleanup.rows_deleted_at)),
        ("deadline", moment(cleanup.deadline_at)),
        ("next attempt", moment(cleanup.next_attempt_at)),
        ("done", moment(cleanup.completed_at)),
    ];
    if cleanup.is_overdue {
        facts.push(("overdue", "its deadline has passed".to_owned()));
    }
    if let Some(code) = &cleanup.error_code {
        let text = table::shown(cleanup.error_text.as_ref());
        let since = moment(cleanup.failing_since);
        facts.push(("problem", format!("{code}: {text}; {} attempts, failing since {since}", cleanup.attempts)));
    }
    let mut lines = table::described(facts);
    let rows = cleanup.targets.iter().map(|(target, known)| {
        let empty = moment(known.verified_empty_at);
        [target.to_string(), known.found.to_string(), known.removed.to_string(), known.rounds.to_string(), empty]
    });
    lines.push(String::new());
    lines.extend(table::lines(["target", "found", "removed", "rounds", "verified empty"], rows));
    lines
}
