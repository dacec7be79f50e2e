//! Where to go on from an answer: which of its values other operations take.

use serde_json::Value;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

use super::common::operations;

const ID: &str = "$response.body#/id";
const READABLE_ID: &str = "$response.body#/readable_id";
const CONNECTION: &str = "$request.path.source_connection_id";

/// An operation, one that its 200 leads to, and the parameters that the latter takes from that answer.
type Step = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const STEPS: &[Step] = &[
    ("create_collection", "get_collection", &[("readable_id", READABLE_ID)]),
    ("create_collection", "update_collection", &[("readable_id", READABLE_ID)]),
    ("create_collection", "delete_collection", &[("readable_id", READABLE_ID)]),
    ("create_collection", "list_collection_source_connections", &[("readable_id", READABLE_ID)]),
    ("create_collection", "instant_search", &[("readable_id", READABLE_ID)]),
    ("create_collection", "classic_search", &[("readable_id", READABLE_ID)]),
    ("create_collection", "agentic_search", &[("readable_id", READABLE_ID)]),
    ("create_collection", "stream_agentic_search", &[("readable_id", READABLE_ID)]),
    ("create_collection", "legacy_search", &[("readable_id", READABLE_ID)]),
    ("create_collection", "legacy_search_by_query", &[("readable_id", READABLE_ID)]),
    ("create_source_connection", "get_source_connection", &[("source_connection_id", ID)]),
    ("create_source_connection", "update_source_connection", &[("source_connection_id", ID)]),
    ("create_source_connection", "preview_source_connection_deletion", &[("source_connection_id", ID)]),
    ("create_source_connection", "delete_source_connection", &[("source_connection_id", ID)]),
    ("create_source_connection", "run_source_connection", &[("source_connection_id", ID)]),
    ("create_source_connection", "get_source_connection_sync_id", &[("source_connection_id", ID)]),
    ("create_source_connection", "list_source_connection_jobs", &[("source_connection_id", ID)]),
    ("run_source_connection", "cancel_source_connection_job", &[("source_connection_id", CONNECTION), ("job_id", ID)]),
    ("delete_source_connection", "get_cleanup", &[("cleanup_id", "$response.header.X-Cleanup-Id")]),
    ("delete_source_connection", "get_cleanup_receipt", &[("cleanup_id", "$response.header.X-Cleanup-Id")]),
    ("delete_source_connection", "list_cleanup_receipts", &[("cleanup_id", "$response.header.X-Cleanup-Id")]),
    ("delete_source_connection", "watch_cleanup", &[("cleanup_id", "$response.header.X-Cleanup-Id")]),
    ("delete_collection", "list_cleanups", &[("collection_id", ID)]),
    ("create_api_key", "get_api_key", &[("id", ID)]),
    ("create_api_key", "rotate_api_key", &[("id", ID)]),
    ("create_api_key", "delete_api_key", &[("id", ID)]),
    ("create_api_key", "delete_api_key_by_query", &[("id", ID)]),
];

/// Adds the links to the answers that they go out from.
pub fn finish(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        operations(item).for_each(link);
    }
}

fn link(operation: &mut Operation) {
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else { return };
    for (_, to, values) in STEPS.iter().filter(|(from, ..)| *from == id) {
        let mut link = LinkBuilder::new().operation_id(*to);
        for (name, value) in *values {
            link = link.parameter(*name, Value::String((*value).to_owned()));
        }
        answer.links.insert((*to).to_owned(), RefOr::T(link.build()));
    }
}
