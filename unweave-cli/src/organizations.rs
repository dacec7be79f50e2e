//! Commands about organizations, the tenants.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared_database::organizations::OrganizationSummary;
use shared_models::ledger::stamp;
use shared_models::{OrganizationId, Plan, api_key};

mod delete;

use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::postgres::Postgres;
use crate::table;

/// What is done with organizations.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the organizations, the oldest first
    List(List),
    /// Shows one organization
    Show(Show),
    /// Makes an organization with its first API key, which is shown only this once
    Create(Create),
    /// Puts an organization on another plan, from its next request on
    SetPlan(SetPlan),
    /// Deletes an organization with everything: keys, collections, their data in the stores; and signs a summary
    Delete(delete::Delete),
}

/// What `organizations list` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave organizations list --output json")]
pub struct List {
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `organizations show` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave organizations show 0f0e0d0c-0b0a-4908-8706-050403020100")]
pub struct Show {
    /// Which
    #[arg(value_name = "ID")]
    organization: OrganizationId,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `organizations create` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave organizations create --name 'Acme, support' --plan team")]
pub struct Create {
    /// Its name, for people
    #[arg(long, value_name = "TEXT", value_parser = not_blank)]
    name: String,
    /// Requests that it may send a minute: developer 10, pro 100, team 250, enterprise without limit
    #[arg(long, value_name = "PLAN", default_value = Plan::Enterprise.as_str(), value_parser = plan())]
    plan: Plan,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `organizations set-plan` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave organizations set-plan 0f0e0d0c-0b0a-4908-8706-050403020100 pro")]
pub struct SetPlan {
    /// Which
    #[arg(value_name = "ID")]
    organization: OrganizationId,
    /// Requests that it may send a minute: developer 10, pro 100, team 250, enterprise without limit
    #[arg(value_name = "PLAN", value_parser = plan())]
    plan: Plan,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn plan() -> impl TypedValueParser<Value = Plan> {
    PossibleValuesParser::new(Plan::NAMES).try_map(|name| name.parse::<Plan>())
}

fn not_blank(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it must not be blank") } else { Ok(text.to_owned()) }
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::List(asked) => asked.output,
            Self::Show(asked) => asked.output,
            Self::Create(asked) => asked.output,
            Self::SetPlan(asked) => asked.output,
            Self::Delete(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::List(asked) => Ok(listed(&asked.postgres.open()?.list_organizations().await?)),
            Self::Show(asked) => {
                let found = asked.postgres.open()?.organization(asked.organization).await?;
                Ok(shown(&found.ok_or_else(|| unknown(asked.organization))?))
            }
            Self::Create(asked) => create(asked).await,
            Self::Delete(asked) => asked.run().await,
            Self::SetPlan(asked) => {
                let (id, plan) = (asked.organization, asked.plan);
                if !asked.postgres.open()?.set_plan(id, plan).await? {
                    return Err(unknown(id));
                }
                let lines = vec![format!("organization {id} is on plan {plan} from its next request on")];
                Ok(Answer { lines, json: json!({ "id": id, "plan": plan }) })
            }
        }
    }
}

/// There is no such organization.
pub fn unknown(organization: OrganizationId) -> Failure {
    Failure::refused("not_found", format!("there is no organization {organization}"))
}

async fn create(asked: &Create) -> Result<Answer, Failure> {
    let key = api_key::generate();
    let hash = api_key::hash(key.expose_secret());
    let id = asked.postgres.open()?.create_organization(&asked.name, asked.plan, hash).await?;
    let key = key.expose_secret();
    let lines = table::described([
        ("organization", id.to_string()),
        ("plan", asked.plan.to_string()),
        ("API key", format!("{key}  (shown only this once)")),
    ]);
    Ok(Answer { lines, json: json!({ "id": id, "name": asked.name, "plan": asked.plan, "api_key": key }) })
}

fn listed(organizations: &[OrganizationSummary]) -> Answer {
    let rows = organizations.iter().map(|found| {
        let made = table::moment(found.created_at);
        let counts = [found.keys, found.collections, found.connections].map(|count| count.to_string());
        let [keys, collections, connections] = counts;
        [found.id.to_string(), found.plan.to_string(), made, keys, collections, connections, found.name.clone()]
    });
    let lines = table::lines(["id", "plan", "made", "keys", "collections", "connections", "name"], rows);
    Answer { lines, json: organizations.iter().map(described).collect() }
}

fn shown(found: &OrganizationSummary) -> Answer {
    let lines = table::described([
        ("id", found.id.to_string()),
        ("name", found.name.clone()),
        ("plan", found.plan.to_string()),
        ("made", table::moment(found.created_at)),
        ("API keys", found.keys.to_string()),
        ("collections", found.collections.to_string()),
        ("connections", found.connections.to_string()),
        ("open cleanups", found.open_cleanups.to_string()),
    ]);
    Answer { lines, json: described(found) }
}

fn described(found: &OrganizationSummary) -> Value {
    json!({
        "id": found.id,
        "name": found.name,
        "plan": found.plan,
        "created_at": stamp::text(found.created_at),
        "api_keys": found.keys,
        "collections": found.collections,
        "source_connections": found.connections,
        "open_cleanups": found.open_cleanups,
    })
}
