//! `/collections`.

use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::{Answer, State, ok, resource};
use crate::auth::Caller;
use crate::input::{self, Query, Submission, readable_id};
use crate::{collections, present};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/collections").get(list).post(create))
        .service(resource("/collections/count").get(count))
        .service(resource("/collections/{readable_id}").get(get).patch(update).delete(delete))
        .service(resource("/collections/{readable_id}/source-connections").get(list_connections));
}

async fn create(state: State, submission: Submission) -> Answer {
    let new = input::create_collection(&submission.body)?;
    ok(collections::create(&state, &submission.caller, &new).await?)
}

async fn list(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    let page = query.page()?;
    ok(collections::list(&state, &caller, query.text("search"), page).await?)
}

async fn count(state: State, caller: Caller, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    query.check()?;
    ok(state.database.count_collections(caller.organization, query.text("search")).await?)
}

async fn get(state: State, caller: Caller, id: Path<String>) -> Answer {
    ok(collections::get(&state, &caller, readable_id(&id)?).await?)
}

async fn update(state: State, submission: Submission, id: Path<String>) -> Answer {
    let change = input::update_collection(&submission.body)?;
    ok(collections::update(&state, &submission.caller, readable_id(&id)?, &change).await?)
}

async fn delete(state: State, caller: Caller, id: Path<String>) -> Answer {
    let deleted = collections::delete(&state, &caller, readable_id(&id)?).await?;
    // There may be as many cleanups as there were connections: the list of them is what there is to watch.
    let link = format!("</cleanups?collection_id={}>; rel=\"monitor\"", deleted.id);
    Ok(HttpResponse::Ok().insert_header(("Link", link)).json(deleted))
}

async fn list_connections(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let page = Query::of(&request).page()?;
    let id = readable_id(&id)?;
    collections::row(&state, caller.organization, id).await?;
    let rows = state.database.list_connections(caller.organization, Some(id), page.skip, page.limit).await?;
    ok(rows.into_iter().map(present::listed_connection).collect::<Vec<_>>())
}
