//! `/cleanups`: how far the removal of deleted connections' data is, and the receipts. Read only.

use actix_web::HttpRequest;
use actix_web::web::{Path, ServiceConfig};
use shared_database::cleanup_view::CleanupFilter;
use shared_models::{CleanupId, CleanupState};

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::input::{self, Query};
use crate::present;
use crate::problem::Problem;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/cleanups").get(list))
        .service(resource("/cleanups/{id}").get(get))
        .service(resource("/cleanups/{id}/receipt").get(receipt));
}

async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    let cleanup_state = query.text("state").map(str::parse::<CleanupState>).transpose();
    if cleanup_state.is_err() {
        query.refuse("state", "Input should be a cleanup state", "enum");
    }
    let page = query.page()?;
    let collection = query.text("collection_id");
    let collection = collection.map(|id| input::id(&["query", "collection_id"], id)).transpose()?;
    let filter = CleanupFilter { collection, state: cleanup_state.unwrap_or_default() };
    let rows = state.database.list_cleanups(caller.organization, filter, page.skip, page.limit).await?;
    ok(rows.into_iter().map(present::cleanup).collect::<Vec<_>>())
}

async fn get(state: State, caller: Caller, id: Path<String>) -> Answer {
    let row = state.database.cleanup(caller.organization, read(&id)?).await?;
    ok(present::cleanup(row.ok_or(Problem::NoCleanup)?))
}

async fn receipt(state: State, caller: Caller, id: Path<String>) -> Answer {
    let id = read(&id)?;
    state.database.cleanup(caller.organization, id).await?.ok_or(Problem::NoCleanup)?;
    ok(state.database.newest_receipt(caller.organization, id).await?.ok_or(Problem::NoReceipt)?)
}

fn read(id: &str) -> Result<CleanupId, Problem> {
    input::id(&["path", "cleanup_id"], id)
}
