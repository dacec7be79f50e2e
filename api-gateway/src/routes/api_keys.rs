//! `/api-keys`: the keys of the caller's organization. A key is shown once, in the answer that makes it.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::{Path, ServiceConfig};
use secrecy::ExposeSecret as _;
use shared_database::api_keys::NewApiKey;
use shared_models::ApiKeyId;
use shared_models::wire::api_key::ApiKey;
use shared_models::wire::requests::{ApiKeyCreate, ApiKeyRotate};

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::input::{self, Fields, Query};
use crate::openapi::{parameters, tags};
use crate::present;
use crate::problem::Problem;
use crate::submission::Submission;
use shared_models::api_key as keys;

const DAY: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_DAYS: i64 = 90;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, create, delete_by_query, get, delete, rotate))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api-keys").get(list).post(create).delete(delete_by_query))
        .service(resource("/api-keys/{id}").get(get).delete(delete))
        .service(resource("/api-keys/{id}/rotate").post(rotate));
}

/// Create an API key
///
/// The key itself is in this answer only: afterwards only its hash is known.
#[utoipa::path(
    post, path = "/api-keys", tag = tags::API_KEYS, operation_id = "create_api_key",
    request_body(content = Option<ApiKeyCreate>, content_type = "application/json"),
    responses((status = 200, description = "The key, with its text.", body = ApiKey))
)]
async fn create(state: State, submission: Submission) -> Answer {
    let given = submission.body.object_or_empty()?;
    let mut fields = Fields::of_body(&given);
    let days = fields.integer("expiration_days", 1..=365).unwrap_or(DEFAULT_DAYS);
    let name = name(&mut fields);
    fields.finish()?;
    let lifetime = DAY.saturating_mul(u32::try_from(days).unwrap_or_default());
    let key = keys::generate();
    let new = NewApiKey { hash: keys::hash(key.expose_secret()), lifetime, name };
    let row = state.database.create_api_key(submission.caller.organization, new, submission.caller.actor()).await?;
    ok(present::api_key(row, Some(&key)))
}

/// List API keys
///
/// Newest first; without their texts, which nobody knows any more. With `deleted=true` those that were deleted: their
/// names and times are kept, so that what they asked for can be told to somebody.
#[utoipa::path(
    get, path = "/api-keys", tag = tags::API_KEYS, operation_id = "list_api_keys",
    params(parameters::Page, ("deleted" = Option<bool>, Query, description = "Only those that were deleted.")),
    responses((status = 200, description = "A page of keys.", body = Vec<ApiKey>))
)]
async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    let is_deleted = query.boolean("deleted").unwrap_or_default();
    let page = query.page()?;
    let database = &state.database;
    let rows = match is_deleted {
        true => database.list_deleted_api_keys(caller.organization, page.skip, page.limit).await?,
        false => database.list_api_keys(caller.organization, page.skip, page.limit).await?,
    };
    ok(rows.into_iter().map(|row| present::api_key(row, None)).collect::<Vec<_>>())
}

/// Get an API key
#[utoipa::path(
    get, path = "/api-keys/{id}", tag = tags::API_KEYS, operation_id = "get_api_key",
    params(parameters::ApiKeyPath),
    responses(
        (status = 200, description = "The key, without its text.", body = ApiKey),
        (status = 404, description = "The organization has no such key."),
    )
)]
async fn get(state: State, caller: Caller, id: Path<String>) -> Answer {
    let row = state.database.api_key(caller.organization, read(&id)?).await?;
    ok(present::api_key(row.ok_or(Problem::NoApiKey)?, None))
}

/// Rotate an API key
///
/// The old text stops working at once. The new one is in this answer only.
#[utoipa::path(
    post, path = "/api-keys/{id}/rotate", tag = tags::API_KEYS, operation_id = "rotate_api_key",
    params(parameters::ApiKeyPath),
    request_body(content = Option<ApiKeyRotate>, content_type = "application/json"),
    responses(
        (status = 200, description = "The key, with its new text.", body = ApiKey),
        (status = 404, description = "The organization has no such key."),
    )
)]
async fn rotate(state: State, submission: Submission, id: Path<String>) -> Answer {
    let (id, key) = (read(&id)?, keys::generate());
    let given = submission.body.object_or_empty()?;
    let mut fields = Fields::of_body(&given);
    let name = name(&mut fields);
    fields.finish()?;
    let (caller, hash) = (submission.caller, keys::hash(key.expose_secret()));
    let row = state.database.rotate_api_key(caller.organization, id, hash, name.as_deref(), caller.actor()).await?;
    ok(present::api_key(row.ok_or(Problem::NoApiKey)?, Some(&key)))
}

/// Delete an API key
///
/// It stops working at once. Its name and times are kept.
#[utoipa::path(
    delete, path = "/api-keys/{id}", tag = tags::API_KEYS, operation_id = "delete_api_key",
    params(parameters::ApiKeyPath),
    responses(
        (status = 200, description = "The key that was.", body = ApiKey),
        (status = 404, description = "The organization has no such key."),
    )
)]
async fn delete(state: State, caller: Caller, id: Path<String>) -> Answer {
    remove(&state, &caller, read(&id)?).await
}

/// Delete an API key, named by a query parameter
///
/// The same as `DELETE /api-keys/{id}`, for clients that know only this form.
#[utoipa::path(
    delete, path = "/api-keys", tag = tags::API_KEYS, operation_id = "delete_api_key_by_query",
    params(("id" = ApiKeyId, Query, description = "The key's id.")),
    responses(
        (status = 200, description = "The key that was.", body = ApiKey),
        (status = 404, description = "The organization has no such key."),
    )
)]
async fn delete_by_query(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    if query.text("id").is_none() {
        query.refuse("id", "Field required", "missing");
    }
    query.check()?;
    remove(&state, &caller, input::id(&["query", "id"], query.text("id").unwrap_or_default())?).await
}

async fn remove(state: &State, caller: &Caller, id: ApiKeyId) -> Answer {
    let row = state.database.delete_api_key(caller.organization, id, caller.actor()).await?;
    ok(present::api_key(row.ok_or(Problem::NoApiKey)?, None))
}

/// What those who use a key call it.
fn name(fields: &mut Fields<'_>) -> Option<String> {
    fields.text("name", 1..=100)
}

fn read(id: &str) -> Result<ApiKeyId, Problem> {
    input::id(&["path", "id"], id)
}
