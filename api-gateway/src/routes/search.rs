//! `/collections/{id}/search`: instant, classic and agentic, and the form that older clients use.
//!
//! The header `X-Retrieval-Strategy` says how hits were really found and ranked. There is no language model: classic
//! answers like a hybrid instant search, agentic is refused. `X-Search-Incomplete` names what an answer leaves out.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use shared_database::collections::CollectionRow;
use shared_models::wire::requests::{
    AgenticSearchRequest, ClassicSearchRequest, InstantSearchRequest, LegacySearchRequest,
};
use shared_models::wire::search::{LegacyResults, OlderResults, SearchResults};

use super::{Answer, State, resource};
use crate::auth::Caller;
use crate::input::{self, LegacyForm, LegacyInput, Query, SearchInput, readable_id};
use crate::openapi::answers::{LegacyHits, LegacySearchAnswer, NoLanguageModel, NoSuchCollection};
use crate::openapi::{parameters, tags};
use crate::problem::Problem;
use crate::search::{self, Found};
use crate::search_memory::Reserved;
use crate::submission::Submission;

/// A body is handed over in pieces, so that what is written but not yet sent is no second copy of it.
const PIECE_BYTES: usize = 64 * 1024;

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(legacy_get, legacy, instant, classic, agentic, agentic_stream),
    components(schemas(LegacySearchAnswer))
)]
pub(super) struct Document;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/collections/{readable_id}/search").get(legacy_get).post(legacy))
        .service(resource("/collections/{readable_id}/search/instant").post(instant))
        .service(resource("/collections/{readable_id}/search/classic").post(classic))
        .service(resource("/collections/{readable_id}/search/agentic").post(agentic))
        .service(resource("/collections/{readable_id}/search/agentic/stream").post(agentic_stream));
}

/// Instant search
///
/// Finds and ranks at once, without a language model.
#[utoipa::path(
    post, path = "/collections/{readable_id}/search/instant", tag = tags::SEARCH, operation_id = "instant_search",
    params(parameters::CollectionPath),
    request_body = InstantSearchRequest,
    responses(
        (status = 200, description = "The hits.", body = SearchResults,
            headers(("X-Retrieval-Strategy"), ("X-Search-Incomplete"), ("X-Search-Cut-After"))),
        NoSuchCollection,
    )
)]
async fn instant(state: State, submission: Submission, id: Path<String>) -> Answer {
    let input = input::instant(&submission.body)?;
    answer(&state, &submission.caller, id, input).await
}

/// Classic search
///
/// A language model would plan it; there is none, so it is answered like an instant search.
#[utoipa::path(
    post, path = "/collections/{readable_id}/search/classic", tag = tags::SEARCH, operation_id = "classic_search",
    params(parameters::CollectionPath),
    request_body = ClassicSearchRequest,
    responses(
        (status = 200, description = "The hits.", body = SearchResults,
            headers(("X-Retrieval-Strategy"), ("X-Search-Incomplete"), ("X-Search-Cut-After"))),
        NoSuchCollection,
    )
)]
async fn classic(state: State, submission: Submission, id: Path<String>) -> Answer {
    let input = input::classic(&submission.body)?;
    answer(&state, &submission.caller, id, input).await
}

/// Agentic search
///
/// It needs a language model, and there is none: the answer is 503.
#[utoipa::path(
    post, path = "/collections/{readable_id}/search/agentic", tag = tags::SEARCH, operation_id = "agentic_search",
    params(parameters::CollectionPath),
    request_body = AgenticSearchRequest,
    responses(
        (status = 200, description = "The hits; not in this version.", body = SearchResults),
        NoSuchCollection,
        NoLanguageModel,
    )
)]
async fn agentic(state: State, submission: Submission, id: Path<String>) -> Answer {
    input::agentic(&submission.body)?;
    find(&state, &submission.caller, id, Problem::NoCollectionToSearch).await?;
    Err(Problem::NoLanguageModel)
}

/// Agentic search, as a stream
///
/// It needs a language model, and there is none: the answer is 503.
#[utoipa::path(
    post, path = "/collections/{readable_id}/search/agentic/stream", tag = tags::SEARCH,
    operation_id = "stream_agentic_search",
    params(parameters::CollectionPath),
    request_body = AgenticSearchRequest,
    responses(
        (status = 200, description = "Server-sent events; not in this version.",
            content_type = "text/event-stream"),
        NoSuchCollection,
        NoLanguageModel,
    )
)]
async fn agentic_stream(state: State, submission: Submission, id: Path<String>) -> Answer {
    agentic(state, submission, id).await
}

