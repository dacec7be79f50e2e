//! `unweave cleanups list`.

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use shared_database::cleanup_view::CleanupFilter;
use shared_models::wire::cleanup::Cleanup;
use shared_models::{CleanupState, CleanupStatus, CollectionId, DeletionReference, OrganizationId, SourceConnectionId};
use shared_service::settings::whole_number;

use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::postgres::Postgres;
use crate::table;

const EXAMPLES: &str = "Examples:
  What is stuck:
    unweave cleanups list --status failing
  What was asked under a reference, and what one month brought:
    unweave cleanups list --reference DSAR-2026-042
    unweave cleanups list --since 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --output json";

/// What `cleanups list` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Only those of this organization
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// Only those of this collection's connections
    #[arg(long, value_name = "ID")]
    collection: Option<CollectionId>,
    /// Only those of this source connection
    #[arg(long, value_name = "ID")]
    connection: Option<SourceConnectionId>,
    /// Only those whose deletion the caller called so
    #[arg(long, value_name = "TEXT")]
    reference: Option<DeletionReference>,
    /// Only those that have reached this step
    #[arg(long, value_parser = PossibleValuesParser::new(CleanupState::NAMES).try_map(|name| name.parse::<CleanupState>()))]
    state: Option<CleanupState>,
    /// Only those that stand so
    #[arg(long, value_parser = PossibleValuesParser::new(CleanupStatus::NAMES).try_map(|name| name.parse::<CleanupStatus>()))]
    status: Option<CleanupStatus>,
    /// Only those with work left though their deadline has passed
    #[arg(long)]
    overdue: bool,
    /// Only those made at this time or later, such as 2026-03-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only those made before this time
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = whole_number(1..=100_000_i64))]
    limit: i64,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl List {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let filter = CleanupFilter {
            collection: self.collection,
            connection: self.connection,
            reference: self.reference.clone(),
            state: self.state,
            status: self.status,
            is_overdue: self.overdue.then_some(true),
            since: self.since,
            until: self.until,
            after: None,
        };
        let database = self.postgres.open()?;
        let rows = match self.organization {
            Some(organization) => database.list_cleanups(organization, filter, 0, self.limit + 1).await?,
            None => database.list_all_cleanups(filter, 0, self.limit + 1).await?,
        };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let is_cut = rows.len() > limit;
        let cleanups: Vec<Cleanup> = rows.into_iter().take(limit).map(Cleanup::from).collect();
        let mut lines = table::lines(["id", "status", "asked", "removed", "organization", "reference", "problem"], {
            cleanups.iter().map(row)
        });
        if is_cut {
            lines.push(format!("there are more than {limit}: --limit, --since and --until show others"));
        }
        let cleanups: Vec<Value> = cleanups.iter().map(|cleanup| json!(cleanup)).collect();
        Ok(Answer { lines, json: json!(cleanups) })
    }
}

fn row(cleanup: &Cleanup) -> [String; 7] {
    let removed: u64 = cleanup.targets.values().map(|target| target.removed).sum();
    let overdue = if cleanup.is_overdue { ", overdue" } else { "" };
    [
        cleanup.id.to_string(),
        format!("{}{overdue}", cleanup.status),
        table::moment(cleanup.deletion_requested_at),
        removed.to_string(),
        cleanup.organization_id.to_string(),
        table::shown(cleanup.deletion_reference.as_ref()),
        table::shown(cleanup.error_code.as_ref()),
    ]
}
