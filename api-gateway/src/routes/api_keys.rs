//! `/api-keys`: the keys of the caller's organization. A key is shown once, in the answer that makes it.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::{Path, ServiceConfig};
use secrecy::ExposeSecret as _;
use shared_models::ApiKeyId;

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::input::{self, Fields, Query, Submission};
use crate::problem::Problem;
use crate::{keys, present};

const DAY: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_DAYS: i64 = 90;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api-keys").get(list).post(create).delete(delete_by_query))
        .service(resource("/api-keys/{id}").get(get).delete(delete))
        .service(resource("/api-keys/{id}/rotate").post(rotate));
}

async fn create(state: State, submission: Submission) -> Answer {
    let given = submission.body.object_or_empty()?;
    let mut fields = Fields::of_body(&given);
    let days = fields.integer("expiration_days", 1..=365).unwrap_or(DEFAULT_DAYS);
    fields.finish()?;
    let lifetime = DAY.saturating_mul(u32::try_from(days).unwrap_or_default());
    let key = keys::generate();
    let hash = keys::hash(key.expose_secret());
    let row = state.database.create_api_key(submission.caller.organization, hash, lifetime).await?;
    ok(present::api_key(row, Some(&key)))
}

async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let page = Query::of(&request).page()?;
    let rows = state.database.list_api_keys(caller.organization, page.skip, page.limit).await?;
    ok(rows.into_iter().map(|row| present::api_key(row, None)).collect::<Vec<_>>())
}

async fn get(state: State, caller: Caller, id: Path<String>) -> Answer {
    let row = state.database.api_key(caller.organization, read(&id)?).await?;
    ok(present::api_key(row.ok_or(Problem::NoApiKey)?, None))
}

async fn rotate(state: State, caller: Caller, id: Path<String>) -> Answer {
    let (id, key) = (read(&id)?, keys::generate());
    let row = state.database.rotate_api_key(caller.organization, id, keys::hash(key.expose_secret())).await?;
    ok(present::api_key(row.ok_or(Problem::NoApiKey)?, Some(&key)))
}

async fn delete(state: State, caller: Caller, id: Path<String>) -> Answer {
    remove(&state, &caller, read(&id)?).await
}

async fn delete_by_query(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    if query.text("id").is_none() {
        query.refuse("id", "Field required", "missing");
    }
    query.check()?;
    remove(&state, &caller, input::id(&["query", "id"], query.text("id").unwrap_or_default())?).await
}

async fn remove(state: &State, caller: &Caller, id: ApiKeyId) -> Answer {
    let row = state.database.delete_api_key(caller.organization, id).await?;
    ok(present::api_key(row.ok_or(Problem::NoApiKey)?, None))
}

fn read(id: &str) -> Result<ApiKeyId, Problem> {
    input::id(&["path", "id"], id)
}