/// Search, in the form that older clients use
#[utoipa::path(
    post, path = "/collections/{readable_id}/search", tag = tags::SEARCH, operation_id = "legacy_search",
    params(parameters::CollectionPath),
    request_body = LegacySearchRequest,
    responses(LegacyHits<LegacySearchAnswer>, NoSuchCollection)
)]
async fn legacy(state: State, submission: Submission, id: Path<String>) -> Answer {
    let input = input::legacy(&submission.body)?;
    answer_legacy(&state, &submission.caller, id, input).await
}

/// Search by query parameters, in the form that older clients use
#[utoipa::path(
    get, path = "/collections/{readable_id}/search", tag = tags::SEARCH, operation_id = "legacy_search_by_query",
    params(parameters::CollectionPath, parameters::LegacySearch),
    responses(LegacyHits<OlderResults>, NoSuchCollection)
)]
async fn legacy_get(state: State, caller: Caller, id: Path<String>, request: HttpRequest) -> Answer {
    let input = input::legacy_query(&mut Query::of(&request))?;
    answer_legacy(&state, &caller, id, input).await
}

/// The collection that the path names; `none` says that there is no such one.
async fn find(
    state: &State,
    caller: &Caller,
    id: Path<String>,
    none: fn(String) -> Problem,
) -> Result<CollectionRow, Problem> {
    let found = search::collection(state, caller, readable_id(&id)?).await?;
    found.ok_or_else(|| none(id.into_inner()))
}

async fn answer(state: &State, caller: &Caller, id: Path<String>, input: SearchInput) -> Answer {
    let collection = find(state, caller, id, Problem::NoCollectionToSearch).await?;
    let found = search::search(state, &collection, input).await?;
    body(&mut ranked(&found), &found.results, found.reserved)
}

async fn answer_legacy(state: &State, caller: &Caller, id: Path<String>, input: LegacyInput) -> Answer {
    let LegacyInput { search, form, asks_for_recency } = input;
    let collection = find(state, caller, id, Problem::NoCollectionToSearchLegacy).await?;
    let found = search::search(state, &collection, search).await?;
    let mut response = ranked(&found);
    let Found { results, reserved, reserved_fields: _until_written, .. } = found;
    if asks_for_recency {
        response.insert_header(("X-Feature-Removed", "temporal_relevance"));
        response.insert_header(("X-Feature-Removed-Message", "Hits aren't ranked by their age"));
    }
    match form {
        LegacyForm::Newer => body(&mut response, &LegacyResults::from(results), reserved),
        LegacyForm::Older(response_type) => {
            response.insert_header(("X-API-Deprecation", "true")).insert_header((
                "X-API-Deprecation-Message",
                "This form of search is deprecated: use POST /search/instant",
            ));
            body(&mut response, &OlderResults::new(results, response_type), reserved)
        }
    }
}

fn ranked(found: &Found) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header(("X-Retrieval-Strategy", found.ranked_by.as_str()));
    if let Some(left_out) = found.incomplete.header() {
        response.insert_header(("X-Search-Incomplete", left_out));
    }
    if let Some(hits) = found.incomplete.size {
        response.insert_header(("X-Search-Cut-After", hits.to_string()));
    }
    response
}

/// The answer, whose memory is given back when the client has it.
fn body(response: &mut HttpResponseBuilder, results: &impl Serialize, reserved: Option<Reserved>) -> Answer {
    let bytes = serde_json::to_vec(results).map_err(|_| Problem::Internal("search results are not JSON"))?;
    let length = bytes.len();
    let reserved = reserved.map(|reserved| reserved.shrunk_to(length));
    Ok(response.content_type(ContentType::json()).body(Held { bytes: bytes.into(), _reserved: reserved }))
}

/// A body, and the memory that it takes.
struct Held {
    bytes: Bytes,
    _reserved: Option<Reserved>,
}

impl MessageBody for Held {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let piece = self.bytes.len().min(PIECE_BYTES);
        Poll::Ready((piece > 0).then(|| Ok(self.bytes.split_to(piece))))
    }
}
