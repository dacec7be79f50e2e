//! `/source-connections`: the public contract's own.

use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::wire::deletion_preview::DeletionPreview;
use shared_models::wire::job::SourceConnectionJob;
use shared_models::wire::requests::{RunRequest, SourceConnectionCreate, SourceConnectionUpdate};
use shared_models::wire::source_connection::{SourceConnection, SourceConnectionListItem, SyncIdAnswer};
use shared_models::{SourceConnectionId, SyncJobId};

use super::{Answer, State, no_parameters, ok, resource};
use crate::auth::Caller;
use crate::input::{self, Query};
use crate::openapi::answers::UnprocessableConnection;
use crate::openapi::{parameters, tags};
use crate::problem::{Problem, monitor};
use crate::submission::Submission;
use crate::{connections, deletion_preview, present};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, create, get, update, delete, preview_deletion, run, sync_id, jobs, cancel))]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/source-connections").get(list).post(create))
        .service(resource("/source-connections/{id}").get(get).patch(update).delete(delete))
        .service(resource("/source-connections/{id}/deletion-preview").get(preview_deletion))
        .service(resource("/source-connections/{id}/run").post(run))
        .service(resource("/source-connections/{id}/sync-id").get(sync_id))
        .service(resource("/source-connections/{id}/jobs").get(jobs))
        .service(resource("/source-connections/{id}/jobs/{job_id}/cancel").post(cancel));
}

/// List source connections
///
/// Newest first. A collection that isn't there has none.
#[utoipa::path(
    get, path = "/source-connections", tag = tags::SOURCE_CONNECTIONS, operation_id = "list_source_connections",
    params(parameters::ConnectionFilter, parameters::Page),
    responses((status = 200, description = "A page of connections.", body = Vec<SourceConnectionListItem>))
)]
async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    let page = query.page()?;
    let collection = query.text("collection");
    let rows = state.database.list_connections(caller.organization, collection, page.skip, page.limit).await?;
    ok(rows.into_iter().map(present::listed_connection).collect::<Vec<_>>())
}

/// Create a source connection
///
/// Credentials and config are checked against the source's fields; the source itself is first asked when the connection
/// runs.
#[utoipa::path(
    post, path = "/source-connections", tag = tags::SOURCE_CONNECTIONS, operation_id = "create_source_connection",
    request_body = SourceConnectionCreate,
    responses(
        (status = 200, description = "The connection; its first job is pending if it is to run at once.",
            body = SourceConnection),
        (status = 400, description = "The source isn't authenticated so, or can't run so often."),
        (status = 404, description = "There is no such source, or no such collection."),
        (status = 422, description = "The request isn't of the form that is described here, or credentials, config or \
            cron don't fit.", body = UnprocessableConnection),
    )
)]
async fn create(state: State, submission: Submission) -> Answer {
    let input = input::create_connection(&submission.body)?;
    ok(connections::create(&state, &submission.caller, input).await?)
}

/// Get a source connection
#[utoipa::path(
    get, path = "/source-connections/{source_connection_id}", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "get_source_connection",
    params(parameters::ConnectionPath),
    responses(
        (status = 200, description = "The connection.", body = SourceConnection),
        (status = 404, description = "The organization has no such connection, or it is being deleted."),
    )
)]
async fn get(state: State, caller: Caller, id: Path<String>) -> Answer {
    ok(connections::get(&state, &caller, read(&id)?).await?)
}

/// Change a source connection
#[utoipa::path(
    patch, path = "/source-connections/{source_connection_id}", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "update_source_connection",
    params(parameters::ConnectionPath),
    request_body = SourceConnectionUpdate,
    responses(
        (status = 200, description = "The connection, as it is now.", body = SourceConnection),
        (status = 400, description = "It isn't authenticated by credentials, or its source can't run so often."),
        (status = 404, description = "The organization has no such connection."),
        (status = 409, description = "The connection is being deleted."),
        (status = 422, description = "The request isn't of the form that is described here, or credentials, config or \
            cron don't fit.", body = UnprocessableConnection),
    )
)]
async fn update(state: State, submission: Submission, id: Path<String>) -> Answer {
    let id = read(&id)?;
    let patch = input::update_connection(&submission.body)?;
    ok(connections::update(&state, &submission.caller, id, patch).await?)
}

