//! `unweave cleanups pause`, `resume` and `pauses`.

use clap::Args;
use serde_json::json;
use shared_models::OrganizationId;
use shared_models::ledger::stamp;

use crate::failure::Failure;
use crate::organizations;
use crate::output::{Answer, Output};
use crate::postgres::Postgres;
use crate::table;

/// What `cleanups pause` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave cleanups pause --reason 'migration of the index until Friday'")]
pub struct Pause {
    /// Only those of this organization; else those of all
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// What for, for those who find it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// What `cleanups resume` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave cleanups resume")]
pub struct Resume {
    /// The pause of this organization; else the one of all, and those of organizations stand
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// What `cleanups pauses` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave cleanups pauses")]
pub struct Pauses {
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Pause {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let database = self.postgres.open()?;
        if let Some(organization) = self.organization
            && !database.is_organization_known(organization).await?
        {
            return Err(organizations::unknown(organization));
        }
        let is_new = database.pause_cleanups(self.organization, self.reason.as_deref()).await?;
        let said = if is_new { "are paused" } else { "were paused before" };
        let line = format!("{} {said}; a purge that is under way stops within its slice", whose(self.organization));
        Ok(Answer { lines: vec![line], json: json!({ "organization_id": self.organization, "is_new": is_new }) })
    }
}

impl Resume {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let database = self.postgres.open()?;
        if !database.resume_cleanups(self.organization).await? {
            return Err(Failure::refused("not_found", format!("{} aren't paused", whose(self.organization))));
        }
        let mut lines = vec![format!("{} go on", whose(self.organization))];
        let left = database.cleanup_pauses().await?;
        let concerns = |whose: Option<OrganizationId>| whose.is_none() || self.organization.is_none();
        let left = left.iter().filter(|pause| concerns(pause.organization_id));
        lines.extend(left.map(|pause| format!("still paused: {}", whose(pause.organization_id))));
        Ok(Answer { lines, json: json!({ "organization_id": self.organization }) })
    }
}

impl Pauses {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let pauses = self.postgres.open()?.cleanup_pauses().await?;
        let rows = pauses.iter().map(|pause| {
            let whose = pause.organization_id.map_or_else(|| "all".to_owned(), |id| id.to_string());
            [whose, table::moment(pause.paused_at), table::shown(pause.reason.as_ref())]
        });
        let lines = table::lines(["organization", "since", "reason"], rows);
        let json = pauses.iter().map(|pause| {
            json!({
                "organization_id": pause.organization_id,
                "paused_at": stamp::text(pause.paused_at),
                "reason": pause.reason,
            })
        });
        Ok(Answer { lines, json: json.collect() })
    }
}

fn whose(organization: Option<OrganizationId>) -> String {
    organization.map_or_else(|| "all cleanups".to_owned(), |id| format!("the cleanups of organization {id}"))
}
