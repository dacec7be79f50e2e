//! What the `vespa` command and a container's probes ask, and the stand-in's own endpoints.

use std::sync::Arc;

use hyper::{Method, StatusCode};

use super::State;
use super::params::Params;
use super::reply::{Reply, quoted};
use crate::schema;

/// `GET /`: the handlers of the container, by which the `vespa` command finds the document API.
pub(super) fn handlers() -> Reply {
    let handler = |class: &str, path: &str| {
        format!(r#"{{"id":"{class}","class":"{class}","bundle":"vespa-standin","serverBindings":["http://*/{path}"]}}"#)
    };
    Reply::json(
        StatusCode::OK,
        format!(
            r#"{{"handlers":[{},{}]}}"#,
            handler("com.yahoo.document.restapi.resource.DocumentV1ApiHandler", "document/v1/*"),
            handler("com.yahoo.search.handler.SearchHandler", "search/*"),
        ),
    )
}

pub(super) fn status() -> Reply {
    Reply::html(StatusCode::OK, "<html><head><title>vespa-standin</title></head><body>OK</body></html>\n")
}

pub(super) fn health() -> Reply {
    Reply::json(StatusCode::OK, r#"{"status":{"code":"up"}}"#)
}

pub(super) fn counters(state: &State) -> Reply {
    match serde_json::to_string(&state.counters.snapshot()) {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err(error) => broken(&error.to_string()),
    }
}

pub(super) fn reset(state: &State, method: &Method) -> Reply {
    if method != Method::POST {
        return Reply::json(StatusCode::METHOD_NOT_ALLOWED, r#"{"message":"only POST"}"#);
    }
    state.counters.reset();
    Reply::json(StatusCode::OK, "{}")
}

/// `?field=…&value=…`: over the documents with that value; without parameters over all.
pub(super) async fn checksum(state: &Arc<State>, params: &Params) -> Reply {
    let matching = match (params.0.get("field"), params.0.get("value")) {
        (None, None) => None,
        (Some(name), Some(value)) => match schema::columns().find(|field| field.name == name) {
            Some(field) => Some((field, value.clone())),
            None => return bad(&format!("no attribute '{name}'")),
        },
        _ => return bad("'field' and 'value' go together"),
    };
    let checksum = state
        .blocking(move |state| state.store.checksum(matching.as_ref().map(|(field, value)| (*field, value.as_str()))))
        .await;
    match checksum
        .map_err(|error| error.to_string())
        .and_then(|it| serde_json::to_string(&it).map_err(|e| e.to_string()))
    {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err(error) => broken(&error),
    }
}

fn bad(message: &str) -> Reply {
    Reply::json(StatusCode::BAD_REQUEST, format!("{{\"message\":{}}}", quoted(message)))
}

fn broken(message: &str) -> Reply {
    tracing::error!(message, "admin request failed");
    Reply::json(StatusCode::INTERNAL_SERVER_ERROR, format!("{{\"message\":{}}}", quoted(message)))
}
