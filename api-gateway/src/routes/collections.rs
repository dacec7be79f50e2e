//! `/collections`.

use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use shared_models::wire::collection::Collection;
use shared_models::wire::requests::{CollectionCreate, CollectionUpdate};
use shared_models::wire::source_connection::SourceConnectionListItem;

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::input::{self, Query, readable_id};
use crate::openapi::answers::NoSuchCollection;
use crate::openapi::{parameters, tags};
use crate::submission::Submission;
use crate::{collections, present};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, create, count, get, update, delete, list_connections))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/collections").get(list).post(create))
        .service(resource("/collections/count").get(count))
        .service(resource("/collections/{readable_id}").get(get).patch(update).delete(delete))
        .service(resource("/collections/{readable_id}/source-connections").get(list_connections));
}

/// Create a collection
#[utoipa::path(
    post, path = "/collections", tag = tags::COLLECTIONS, operation_id = "create_collection",
    request_body = CollectionCreate,
    responses(
        (status = 200, description = "The collection.", body = Collection),
        (status = 400, description = "The readable id is taken."),
    )
)]
async fn create(state: State, submission: Submission) -> Answer {
    let new = input::create_collection(&submission.body)?;
    ok(collections::create(&state, &submission.caller, &new).await?)
}

/// List collections
///
/// Newest first.
#[utoipa::path(
    get, path = "/collections", tag = tags::COLLECTIONS, operation_id = "list_collections",
    params(parameters::Page, parameters::CollectionSearch),
    responses((status = 200, description = "A page of collections.", body = Vec<Collection>))
)]
async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    let page = query.page()?;
    ok(collections::list(&state, &caller, query.text("search"), page).await?)
}

/// Count collections
#[utoipa::path(
    get, path = "/collections/count", tag = tags::COLLECTIONS, operation_id = "count_collections",
    params(parameters::CollectionSearch),
    responses((status = 200, description = "How many there are.", body = i64, content_type = "application/json"))
)]
async fn count(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    query.check()?;
    ok(state.database.count_collections(caller.organization, query.text("search")).await?)
}

/// Get a collection
#[utoipa::path(
    get, path = "/collections/{readable_id}", tag = tags::COLLECTIONS, operation_id = "get_collection",
    params(parameters::CollectionPath),
    responses(
        (status = 200, description = "The collection.", body = Collection),
        NoSuchCollection,
    )
)]
async fn get(state: State, caller: Caller, id: Path<String>) -> Answer {
    ok(collections::get(&state, &caller, readable_id(&id)?).await?)
}

/// Change a collection
#[utoipa::path(
    patch, path = "/collections/{readable_id}", tag = tags::COLLECTIONS, operation_id = "update_collection",
    params(parameters::CollectionPath),
    request_body = CollectionUpdate,
    responses(
        (status = 200, description = "The collection, as it is now.", body = Collection),
        NoSuchCollection,
    )
)]
async fn update(state: State, submission: Submission, id: Path<String>) -> Answer {
    let change = input::update_collection(&submission.body)?;
    ok(collections::update(&state, &submission.caller, readable_id(&id)?, &change).await?)
}

/// Delete a collection
///
/// With all its connections, as `DELETE /source-connections/{source_connection_id}` deletes each. Cleanups remove their
/// data; the answer doesn't wait for them.
#[utoipa::path(
    delete, path = "/collections/{readable_id}", tag = tags::COLLECTIONS, operation_id = "delete_collection",
    params(("readable_id" = String, Path, description = "The collection's readable id.", example = "old-support-p3q8zn"),
        parameters::Reference),
    responses(
        (status = 200, description = "The collection, as it was.", body = Collection,
            headers(("Link"))),
        (status = 404, description = "The organization has no such collection, or it is being deleted already."),
        (status = 409, description = "A sync hasn't stopped in time; the deletion goes on by itself."),
    )
)]
async fn delete(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let reference = input::deletion_reference(&request)?;
    let deleted = collections::delete(&state, &caller, readable_id(&id)?, reference).await?;
    // There may be as many cleanups as there were connections: the list of them is what there is to watch.
    let link = format!("</cleanups?collection_id={}>; rel=\"monitor\"", deleted.id);
    Ok(HttpResponse::Ok().insert_header(("Link", link)).json(deleted))
}

/// List a collection's connections
///
/// Newest first.
#[utoipa::path(
    get, path = "/collections/{readable_id}/source-connections", tag = tags::COLLECTIONS,
    operation_id = "list_collection_source_connections",
    params(parameters::CollectionPath, parameters::Page),
    responses(
        (status = 200, description = "A page of connections.", body = Vec<SourceConnectionListItem>),
        NoSuchCollection,
    )
)]
async fn list_connections(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let page = Query::of(&request).page()?;
    let id = readable_id(&id)?;
    collections::row(&state, caller.organization, id).await?;
    let rows = state.database.list_connections(caller.organization, Some(id), page.skip, page.limit).await?;
    ok(rows.into_iter().map(present::listed_connection).collect::<Vec<_>>())
}
