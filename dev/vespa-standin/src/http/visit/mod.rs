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
use crate::faults::Fault;
use plan::Plan;

/// Answers a request for a collection of documents.
pub(super) async fn visit(
    state: &Arc<State>,
    request: &Request<Incoming>,
    path: &str,
    target: Target,
    params: &Params,
    fault: Option<Fault>,
) -> Reply {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let answered = match *request.method() {
        Method::GET => show::show(state, path, &target, params, accept, fault).await,
        _ => remove::remove(state, path, &target, params, fault).await,
    };
    answered.unwrap_or_else(|reply| reply)
}

/// Refuses to change or copy what a selection finds: if need be for what is wrong with the request itself.
pub(super) fn unspoken(request: &Request<Incoming>, path: &str, target: &Target, params: &Params) -> Reply {
    let message = format!("{} of a selection is not spoken by this stand-in", request.method());
    match Plan::bulk(path, target, params) {
        Ok(_) => Reply::failure(StatusCode::BAD_REQUEST, path, &message),
        Err(reply) => reply,
    }
}

/// After how many buckets a walk breaks, and what it then says.
fn breaks_after(fault: Option<&Fault>) -> Option<u16> {
    match fault {
        Some(Fault::BrokenWalk { buckets }) => Some(*buckets),
        _ => None,
    }
}

const BROKEN: &str = "ReturnCode(NOT_CONNECTED, [from content node 0] Connection error)";
