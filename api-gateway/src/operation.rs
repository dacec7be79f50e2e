//! What an operator does with the gateway's binary besides serving: organizations, their plans and their keys, and the
//! document of the API.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chrono::SecondsFormat;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use shared_database::api_keys::NewApiKey;
use shared_database::organizations::OrganizationSummary;
use shared_database::{Database, DatabaseError};
use shared_models::ledger::Actor;
use shared_models::{OrganizationId, Plan};
use shared_service::settings::{DatabaseSettings, Validate, whole_number};

use crate::{documentation, keys};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// An operation.
#[derive(Debug, Clone, Parser)]
#[command(name = "api-gateway")]
pub struct Operation {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Makes an organization and prints its first API key, which is shown only this once
    CreateOrganization(CreateOrganization),
    /// Puts an organization on another plan, from its next request on
    SetPlan(SetPlan),
    /// Makes another API key for an organization, for one that has lost its last, and prints it
    CreateApiKey(CreateApiKey),
    /// Lists the organizations, oldest first: id, plan, number of API keys, when made, name
    ListOrganizations(ListOrganizations),
    /// Prints the OpenAPI document of the API
    Openapi,
}

#[derive(Debug, Clone, Args)]
struct CreateOrganization {
    /// Name of the organization
    #[arg(long)]
    name: String,
    /// Requests that it may send a minute: developer 10, pro 100, team 250, enterprise without limit
    #[arg(long, default_value = Plan::Enterprise.as_str(), value_parser = plan())]
    plan: Plan,
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Clone, Args)]
struct SetPlan {
    /// Id of the organization
    #[arg(long, value_name = "ID")]
    organization: OrganizationId,
    /// Requests that it may send a minute: developer 10, pro 100, team 250, enterprise without limit
    #[arg(long, value_parser = plan())]
    plan: Plan,
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Clone, Args)]
struct CreateApiKey {
    /// Id of the organization
    #[arg(long, value_name = "ID")]
    organization: OrganizationId,
    /// Days until the key expires
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = whole_number(1..=365_u32))]
    expiration_days: u32,
    /// What those who use it call it
    #[arg(long = "name", value_name = "TEXT")]
    key_name: Option<String>,
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
}

#[derive(Debug, Clone, Args)]
struct ListOrganizations {
    /// Where PostgreSQL is; one connection is enough.
    #[command(flatten)]
    database: DatabaseSettings,
}

fn plan() -> impl TypedValueParser<Value = Plan> {
    PossibleValuesParser::new(Plan::NAMES).try_map(|name| name.parse::<Plan>())
}

impl Validate for Operation {
    fn validate(&self) -> Result<(), String> {
        match &self.command {
            Command::CreateOrganization(given) if given.name.trim().is_empty() => {
                Err("--name must not be blank".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// Runs an operation.
///
/// # Errors
/// PostgreSQL can't be reached, or isn't migrated, or there is no such organization.
#[expect(clippy::print_stderr, reason = "speaks to an operator")]
pub async fn run(operation: Operation) -> anyhow::Result<()> {
    match operation.command {
        Command::CreateOrganization(given) => {
            let (key, hash) = new_key();
            let database = connect(&given.database)?;
            let made = database.create_organization(&given.name, given.plan, hash).await;
            let organization = made.context("make the organization")?;
            eprintln!("organization {organization}, plan {}; its API key, shown only this once:", given.plan);
            show(&key);
        }
        Command::SetPlan(given) => {
            let database = connect(&given.database)?;
            let is_set = database.set_plan(given.organization, given.plan).await.context("set the plan")?;
            ensure!(is_set, "there is no organization {}", given.organization);
            eprintln!("organization {} is on plan {}", given.organization, given.plan);
        }
        Command::CreateApiKey(given) => {
            let (key, hash) = new_key();
            let database = connect(&given.database)?;
            let new = NewApiKey { hash, lifetime: DAY.saturating_mul(given.expiration_days), name: given.key_name };
            let made = match database.create_api_key(given.organization, new, Actor::Operator).await {
                // The only row that a key refers to.
                Err(DatabaseError::ForeignKey { .. }) => bail!("there is no organization {}", given.organization),
                made => made.context("make the key")?,
            };
            eprintln!("API key {} of organization {}, shown only this once:", made.id, given.organization);
            show(&key);
        }
        Command::ListOrganizations(given) => list(&connect(&given.database)?).await?,
        Command::Openapi => print_openapi()?,
    }
    Ok(())
}

fn connect(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    Database::new(&settings.database_url, 1).context("connect to PostgreSQL")
}

fn new_key() -> (SecretString, shared_database::api_keys::KeyHash) {
    let key = keys::generate();
    let hash = keys::hash(key.expose_secret());
    (key, hash)
}

/// One line each, the parts separated by tabs, for scripts.
#[expect(clippy::print_stdout, reason = "speaks to an operator")]
async fn list(database: &Database) -> anyhow::Result<()> {
    for OrganizationSummary { id, name, plan, created_at, keys } in
        database.list_organizations().await.context("list the organizations")?
    {
        // A name may hold any character.
        let name = name.replace(char::is_control, " ");
        println!("{id}\t{plan}\t{keys}\t{}\t{name}", created_at.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what docs/openapi.json is written from")]
fn print_openapi() -> anyhow::Result<()> {
    print!("{}", documentation::text().context("write the OpenAPI document")?);
    Ok(())
}

/// The key alone on stdout, for scripts.
#[expect(clippy::print_stdout, reason = "speaks to an operator")]
fn show(key: &SecretString) {
    println!("{}", key.expose_secret());
}
