//! `/.well-known/unweave-ledger`: what anybody needs to verify receipts and to watch the ledger; and `/ledger/entries`,
//! the caller's own entries. Read only.

use actix_web::http::header::ContentType;
use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::wire::ledger::{ConsistencyProof, LedgerEntry, LedgerKey};

use super::{Answer, State, no_parameters, ok, resource};
use crate::auth::Caller;
use crate::input::Query;
use crate::ledger;
use crate::openapi::{parameters, tags};
use crate::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(keys, checkpoint, checkpoint_of_size, consistency, entries))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/.well-known/unweave-ledger/keys").get(keys))
        .service(resource("/.well-known/unweave-ledger/checkpoint").get(checkpoint))
        .service(resource("/.well-known/unweave-ledger/checkpoints/{size}").get(checkpoint_of_size))
        .service(resource("/.well-known/unweave-ledger/consistency/{old_size}/{new_size}").get(consistency))
        .service(resource("/ledger/entries").get(entries));
}

/// List the ledger's keys
///
/// Every key that signs or signed receipts and checkpoints. Keep them where nobody but you can change them: a receipt
/// is evidence only by a key that you already have.
#[utoipa::path(
    get, path = "/.well-known/unweave-ledger/keys", tag = tags::LEDGER, operation_id = "list_ledger_keys", security(()),
    responses((status = 200, description = "The keys, in the order of their first use.", body = Vec<LedgerKey>))
)]
async fn keys(state: State, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    let stored = state.database.ledger_keys().await?;
    let newest = stored.iter().map(|key| key.last_used_at).max();
    let keys = stored.into_iter().map(|key| LedgerKey {
        is_current: Some(key.last_used_at) == newest,
        verifier_key: key.verifier_key,
        name: key.name,
        first_used_at: key.first_used_at,
        last_used_at: key.last_used_at,
    });
    ok(keys.collect::<Vec<_>>())
}

/// Get the ledger's newest checkpoint
///
/// Size and root of the ledger, as a signed note (C2SP tlog-checkpoint): the newest that is published. Keep one now and
/// then: whoever has it can show later that nothing before it was altered or taken out.
#[utoipa::path(
    get, path = "/.well-known/unweave-ledger/checkpoint", tag = tags::LEDGER, operation_id = "get_ledger_checkpoint",
    security(()),
    responses(
        (status = 200, description = "The checkpoint.", body = String, content_type = "text/plain"),
        (status = 404, description = "Nothing has been published yet."),
    )
)]
async fn checkpoint(state: State, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    note(state.database.newest_checkpoint(true).await?.map(|checkpoint| checkpoint.note))
}

/// Get one of the ledger's checkpoints
#[utoipa::path(
    get, path = "/.well-known/unweave-ledger/checkpoints/{size}", tag = tags::LEDGER,
    operation_id = "get_ledger_checkpoint_of_size", security(()), params(parameters::LedgerSize),
    responses(
        (status = 200, description = "The checkpoint.", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no published checkpoint of this size."),
    )
)]
async fn checkpoint_of_size(state: State, size: Path<String>, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    let Some(size) = number(&size) else { return Err(Problem::NoCheckpoint) };
    note(state.database.published_checkpoint(size).await?.map(|checkpoint| checkpoint.note))
}

/// Prove that the ledger only grew
///
/// That the first `old_size` entries are the beginning of the first `new_size`: with the roots of two checkpoints it is
/// checked offline.
#[utoipa::path(
    get, path = "/.well-known/unweave-ledger/consistency/{old_size}/{new_size}", tag = tags::LEDGER,
    operation_id = "get_ledger_consistency_proof", security(()), params(parameters::LedgerSizes),
    responses(
        (status = 200, description = "The proof.", body = ConsistencyProof),
        (status = 404, description = "The ledger hasn't so many entries."),
    )
)]
async fn consistency(state: State, sizes: Path<(String, String)>, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    let (old, new) = sizes.into_inner();
    let (Some(old), Some(new)) = (number(&old), number(&new)) else { return Err(Problem::NoCheckpoint) };
    ok(ledger::consistency(&state.database, old, new).await?.ok_or(Problem::NoCheckpoint)?)
}

/// List the organization's entries of the ledger
///
/// In the order in which they were written. Where there are more, ask again with `after` as the last one's `index`.
#[utoipa::path(
    get, path = "/ledger/entries", tag = tags::LEDGER, operation_id = "list_ledger_entries",
    params(parameters::LedgerEntries),
    responses((status = 200, description = "A page of entries.", body = Vec<LedgerEntry>))
)]
async fn entries(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    query.only(&["after", "limit"]);
    let after = query.integer("after", -1, -1..=i64::MAX);
    let limit = query.integer("limit", 100, 1..=1_000);
    query.check()?;
    let entries = state.database.organization_entries(caller.organization, after, limit).await?;
    let entries = entries.into_iter().map(|entry| LedgerEntry { index: Some(entry.index), entry: entry.entry });
    ok(entries.collect::<Vec<_>>())
}

fn note(note: Option<String>) -> Answer {
    let note = note.ok_or(Problem::NoCheckpoint)?;
    Ok(HttpResponse::Ok().content_type(ContentType::plaintext()).body(note))
}

/// Digits alone: the one text of a number.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}
