//! `/cleanups`: how far the removal of deleted connections' data is, and the receipts. Read only.

use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::CleanupId;
use shared_models::receipt::ReceiptFile;
use shared_models::wire::cleanup::Cleanup;
use shared_models::wire::ledger::CleanupReceipt;

use super::{Answer, State, no_parameters, ok, resource};
use crate::auth::Caller;
use crate::certificate;
use crate::cleanup_events::event_id;
use crate::input::{self, Query};
use crate::openapi::{parameters, tags};
use crate::problem::Problem;

mod paging;

use paging::Asked;

const LAST_EVENT_ID: &str = "last-event-id";

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, get, events, receipt, receipts))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/cleanups").get(list))
        .service(resource("/cleanups/{id}").get(get))
        .service(resource("/cleanups/{id}/events").get(events))
        .service(resource("/cleanups/{id}/receipt").get(receipt))
        .service(resource("/cleanups/{id}/receipts").get(receipts));
}

/// List cleanups
///
/// Newest first. Where there are more, the header `Link` has the next page. Unknown parameters are refused.
#[utoipa::path(
    get, path = "/cleanups", tag = tags::CLEANUPS, operation_id = "list_cleanups",
    params(parameters::CleanupFilter, parameters::Page),
    responses((status = 200, description = "A page of cleanups.", body = Vec<Cleanup>, headers(("Link"))))
)]
async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let Asked { filter, page } = paging::asked(&mut Query::of(&request))?;
    let mut rows = state.database.list_cleanups(caller.organization, filter, page.skip, page.limit + 1).await?;
    let next = paging::next(request.query_string(), &mut rows, page.limit);
    let mut response = HttpResponse::Ok();
    if let Some(next) = next {
        response.insert_header(("Link", next));
    }
    Ok(response.json(rows.into_iter().map(Cleanup::from).collect::<Vec<_>>()))
}

/// Get a cleanup
///
/// How far the removal of a deleted connection's data is.
#[utoipa::path(
    get, path = "/cleanups/{cleanup_id}", tag = tags::CLEANUPS, operation_id = "get_cleanup",
    params(parameters::CleanupPath),
    responses(
        (status = 200, description = "The cleanup.", body = Cleanup),
        (status = 404, description = "The organization has no such cleanup."),
    )
)]
async fn get(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    let row = state.database.cleanup(caller.organization, read(&id)?).await?;
    ok(Cleanup::from(row.ok_or(Problem::NoCleanup)?))
}

/// Watch a cleanup
///
/// Server-sent events: `progress` at each change, `done` or `refused` as the last, each with the cleanup as its data.
/// The first event is the cleanup as it is now, so a client that was cut off just connects again; with `Last-Event-ID`
/// it isn't told again what it knows.
#[utoipa::path(
    get, path = "/cleanups/{cleanup_id}/events", tag = tags::CLEANUPS, operation_id = "watch_cleanup",
    params(parameters::CleanupPath, parameters::LastEvent),
    responses(
        (status = 200, description = "The events.", content_type = "text/event-stream"),
        (status = 204, description = "The last event has been seen: there will be no others."),
        (status = 404, description = "The organization has no such cleanup."),
        (status = 429, description = "The organization's rate limit is used up, or it has too many streams open."),
    )
)]
async fn events(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    let row = state.database.cleanup(caller.organization, read(&id)?).await?.ok_or(Problem::NoCleanup)?;
    let seen = request.headers().get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    if !row.state.is_open() && seen.as_deref() == Some(&event_id(&row)) {
        // What tells a browser's client that the stream has ended for good: it would connect again and again.
        return Ok(HttpResponse::NoContent().finish());
    }
    let body = state.cleanup_events.open(row, seen).ok_or(Problem::TooManyStreams)?;
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream").insert_header(("X-Accel-Buffering", "no"));
    Ok(response.streaming(body.into_stream()))
}

/// Get a cleanup's receipt
///
/// What was removed, and when each store was verified empty; signed, and in the ledger seconds later, so that anybody
/// who has the ledger's key can verify it offline: the one that holds. A cleanup that is open again, because something
/// may have come back, has none until it is done. Asked for `text/html` it is a certificate: a page for people, to be
/// printed.
#[utoipa::path(
    get, path = "/cleanups/{cleanup_id}/receipt", tag = tags::CLEANUPS, operation_id = "get_cleanup_receipt",
    params(parameters::CleanupPath),
    responses(
        (
            status = 200, description = "The receipt with its signature and its place in the ledger.",
            content((ReceiptFile = "application/json"), (String = "text/html"))
        ),
        (status = 404, description = "The organization has no such cleanup, or the cleanup isn't done yet."),
        (status = 409, description = "The cleanup is open again, and its last receipt was superseded."),
    )
)]
async fn receipt(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    let id = read(&id)?;
    let receipts = state.database.receipts(caller.organization, id).await?;
    let newest = match receipts.first() {
        Some(newest) => newest.id,
        None if state.database.cleanup(caller.organization, id).await?.is_some() => return Err(Problem::NoReceipt),
        None => return Err(Problem::NoCleanup),
    };
    let holds = receipts.into_iter().find(|receipt| receipt.superseded.is_none());
    let file = shared_receipts::file(&state.database, holds.ok_or(Problem::ReceiptSuperseded(newest))?).await?;
    if !certificate::is_asked_for(&request) {
        return ok(file);
    }
    let asked = state.database.cleanup(caller.organization, id).await?.ok_or(Problem::NoCleanup)?.asked;
    certificate::page(&file, asked.requested_by_name)
}

/// List a cleanup's receipts
///
/// The newest first, with which of them holds, and why the others don't. Receipts are appended, never replaced.
#[utoipa::path(
    get, path = "/cleanups/{cleanup_id}/receipts", tag = tags::CLEANUPS, operation_id = "list_cleanup_receipts",
    params(parameters::CleanupPath),
    responses(
        (status = 200, description = "The receipts; none until the cleanup is done.", body = Vec<CleanupReceipt>),
        (status = 404, description = "The organization has no such cleanup."),
    )
)]
async fn receipts(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    let id = read(&id)?;
    let stored = state.database.receipts(caller.organization, id).await?;
    if stored.is_empty() {
        state.database.cleanup(caller.organization, id).await?.ok_or(Problem::NoCleanup)?;
    }
    let published = state.database.newest_checkpoint(true).await?;
    let about: Vec<_> = stored.iter().map(|receipt| (receipt.id, receipt.issued_at, receipt.superseded)).collect();
    let files = shared_receipts::files(&state.database, stored, published.as_ref()).await?;
    let receipts = about.into_iter().zip(files).map(|((receipt_id, issued_at, superseded), file)| {
        let (superseded_at, superseded_reason) = superseded.unzip();
        let holds = superseded_at.is_none();
        CleanupReceipt { receipt_id, issued_at, holds, superseded_at, superseded_reason, file }
    });
    ok(receipts.collect::<Vec<_>>())
}

fn read(id: &str) -> Result<CleanupId, Problem> {
    input::id(&["path", "cleanup_id"], id)
}
