//! Parameters of paths, queries and headers, as `crate::input` reads them.
#![expect(dead_code, reason = "described here, read by hand")]

use chrono::{DateTime, Utc};
use shared_models::wire::requests::SearchText;
use shared_models::wire::search::ResponseType;
use shared_models::{ApiKeyId, CleanupId, CleanupState, CleanupStatus, CollectionId, SourceConnectionId};
use utoipa::IntoParams;

/// Which collection.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CollectionPath {
    /// The collection's readable id.
    #[param(example = "customer-support-x7k9m2")]
    readable_id: String,
}

/// Which connection.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ConnectionPath {
    /// The connection.
    source_connection_id: SourceConnectionId,
}

/// Which cleanup.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CleanupPath {
    /// The cleanup, as the answer to the deletion names it.
    cleanup_id: CleanupId,
}

/// Which API key.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ApiKeyPath {
    /// The key's id.
    id: ApiKeyId,
}

/// Which part of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Items to leave out.
    #[param(value_type = i64, required = false, minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    skip: i64,
    /// Most items to return.
    #[param(value_type = i64, required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: i64,
}

/// How much of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Limit {
    /// Most items to return.
    #[param(value_type = i64, required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: i64,
}

/// Which collections.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CollectionSearch {
    /// Only those with this text in their name or readable id, in upper or lower case.
    #[param(value_type = String, required = false)]
    search: String,
}

/// Which connections.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConnectionFilter {
    /// Only those of the collection with this readable id.
    #[param(value_type = String, required = false)]
    collection: String,
}

/// Which cleanups.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CleanupFilter {
    /// Only those that stand so.
    #[param(value_type = CleanupStatus, required = false)]
    status: CleanupStatus,
    /// Only those in this state.
    #[param(value_type = CleanupState, required = false)]
    state: CleanupState,
    /// Only those that are overdue, or only the others.
    #[param(value_type = bool, required = false)]
    is_overdue: bool,
    /// Only those of this connection.
    #[param(value_type = SourceConnectionId, required = false)]
    source_connection_id: SourceConnectionId,
    /// Only those of connections that were in this collection.
    #[param(value_type = CollectionId, required = false)]
    collection_id: CollectionId,
    /// Only those whose deletion was called so: the header `X-Deletion-Reference` of its request.
    #[param(value_type = String, required = false, example = "DSAR-2026-042")]
    deletion_reference: String,
    /// Only those made at this time or later; a time, or a day in UTC.
    #[param(value_type = DateTime<Utc>, required = false, example = "2026-11-29T00:00:00Z")]
    since: DateTime<Utc>,
    /// Only those made before this time; a time, or a day in UTC.
    #[param(value_type = DateTime<Utc>, required = false, example = "2026-11-30T00:00:00Z")]
    until: DateTime<Utc>,
    /// Where to go on: from the `Link` header of the page before.
    #[param(value_type = String, required = false)]
    cursor: String,
}

/// Which receipts, and how they are written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReceiptFilter {
    /// How they are written: `ndjson`, a line of JSON each; `csv`, a table for people; `zip`, an archive with all that
    /// a verifier needs. Without it the header `Accept` says it (`application/x-ndjson`, `text/csv`,
    /// `application/zip`).
    #[param(value_type = String, required = false, example = "ndjson")]
    format: String,
    /// Only those issued at this time or later; a time, or a day in UTC.
    #[param(value_type = DateTime<Utc>, required = false, example = "2026-11-29T00:00:00Z")]
    since: DateTime<Utc>,
    /// Only those issued before this time; a time, or a day in UTC.
    #[param(value_type = DateTime<Utc>, required = false, example = "2026-11-30T00:00:00Z")]
    until: DateTime<Utc>,
    /// Only those of this connection.
    #[param(value_type = SourceConnectionId, required = false)]
    source_connection_id: SourceConnectionId,
    /// Only those of connections that were in this collection.
    #[param(value_type = CollectionId, required = false)]
    collection_id: CollectionId,
    /// Only those whose deletion was called so: the header `X-Deletion-Reference` of its request.
    #[param(value_type = String, required = false, example = "DSAR-2026-042")]
    deletion_reference: String,
}

/// Where to go on in a stream.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct LastEvent {
    /// The id of the last event that was seen: that one isn't sent again.
    #[param(rename = "Last-Event-ID", value_type = String, required = false)]
    last_event_id: String,
}

/// How large a ledger.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct LedgerSize {
    /// Its number of entries.
    #[param(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 1_000)]
    size: u64,
}

/// How large a ledger was, and is.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct LedgerSizes {
    /// Its number of entries then.
    #[param(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 1_000)]
    old_size: u64,
    /// Its number of entries later.
    #[param(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 2_000)]
    new_size: u64,
}

/// Which entries of the ledger.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LedgerEntries {
    /// Only those behind this place in the ledger.
    #[param(value_type = i64, required = false, default = -1, minimum = -1, maximum = 9_007_199_254_740_991_i64)]
    after: i64,
    /// At most so many.
    #[param(value_type = i64, required = false, default = 100, minimum = 1, maximum = 1_000)]
    limit: i64,
}

/// What the caller calls a deletion.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Reference {
    /// Your own name for this deletion, such as the number of a data subject's request: 1 to 128 visible ASCII
    /// characters. It stands in the cleanup and beside its receipt, and finds them again; the ledger has only its hash.
    #[param(rename = "X-Deletion-Reference", value_type = String, required = false, example = "DSAR-2026-042")]
    deletion_reference: String,
}

/// How to run.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Force {
    /// Whether to ignore the cursor and to remove what the source no longer has.
    #[param(value_type = bool, required = false, default = false)]
    force_full_sync: bool,
}

/// A search of the older form.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LegacySearch {
    /// What to look for; not blank.
    #[param(inline, example = "refund policy")]
    query: SearchText,
    /// Most hits to return.
    #[param(value_type = i64, required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: i64,
    /// Hits to skip.
    #[param(value_type = i64, required = false, minimum = 0, maximum = 10_000, default = 0)]
    offset: i64,
    /// The kind of answer.
    #[param(value_type = ResponseType, required = false)]
    response_type: ResponseType,
    /// Without effect.
    #[param(value_type = f64, required = false, minimum = 0, maximum = 1)]
    recency_bias: f64,
}
