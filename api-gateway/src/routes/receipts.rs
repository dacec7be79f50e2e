//! `/receipts`: all receipts of a period, to be kept elsewhere. Read only.

use std::cmp::Reverse;

use actix_web::http::header::{ACCEPT, Accept, CACHE_CONTROL, CONTENT_DISPOSITION, Header as _, Quality, VARY};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse};
use futures::{StreamExt as _, TryStreamExt as _};
use shared_database::receipts::ReceiptFilter;
use shared_models::wire::ledger::CleanupReceipt;
use shared_receipts::{Export, ExportError, Format};

use super::{Answer, State, resource};
use crate::auth::Caller;
use crate::input::Query;
use crate::openapi::{parameters, tags};
use crate::problem::Problem;

const KNOWN: [&str; 6] = ["format", "since", "until", "source_connection_id", "collection_id", "deletion_reference"];

#[derive(utoipa::OpenApi)]
#[openapi(paths(export))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/receipts").get(export));
}

/// Export receipts
///
/// All of them, the first issued first, however many there are: those that hold, and those that were superseded. For
/// an export that goes on from the last one, ask again with `since` a minute before the newest that you have, and leave
/// out what you know by its id: a receipt may be issued in a transaction that ends after another one's. That shows what
/// is new, not which older receipt was superseded since: now and then, export all. An answer that is cut off isn't
/// whole. Unknown parameters are refused.
#[utoipa::path(
    get, path = "/receipts", tag = tags::CLEANUPS, operation_id = "export_receipts",
    params(parameters::ReceiptFilter),
    responses((
        status = 200, description = "The receipts.",
        content(
            (CleanupReceipt = "application/x-ndjson"),
            (String = "text/csv"),
            (Vec<u8> = "application/zip")
        )
    ))
)]
async fn export(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    query.only(&KNOWN);
    let format = query.one_of("format", Format::NAMES);
    let filter = ReceiptFilter {
        organization: Some(caller.organization),
        collection: query.id("collection_id"),
        connection: query.id("source_connection_id"),
        reference: query.deletion_reference(),
        since: query.time("since"),
        until: query.time("until"),
    };
    query.check()?;
    let format = format.unwrap_or_else(|| accepted(&request));
    let mut pages = Export { database: state.database.clone(), filter, format }.stream().boxed_local();
    // What fails before the first page is an answer like any other.
    let first = pages.try_next().await?;
    let pages = futures::stream::iter(first.map(Ok)).chain(pages).inspect_err(|error: &ExportError| {
        tracing::error!(%error, "an export of receipts was cut off");
    });
    let mut response = HttpResponse::Ok();
    response
        .content_type(format.media_type())
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((VARY, "Accept"));
    if format != Format::Ndjson {
        response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"receipts.{format}\"")));
    }
    Ok(response.streaming(pages))
}

/// What the client would rather have; lines for whoever takes anything.
fn accepted(request: &HttpRequest) -> Format {
    if !request.headers().contains_key(ACCEPT) {
        return Format::default();
    }
    let Ok(Accept(mut accepted)) = Accept::parse(request) else { return Format::default() };
    accepted.retain(|kind| kind.quality > Quality::ZERO);
    accepted.sort_by_key(|kind| Reverse(kind.quality));
    let named = |kind: &str| Format::ALL.into_iter().find(|format| format.media_type() == kind);
    accepted.iter().find_map(|kind| named(kind.item.essence_str())).unwrap_or_default()
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Database(error) => error.into(),
            ExportError::File(error) => error.into(),
            ExportError::Json(_) | ExportError::Table(_) | ExportError::Archive(_) => {
                tracing::error!(%error, "an export of receipts was cut off");
                Self::Internal("receipts can't be written")
            }
        }
    }
}
