//! `unweave audit`: who changed keys, organizations, plans and pauses, retried, swept or recovered, by the ledger's
//! entries.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};
use shared_database::audit::{AuditEntry, AuditFilter};
use shared_models::OrganizationId;
use shared_models::ledger::{Actor, stamp};
use shared_service::settings::whole_number;

use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::postgres::Postgres;
use crate::table;

const EXAMPLES: &str = "Examples:
    unweave audit --since 2026-03-01T00:00:00Z
    unweave audit --action api_key. --organization 0f0e0d0c-0b0a-4908-8706-050403020100 --output json

Deletions and receipts are entries of their own: unweave cleanups list shows those.";

/// What `audit` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditLog {
    /// Only what concerns this organization
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// Only actions that begin so, such as api_key. or cleanups.paused
    #[arg(long, value_name = "TEXT")]
    action: Option<String>,
    /// Only what happened at this time or later, such as 2026-03-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only what happened before this time
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// At most so many, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = whole_number(1..=100_000_i64))]
    limit: i64,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

impl AuditLog {
    /// Reads it.
    ///
    /// # Errors
    /// PostgreSQL can't be read.
    pub async fn run(&self) -> Result<Answer, Failure> {
        let filter = AuditFilter {
            organization: self.organization,
            action: self.action.clone(),
            since: self.since,
            until: self.until,
        };
        let entries = self.postgres.open()?.audit_entries(&filter, self.limit).await?;
        let lines = table::lines(["when", "who", "what", "which", "organization", "entry"], entries.iter().map(row));
        Ok(Answer { lines, json: entries.iter().map(described).collect() })
    }
}

fn row(entry: &AuditEntry) -> [String; 6] {
    let index = entry.index.map_or_else(|| "waits for its place".to_owned(), |index| index.to_string());
    let Some(audit) = &entry.audit else {
        let nothing = || table::NOTHING.to_owned();
        return [nothing(), nothing(), "of a later version".to_owned(), nothing(), nothing(), index];
    };
    let who = match (audit.actor, &entry.actor_name) {
        (Actor::Operator, _) => "operator".to_owned(),
        (Actor::ApiKeyId(_), Some(name)) => format!("'{name}'"),
        (Actor::ApiKeyId(id), None) => id.to_string(),
    };
    [
        table::moment(audit.at),
        who,
        audit.action.as_str().to_owned(),
        table::shown(audit.object_id),
        table::shown(audit.organization_id),
        index,
    ]
}

fn described(entry: &AuditEntry) -> Value {
    let Some(audit) = &entry.audit else { return json!({ "action": null, "ledger_index": entry.index }) };
    json!({
        "at": stamp::text(audit.at),
        "actor": audit.actor,
        "actor_name": entry.actor_name,
        "action": audit.action,
        "object_id": audit.object_id,
        "organization_id": audit.organization_id,
        "ledger_index": entry.index,
    })
}
