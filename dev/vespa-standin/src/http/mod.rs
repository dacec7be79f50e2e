//! The HTTP face: which path goes where. HTTP/1.1 and HTTP/2 with prior knowledge on one port.

mod admin;
mod body;
mod connection;
mod document;
mod faults;
mod params;
mod path;
mod reply;
mod search;
mod server;
mod visit;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use server::{Server, ServerError};

use crate::counters::{Counters, Kind};
use crate::faults::{Drawn, Faults};
use crate::store::{Store, StoreError};
use crate::tensor::Dimensions;
use faults::Refusable;
use params::Params;
use path::Target;
use reply::Reply;

/// What every request needs.
pub(crate) struct State {
    pub store: Store,
    pub counters: Counters,
    pub faults: Faults,
    /// Of every vector.
    pub dimensions: Dimensions,
    /// What goes on without its client.
    pub tasks: TaskTracker,
    /// Set when the server stops.
    pub stop: CancellationToken,
}

impl State {
    /// Runs something that reads the store, on a thread that may block.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let state = self.clone();
        tokio::task::spawn_blocking(move || work(&state)).await.map_err(|_| StoreError::Closed)?
    }
}

/// Answers a request.
pub(crate) async fn handle(state: Arc<State>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    let params = Params::from_query(request.uri().query().unwrap_or_default());
    match path.as_str() {
        "/" => admin::handlers(),
        "/status.html" => admin::status(),
        "/state/v1/health" => admin::health(),
        "/standin/v1/counters" => admin::counters(&state),
        "/standin/v1/counters/reset" => admin::reset(&state, request.method()),
        "/standin/v1/checksum" => admin::checksum(&state, &params).await,
        "/standin/v1/faults" => faults::rules(&state, request).await,
        "/search" | "/search/" => query(&state, request, &path, params).await,
        _ if path.starts_with("/document/v1") => document_v1(&state, request, &path, params).await,
        _ => Reply::json(
            StatusCode::NOT_FOUND,
            format!("{{\"error-code\":\"NOT_FOUND\",\"message\":{}}}", reply::quoted(&format!("Nothing at {path}"))),
        ),
    }
}

/// Counts a request and draws its faults; it waits here for those that take time.
async fn admit(state: &State, kind: Kind) -> Drawn {
    state.counters.of(kind).request();
    let drawn = state.faults.draw(kind);
    if !drawn.latency.is_zero() {
        tokio::time::sleep(drawn.latency).await;
    }
    drawn
}

async fn query(state: &Arc<State>, request: Request<Incoming>, path: &str, params: Params) -> Reply {
    let Drawn { failure, go_away, .. } = admit(state, Kind::Query).await;
    let refusable = Refusable { kind: Kind::Query, path, target: None, params: &params };
    let refusal = failure.as_ref().and_then(|failure| refusable.refusal(failure));
    let reply = match refusal {
        Some(refusal) => refusal,
        None => search::search(state, request, params, failure).await,
    };
    reply.ending(go_away)
}

async fn document_v1(state: &Arc<State>, request: Request<Incoming>, path: &str, params: Params) -> Reply {
    let target = match path::parse(path) {
        Ok(target) => target,
        Err(reply) => return reply,
    };
    let allowed: &[Method] = match &target {
        Target::Root => &[Method::GET, Method::POST, Method::DELETE],
        Target::Type { .. } | Target::Document(_) => &[Method::GET, Method::POST, Method::PUT, Method::DELETE],
    };
    let names = |separator: &str| allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(separator);
    if request.method() == Method::OPTIONS {
        return Reply::options(&names(","));
    }
    if !allowed.contains(request.method()) {
        let method = request.method();
        let message = format!("'{method}' not allowed at '{path}'. Allowed methods are: {}", names(", "));
        return Reply::failure(StatusCode::METHOD_NOT_ALLOWED, path, &message);
    }
    let Some(kind) = kind(request.method(), &target) else {
        return visit::unspoken(&request, path, &target, &params);
    };
    let Drawn { failure, go_away, .. } = admit(state, kind).await;
    let refusable = Refusable { kind, path, target: Some(&target), params: &params };
    let refusal = failure.as_ref().and_then(|failure| refusable.refusal(failure));
    let reply = match (refusal, target) {
        (Some(refusal), _) => refusal,
        (None, Target::Document(id)) => document::operate(state, request, path, id, &params, failure).await,
        (None, target) => visit::visit(state, &request, path, target, &params, failure).await,
    };
    reply.ending(go_away)
}

/// The kind of a request at one of the paths; `None` for what changes or copies what it selects.
fn kind(method: &Method, target: &Target) -> Option<Kind> {
    let is_document = matches!(target, Target::Document(_));
    match (method, is_document) {
        (&Method::GET, true) => Some(Kind::Get),
        (&Method::POST, true) => Some(Kind::Put),
        (&Method::PUT, true) => Some(Kind::Update),
        (_, true) => Some(Kind::Remove),
        (&Method::GET, false) => Some(Kind::Visit),
        (&Method::DELETE, false) => Some(Kind::BulkDelete),
        (_, false) => None,
    }
}
