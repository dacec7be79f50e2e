//! Walks over the corpus: visits, and removals by selection.
//!
//! A walk goes bucket by bucket and never uses an index. It isn't a snapshot: what is written behind it is missed.
//! Nothing outlives the request; the token says where the next one starts.

mod fields;
mod plan;
mod remove;
mod show;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::ACCEPT;
use hyper::{Method, Request, StatusCode};

pub(super) use fields::FieldSet;

use super::State;
use super::params::Params;
use super::path::Target;
use super::reply::Reply;
use plan::Plan;

/// Answers a request for a collection of documents.
pub(super) async fn visit(
    state: &Arc<State>,
    request: &Request<Incoming>,
    path: &str,
    target: Target,
    params: Params,
) -> Reply {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let answered = match *request.method() {
        Method::GET => show::show(state, path, &target, &params, accept).await,
        Method::DELETE => remove::remove(state, path, &target, &params).await,
        _ => Plan::bulk(path, &target, &params).and_then(|_| {
            let message = format!("{} of a selection is not spoken by this stand-in", request.method());
            Err(Reply::failure(StatusCode::BAD_REQUEST, path, &message))
        }),
    };
    answered.unwrap_or_else(|reply| reply)
}
