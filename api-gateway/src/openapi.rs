//! What the OpenAPI 3.1 document of this API is made of, besides the annotations above the handlers and the wire types.
//!
//! Handlers say what is theirs alone; [`common`] adds what holds for all: authentication,
//! the answers that any request may get, their headers.

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

pub mod answers;
mod common;
pub mod headers;
mod lenient;
mod links;
pub mod parameters;
mod schemas;

/// Kinds of operations.
pub mod tags {
    /// `/sources`.
    pub const SOURCES: &str = "sources";
    /// `/collections`.
    pub const COLLECTIONS: &str = "collections";
    /// `/collections/{readable_id}/search`.
    pub const SEARCH: &str = "search";
    /// `/source-connections`.
    pub const SOURCE_CONNECTIONS: &str = "source-connections";
    /// `/cleanups`.
    pub const CLEANUPS: &str = "cleanups";
    /// `/ledger` and `/.well-known/unweave-ledger`.
    pub const LEDGER: &str = "ledger";
    /// `/api-keys`.
    pub const API_KEYS: &str = "api-keys";
    /// `/health`.
    pub const HEALTH: &str = "health";
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Unweave",
        description = "Source connections that are deleted for real: the public Airweave API, and what is needed to \
            follow a deletion to its receipt.\n\n\
            Every path answers with and without a slash at its end. Unknown fields of a body are ignored, except keys of `config` and inside \
            `authentication`. Texts with null characters are refused. Timestamps are RFC 3339 in UTC; nulls are sent, not \
            left out. Ids, whole numbers and flags are also read in the other forms that pydantic takes: ids without \
            hyphens, numbers and flags as text; JSON may begin with a byte-order mark and be UTF-16. A client may send its own `X-Request-ID`, a UUID; every answer carries the request's id, and so do \
            the logs.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = tags::SOURCES, description = "What can be connected, and what each source needs for it."),
        (name = tags::COLLECTIONS, description = "Collections: what several sources bring, searched together."),
        (name = tags::SEARCH, description = "Search in a collection."),
        (name = tags::SOURCE_CONNECTIONS, description = "Connections of sources to collections, their runs, and their deletion."),
        (name = tags::CLEANUPS, description = "How far the removal of deleted data is, and the receipts."),
        (name = tags::LEDGER, description = "The deletion ledger: what receipts are verified by. Only the entries need a key."),
        (name = tags::API_KEYS, description = "The organization's API keys."),
        (name = tags::HEALTH, description = "Whether this server lives and serves. No key needed."),
    )
)]
struct Base;

/// The document of an API of these parts.
#[must_use]
pub fn document(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let mut document = Base::openapi();
    for part in parts {
        document.merge(part);
    }
    schemas::finish(&mut document);
    common::finish(&mut document);
    links::finish(&mut document);
    document
}
