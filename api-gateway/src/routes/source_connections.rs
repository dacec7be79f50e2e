//! `/source-connections`: the public contract's own.

use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::wire::source_connection::SyncIdAnswer;
use shared_models::{SourceConnectionId, SyncJobId};

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::input::{self, Query, Submission};
use crate::problem::Problem;
use crate::{connections, present};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/source-connections").get(list).post(create))
        .service(resource("/source-connections/{id}").get(get).patch(update).delete(delete))
        .service(resource("/source-connections/{id}/run").post(run))
        .service(resource("/source-connections/{id}/sync-id").get(sync_id))
        .service(resource("/source-connections/{id}/jobs").get(jobs))
        .service(resource("/source-connections/{id}/jobs/{job_id}/cancel").post(cancel));
}

async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    let page = query.page()?;
    let collection = query.text("collection");
    let rows = state.database.list_connections(caller.organization, collection, page.skip, page.limit).await?;
    ok(rows.into_iter().map(present::listed_connection).collect::<Vec<_>>())
}

async fn create(state: State, submission: Submission) -> Answer {
    let input = input::create_connection(&submission.body)?;
    ok(connections::create(&state, &submission.caller, input).await?)
}

async fn get(state: State, caller: Caller, id: Path<String>) -> Answer {
    ok(connections::get(&state, &caller, read(&id)?).await?)
}

async fn update(state: State, submission: Submission, id: Path<String>) -> Answer {
    let id = read(&id)?;
    let patch = input::update_connection(&submission.body)?;
    ok(connections::update(&state, &submission.caller, id, patch).await?)
}

async fn delete(state: State, caller: Caller, id: Path<String>) -> Answer {
    let (deleted, cleanups) = connections::delete(&state, &caller, read(&id)?).await?;
    let mut response = HttpResponse::Ok();
    for cleanup in cleanups {
        response.append_header(("Link", format!("</cleanups/{cleanup}>; rel=\"monitor\"")));
        response.append_header(("X-Cleanup-Id", cleanup.to_string()));
    }
    Ok(response.json(deleted))
}

async fn run(state: State, submission: Submission, id: Path<String>, request: HttpRequest) -> Answer {
    let id = read(&id)?;
    let force = input::force_full_sync(&mut Query::of(&request), &submission.body)?;
    ok(connections::run(&state, &submission.caller, id, force).await?)
}

async fn sync_id(state: State, caller: Caller, id: Path<String>) -> Answer {
    let sync = state.database.sync_of_connection(caller.organization, read(&id)?).await?;
    ok(SyncIdAnswer { sync_id: sync.ok_or(Problem::NoSourceConnection)? })
}

async fn jobs(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let id = read(&id)?;
    let mut query = Query::of(&request);
    let limit = query.limit();
    query.check()?;
    let jobs = state.database.connection_jobs(caller.organization, id, limit).await?;
    let jobs = jobs.ok_or(Problem::NoSourceConnection)?;
    ok(jobs.into_iter().map(|job| present::job(job, id)).collect::<Vec<_>>())
}

async fn cancel(state: State, caller: Caller, ids: Path<(String, String)>) -> Answer {
    let (id, job) = ids.into_inner();
    let job: SyncJobId = input::id(&["path", "job_id"], &job)?;
    ok(connections::cancel(&state, &caller, read(&id)?, job).await?)
}

fn read(id: &str) -> Result<SourceConnectionId, Problem> {
    input::id(&["path", "source_connection_id"], id)
}
