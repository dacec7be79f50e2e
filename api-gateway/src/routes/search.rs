//! `/collections/{id}/search`: instant, classic and agentic, and the form that older clients use.
//!
//! Every strategy is answered by keyword ranking, and the header `X-Retrieval-Strategy` says so. There is no language
//! model: classic answers like instant, agentic is refused.

use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use shared_models::wire::search::{LegacyResults, RetrievalStrategy};

use super::{Answer, State, resource};
use crate::auth::Caller;
use crate::input::{self, Query, SearchInput, Submission, readable_id};
use crate::problem::Problem;
use crate::search;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/collections/{readable_id}/search").get(legacy_get).post(legacy))
        .service(resource("/collections/{readable_id}/search/instant").post(instant))
        .service(resource("/collections/{readable_id}/search/classic").post(instant))
        .service(resource("/collections/{readable_id}/search/agentic").post(agentic))
        .service(resource("/collections/{readable_id}/search/agentic/stream").post(agentic));
}

async fn instant(state: State, submission: Submission, id: Path<String>) -> Answer {
    let input = input::instant(&submission.body)?;
    let collection = search::collection(&state, &submission.caller, readable_id(&id)?).await?;
    let collection = collection.ok_or_else(|| Problem::NoCollectionToSearch(id.into_inner()))?;
    found(search::search(&state, &collection, input).await?)
}

async fn agentic(state: State, submission: Submission, id: Path<String>) -> Answer {
    let collection = search::collection(&state, &submission.caller, readable_id(&id)?).await?;
    collection.ok_or_else(|| Problem::NoCollectionToSearch(id.into_inner()))?;
    Err(Problem::NoLanguageModel)
}

async fn legacy(state: State, submission: Submission, id: Path<String>) -> Answer {
    let input = input::legacy(&submission.body)?;
    answer_legacy(&state, &submission.caller, id, input).await
}

async fn legacy_get(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let input = input::legacy_query(&mut Query::of(&request))?;
    answer_legacy(&state, &caller, id, input).await
}

async fn answer_legacy(state: &State, caller: &Caller, id: Path<String>, input: SearchInput) -> Answer {
    let collection = search::collection(state, caller, readable_id(&id)?).await?;
    let collection = collection.ok_or_else(|| Problem::NoCollectionToSearchLegacy(id.into_inner()))?;
    found(LegacyResults::from(search::search(state, &collection, input).await?))
}

#[expect(clippy::unnecessary_wraps, reason = "what handlers end with")]
fn found(results: impl Serialize) -> Answer {
    let strategy = RetrievalStrategy::Keyword.as_str();
    Ok(HttpResponse::Ok().insert_header(("X-Retrieval-Strategy", strategy)).json(results))
}
