//! Commands about API keys.

use std::time::Duration;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared_database::DatabaseError;
use shared_database::api_keys::{ApiKey, NewApiKey};
use shared_models::ledger::{Actor, stamp};
use shared_models::{ApiKeyId, OrganizationId, api_key};
use shared_service::settings::whole_number;

use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::organizations;
use crate::output::{Answer, Output};
use crate::postgres::Postgres;
use crate::table;

const DAY: Duration = Duration::from_secs(24 * 3600);
const CREATE: &str = "Example:
    unweave api-keys create --organization 0f0e0d0c-0b0a-4908-8706-050403020100 \\
      --name 'nightly clean-up of the CRM' --expiration-days 365";

const REVOKE: &str = "Example:
    unweave api-keys revoke 0f0e0d0c-0b0a-4908-8706-050403020101 \\
      --organization 0f0e0d0c-0b0a-4908-8706-050403020100";

/// Keys of one organization that are listed.
const MOST: i64 = 10_000;

/// What is done with API keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists an organization's API keys, those that were deleted last
    List(List),
    /// Makes an API key, for an organization that has lost its last, and shows it only this once
    Create(Create),
    /// Deletes an API key: it is refused from the next request on; its name is kept
    Revoke(Revoke),
}

/// What `api-keys list` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave api-keys list --organization 0f0e0d0c-0b0a-4908-8706-050403020100")]
pub struct List {
    /// Whose
    #[arg(long, value_name = "ID")]
    organization: OrganizationId,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `api-keys create` is given.
#[derive(Debug, Args)]
#[command(after_help = CREATE)]
pub struct Create {
    /// Whose
    #[arg(long, value_name = "ID")]
    organization: OrganizationId,
    /// What those who use it call it: shown with everything that is asked by it, also when it is gone
    #[arg(long, value_name = "TEXT", value_parser = name)]
    name: Option<String>,
    /// Days until it expires
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = whole_number(1..=365_u32))]
    expiration_days: u32,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `api-keys revoke` is given.
#[derive(Debug, Args)]
#[command(after_help = REVOKE)]
pub struct Revoke {
    /// Which
    #[arg(value_name = "ID")]
    key: ApiKeyId,
    /// Whose
    #[arg(long, value_name = "ID")]
    organization: OrganizationId,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn name(text: &str) -> Result<String, &'static str> {
    let is_name = (1..=100).contains(&text.chars().count()) && !text.trim().is_empty();
    if is_name { Ok(text.to_owned()) } else { Err("1 to 100 characters, not blanks alone") }
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::List(asked) => asked.output,
            Self::Create(asked) => asked.output,
            Self::Revoke(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::List(asked) => list(asked).await,
            Self::Create(asked) => create(asked).await,
            Self::Revoke(asked) => revoke(asked).await,
        }
    }
}

async fn list(asked: &List) -> Result<Answer, Failure> {
    let database = asked.postgres.open()?;
    database.organization(asked.organization).await?.ok_or_else(|| organizations::unknown(asked.organization))?;
    let mut keys = database.list_api_keys(asked.organization, 0, MOST).await?;
    keys.extend(database.list_deleted_api_keys(asked.organization, 0, MOST).await?);
    let rows = keys.iter().map(|key| {
        let times = [Some(key.created_at), key.last_used_at, key.expires_at, key.deleted_at];
        let [made, used, expires, deleted] = times.map(|at| table::shown(at.map(table::moment)));
        [key.id.to_string(), made, used, expires, deleted, table::shown(key.name.as_ref())]
    });
    let lines = table::lines(["id", "made", "last used", "expires", "deleted", "name"], rows);
    Ok(Answer { lines, json: keys.iter().map(described).collect() })
}

async fn create(asked: &Create) -> Result<Answer, Failure> {
    let key = api_key::generate();
    let lifetime = DAY.saturating_mul(asked.expiration_days);
    let new = NewApiKey { hash: api_key::hash(key.expose_secret()), lifetime, name: asked.name.clone() };
    let made = match asked.postgres.open()?.create_api_key(asked.organization, new, Actor::Operator).await {
        // The only row that a key refers to.
        Err(DatabaseError::ForeignKey { .. }) => return Err(organizations::unknown(asked.organization)),
        made => made?,
    };
    let key = key.expose_secret();
    let lines = table::described([
        ("id", made.id.to_string()),
        ("expires", table::shown(made.expires_at.map(table::moment))),
        ("API key", format!("{key}  (shown only this once)")),
    ]);
    let mut json = described(&made);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("api_key".to_owned(), key.into());
    }
    Ok(Answer { lines, json })
}

async fn revoke(asked: &Revoke) -> Result<Answer, Failure> {
    let database = asked.postgres.open()?;
    let unknown = || {
        let text = format!("organization {} has no API key {}", asked.organization, asked.key);
        Failure::refused("not_found", text)
    };
    let key = database.api_key(asked.organization, asked.key).await?.ok_or_else(unknown)?;
    let whose = format!("API key {}, {}, last used {}", key.id, named(&key), table::shown(key.last_used_at));
    asked.confirmation.ask(&[whose], "Delete it?")?;
    let deleted = database.delete_api_key(asked.organization, asked.key, Actor::Operator).await?;
    let deleted = deleted.ok_or_else(unknown)?;
    let lines = vec![format!("API key {}, {}, is refused from the next request on", deleted.id, named(&deleted))];
    Ok(Answer { lines, json: described(&deleted) })
}

fn named(key: &ApiKey) -> String {
    key.name.as_ref().map_or_else(|| "without a name".to_owned(), |name| format!("'{name}'"))
}

fn described(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "organization_id": key.organization_id,
        "name": key.name,
        "created_at": stamp::text(key.created_at),
        "last_used_at": key.last_used_at.map(stamp::text),
        "expires_at": key.expires_at.map(stamp::text),
        "deleted_at": key.deleted_at.map(stamp::text),
    })
}