/// Delete a source connection
///
/// A running sync is cancelled, and waited for at most 15 seconds. The connection, its sync, its jobs, what is known of
/// its entities and its credentials go at once; a cleanup removes its data from the search index and the object
/// storage, and the answer doesn't wait for that. No search finds the data from now on. It can't be undone.
#[utoipa::path(
    delete, path = "/source-connections/{source_connection_id}", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "delete_source_connection",
    params(parameters::ConnectionPath, parameters::Reference),
    responses(
        (status = 200, description = "The connection, as it was.", body = SourceConnection,
            headers(("Link"), ("X-Cleanup-Id"))),
        (status = 404, description = "The organization has no such connection, or it is being deleted already."),
        (status = 409, description = "The sync hasn't stopped in time; the deletion goes on by itself."),
    )
)]
async fn delete(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let reference = input::deletion_reference(&request)?;
    let (deleted, cleanups) = connections::delete(&state, &caller, read(&id)?, reference).await?;
    let mut response = HttpResponse::Ok();
    for cleanup in cleanups {
        response.append_header(("Link", monitor(cleanup)));
        response.append_header(("X-Cleanup-Id", cleanup.to_string()));
    }
    Ok(response.json(deleted))
}

/// Preview a source connection's deletion
///
/// What would go, and how long the answer might wait for a running sync. Nothing is changed,
/// and nothing promised: syncs go on meanwhile.
#[utoipa::path(
    get, path = "/source-connections/{source_connection_id}/deletion-preview", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "preview_source_connection_deletion",
    params(parameters::ConnectionPath),
    responses(
        (status = 200, description = "What would go.", body = DeletionPreview),
        (status = 404, description = "The organization has no such connection, or it is being deleted."),
    )
)]
async fn preview_deletion(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    no_parameters(&request)?;
    ok(deletion_preview::of(&state, &caller, read(&id)?).await?)
}

/// Run a source connection
#[utoipa::path(
    post, path = "/source-connections/{source_connection_id}/run", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "run_source_connection",
    params(parameters::ConnectionPath, parameters::Force),
    request_body(content = Option<RunRequest>, content_type = "application/json"),
    responses(
        (status = 200, description = "The job, pending.", body = SourceConnectionJob),
        (status = 400, description = "A job of the connection is active already."),
        (status = 404, description = "The organization has no such connection."),
        (status = 409, description = "The connection is being deleted."),
    )
)]
async fn run(state: State, submission: Submission, id: Path<String>, request: HttpRequest) -> Answer {
    let id = read(&id)?;
    let force = input::force_full_sync(&mut Query::of(&request), &submission.body)?;
    ok(connections::run(&state, &submission.caller, id, force).await?)
}

/// Get a source connection's sync
#[utoipa::path(
    get, path = "/source-connections/{source_connection_id}/sync-id", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "get_source_connection_sync_id",
    params(parameters::ConnectionPath),
    responses(
        (status = 200, description = "The id that every document, blob and entity of the connection carries.",
            body = SyncIdAnswer),
        (status = 404, description = "The organization has no such connection."),
    )
)]
async fn sync_id(state: State, caller: Caller, id: Path<String>) -> Answer {
    let id = read(&id)?;
    let sync = state.database.sync_of_connection(caller.organization, id).await?;
    ok(SyncIdAnswer { sync_id: connections::or_missing(sync, &state, &caller, id).await? })
}

/// List a source connection's jobs
///
/// Newest first.
#[utoipa::path(
    get, path = "/source-connections/{source_connection_id}/jobs", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "list_source_connection_jobs",
    params(parameters::ConnectionPath, parameters::Limit),
    responses(
        (status = 200, description = "The newest jobs.", body = Vec<SourceConnectionJob>),
        (status = 404, description = "The organization has no such connection."),
    )
)]
async fn jobs(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let id = read(&id)?;
    let mut query = Query::of(&request);
    let limit = query.limit();
    query.check()?;
    let jobs = state.database.connection_jobs(caller.organization, id, limit).await?;
    let jobs = connections::or_missing(jobs, &state, &caller, id).await?;
    ok(jobs.into_iter().map(|job| present::job(job, id)).collect::<Vec<_>>())
}

/// Cancel a job
///
/// A pending job is cancelled at once; a running one is `cancelling` until its worker has stopped. What it has brought
/// stays.
#[utoipa::path(
    post, path = "/source-connections/{source_connection_id}/jobs/{job_id}/cancel", tag = tags::SOURCE_CONNECTIONS,
    operation_id = "cancel_source_connection_job",
    params(parameters::ConnectionPath, ("job_id" = SyncJobId, Path, description = "The job.")),
    responses(
        (status = 200, description = "The job, as it is now.", body = SourceConnectionJob),
        (status = 400, description = "The job has ended, or is being cancelled already."),
        (status = 404, description = "The organization has no such connection, or the connection no such job."),
    )
)]
async fn cancel(state: State, caller: Caller, ids: Path<(String, String)>) -> Answer {
    let (id, job) = ids.into_inner();
    let job: SyncJobId = input::id(&["path", "job_id"], &job)?;
    ok(connections::cancel(&state, &caller, read(&id)?, job).await?)
}

fn read(id: &str) -> Result<SourceConnectionId, Problem> {
    input::id(&["path", "source_connection_id"], id)
}
