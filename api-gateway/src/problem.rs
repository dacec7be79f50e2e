//! The one place where an error becomes an HTTP answer.
//!
//! Clients get the contract's texts and nothing of the inside; what is inside is logged once, with the request id.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{LINK, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use shared_database::DatabaseError;
use shared_models::history::LostHistory;
use shared_models::wire::problem::{Detail, FieldProblem, Unprocessable};
use shared_models::{CleanupId, JobStatus, OrganizationId, ReceiptId};
use shared_sources::{InvalidFields, Source};
use shared_stores::EmbedderError;
use shared_stores::vespa::VespaError;

use crate::cleanup_events::MOST_STREAMS;

/// Largest request body.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Every way in which a request doesn't succeed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No key in the request.
    #[error("No valid authentication provided")]
    NotAuthenticated,
    /// A key that isn't ours, or was once.
    #[error("Invalid or expired API key")]
    BadKey,
    /// Without keys only this machine is served.
    #[error("Authentication is switched off: only pages and addresses of this machine are served")]
    NotLocal,
    /// `X-Organization-ID` names another organization than the key's.
    #[error("API key does not have access to organization {0}")]
    OtherOrganization(OrganizationId),

    /// The organization has sent as many requests as its plan allows; a later one is admitted after so many seconds.
    #[error("Rate limit exceeded. Try again in {0} seconds.")]
    RateLimited(i64),

    /// The organization has as many event streams open as it may.
    #[error("Too many open event streams: at most {MOST_STREAMS} at once")]
    TooManyStreams,

    /// No such route.
    #[error("Not Found")]
    NoRoute,
    /// The route knows other methods.
    #[error("Method Not Allowed")]
    NoMethod,
    /// No such connection in this organization.
    #[error("SourceConnection not found")]
    NoSourceConnection,
    /// No such collection in this organization.
    #[error("Collection not found")]
    NoCollection,
    /// No such collection in this organization, in a search.
    #[error("Collection '{0}' not found")]
    NoCollectionToSearch(String),
    /// No such collection in this organization, in a search of the older form.
    #[error("Collection '{0}' not found.")]
    NoCollectionToSearchLegacy(String),
    /// A connection to a source that isn't offered.
    #[error("Source '{0}' not found. There are: {list}", list = .1.join(", "))]
    NoSourceToConnect(String, Vec<&'static str>),
    /// A source that isn't offered.
    #[error("Source not found: {0}. There are: {list}", list = .1.join(", "))]
    NoSource(String, Vec<&'static str>),
    /// No such job of the connection.
    #[error("Sync job not found")]
    NoJob,
    /// No such cleanup in this organization.
    #[error("Cleanup not found")]
    NoCleanup,
    /// The cleanup has no receipt yet.
    #[error("Receipt not found: the cleanup isn't done yet")]
    NoReceipt,
    /// The cleanup is open again: this was its last receipt.
    #[error("Receipt {0} was superseded: the cleanup is open again, and has no receipt that holds until it is done")]
    ReceiptSuperseded(ReceiptId),
    /// The ledger has no such checkpoint, or not so many entries.
    #[error("Checkpoint not found")]
    NoCheckpoint,
    /// The organization deleted the connection; this cleanup removes, or removed, its data.
    #[error("SourceConnection not found")]
    SourceConnectionDeleted(CleanupId),
    /// No such API key in this organization.
    #[error("API key not found")]
    NoApiKey,

    /// A connection runs one job at a time.
    #[error("Cannot start new sync: a sync job is already {0}")]
    JobActive(JobStatus),
    /// The job has ended or is cancelling already.
    #[error("Cannot cancel job in {0} state")]
    NotCancellable(JobStatus),
    /// Readable ids are unique.
    #[error("Collection with readable_id '{0}' already exists")]
    ReadableIdTaken(String),
    /// The source is authenticated otherwise, or nothing was given.
    #[error("{}", unsupported(*.of, *.given))]
    UnsupportedAuthentication {
        /// What was to be connected.
        of: Source,
        /// Whether any authentication was given.
        given: bool,
    },
    /// The source's own validation refuses the connection.
    #[error("{0}")]
    RejectedBySource(String),
    /// The connection isn't authenticated by credentials.
    #[error("Credentials can only be updated for direct authentication")]
    NotDirect,
    /// The schedule is more frequent than hourly, and the source can't run from a cursor.
    #[error("Source '{0}' does not support continuous syncs. Minimum interval is 1 hour.")]
    TooFrequent(String),
    /// The same, in a change.
    #[error(
        "Source '{0}' does not support continuous syncs. Minimum schedule interval is 1 hour (e.g., '0 * * * *' for \
         hourly)."
    )]
    TooFrequentChange(String),
    /// Somebody asked for the connection's deletion.
    #[error("Source connection is being deleted")]
    ConnectionBeingDeleted,
    /// Somebody asked for the collection's deletion.
    #[error("Collection is being deleted")]
    CollectionBeingDeleted,

    /// The body came too slowly.
    #[error("The request body was not received within {} seconds", .0.as_secs())]
    BodyTooSlow(Duration),
    /// The answer wasn't ready in time.
    #[error("Request timeout after {} seconds", .0.as_secs())]
    TookTooLong(Duration),
    /// The body is larger than [`MAX_BODY_BYTES`].
    #[error("Request body too large. Maximum size is 10.00MB, but request is {0}")]
    BodyTooLarge(String),
    /// The request isn't of the form that the endpoint takes.
    #[error("{}", .0.iter().map(|problem| format!("{}: {}", problem.dotted(), problem.msg)).collect::<Vec<_>>().join("; "))]
    Unprocessable(Vec<FieldProblem>),
    /// The config doesn't fit the source.
    #[error("Invalid config fields: {0}")]
    InvalidConfig(InvalidFields),
    /// The credentials don't fit the source.
    #[error("Invalid auth fields: {0}")]
    InvalidAuth(InvalidFields),
    /// Not a cron expression.
    #[error(
        "Invalid CRON expression: {0}. Send five fields of a time that comes (minute 0-59, hour 0-23, day of the month \
         1-31, month 1-12, day of the week 0-7; UTC), for example '0 9 * * 1-5'"
    )]
    InvalidCron(String),

    /// There is no language model.
    #[error("Agentic search needs a language model, and none is configured")]
    NoLanguageModel,
    /// Vespa can't be asked.
    #[error("Search is temporarily unavailable")]
    Search(#[source] VespaError),
    /// Other searches hold all the memory that there is for answers.
    #[error("Too many large searches at once: try again, or ask for fewer hits")]
    SearchBusy,
    /// The embedder can't be asked, and the search was to go by meaning alone.
    #[error(
        "Semantic search is unavailable: the embedder gives no vector for the query. 'hybrid' and 'keyword' go without it"
    )]
    Embedder(#[source] EmbedderError),
    /// PostgreSQL failed, for a while or for good.
    #[error("database")]
    Database(#[from] DatabaseError),
    /// A fault of ours.
    #[error("{0}")]
    Internal(&'static str),
}

fn unsupported(source: Source, given: bool) -> String {
    let definition = source.definition();
    let methods = definition.auth_methods().iter().map(|method| format!("'{method}'")).collect::<Vec<_>>().join(", ");
    let example = serde_json::json!({"authentication": {"credentials": definition.example_credentials()}});
    let lead = if given { "Send, for example," } else { "No authentication was given: send, for example," };
    format!(
        "Source {source} does not support this authentication method. Supported methods: [{methods}]. {lead} {example}"
    )
}

/// The `Link` to a cleanup.
#[must_use]
pub fn monitor(cleanup: CleanupId) -> String {
    format!("</cleanups/{cleanup}>; rel=\"monitor\"")
}

const TRY_AGAIN_SECONDS: i64 = 2;

/// What a client is told while PostgreSQL's history is lost (DEL-10).
const HISTORY_LOST: &str = "Search is paused: the database has lost what was deleted last, and that is removed first";
/// The same while it isn't known whether it has.
const HISTORY_UNREAD: &str = "Search is paused for a moment: the database is compared with the deletion ledger";

impl Problem {
    /// The status, and what the client is told.
    fn answer(&self) -> (StatusCode, String) {
        let status = match self {
            Self::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Self::BadKey | Self::NotLocal | Self::OtherOrganization(_) => StatusCode::FORBIDDEN,
            Self::RateLimited(_) | Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::NoRoute
            | Self::NoSourceConnection
            | Self::SourceConnectionDeleted(_)
            | Self::NoCheckpoint
            | Self::NoCollection
            | Self::NoCollectionToSearch(_)
            | Self::NoCollectionToSearchLegacy(_)
            | Self::NoSourceToConnect(..)
            | Self::NoSource(..)
            | Self::NoJob
            | Self::NoCleanup
            | Self::NoReceipt
            | Self::NoApiKey => StatusCode::NOT_FOUND,
            Self::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::JobActive(_)
            | Self::NotCancellable(_)
            | Self::ReadableIdTaken(_)
            | Self::UnsupportedAuthentication { .. }
            | Self::NotDirect
            | Self::RejectedBySource(_)
            | Self::TooFrequent(_)
            | Self::TooFrequentChange(_) => StatusCode::BAD_REQUEST,
            Self::ConnectionBeingDeleted | Self::CollectionBeingDeleted | Self::ReceiptSuperseded(_) => {
                StatusCode::CONFLICT
            }
            Self::BodyTooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TookTooLong(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable(_) | Self::InvalidConfig(_) | Self::InvalidAuth(_) | Self::InvalidCron(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::NoLanguageModel | Self::Search(_) | Self::SearchBusy | Self::Embedder(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Database(DatabaseError::HistoryLost(lost)) => {
                let text = if matches!(lost, LostHistory::Unread) { HISTORY_UNREAD } else { HISTORY_LOST };
                return (StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
            }
            Self::Database(error) if error.is_retryable() => {
                return (StatusCode::SERVICE_UNAVAILABLE, "Service temporarily unavailable".to_owned());
            }
            Self::Database(_) | Self::Internal(_) => {
                return (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error".to_owned());
            }
        };
        (status, self.to_string())
    }

    /// Logs what an operator must see; the client's own mistakes are in the access log.
    pub fn log(&self) {
        if let Self::Database(error) = self {
            if matches!(error, DatabaseError::HistoryLost(_)) {
                // The watch has told it, once.
            } else if error.is_retryable() {
                tracing::warn!(%error, "request not served");
            } else {
                tracing::error!(?error, "request failed");
            }
        } else if let Self::Internal(error) = self {
            tracing::error!(error, "request failed");
        } else if let Self::Search(error) = self {
            tracing::warn!(%error, "search not served");
        } else if let Self::Embedder(error) = self {
            tracing::warn!(%error, "semantic search not served");
        }
    }

    /// Seconds after which the same request may be served, if that is known.
    fn retry_after(&self) -> Option<i64> {
        if let Self::RateLimited(seconds) = self {
            return Some(*seconds);
        }
        let passes = match self {
            Self::Database(error) => error.is_retryable(),
            other => matches!(other, Self::TooManyStreams | Self::Search(_) | Self::SearchBusy | Self::Embedder(_)),
        };
        passes.then_some(TRY_AGAIN_SECONDS)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.answer().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, detail) = self.answer();
        let mut response = HttpResponse::build(status);
        if let Self::Unprocessable(problems) = self {
            return response.json(Unprocessable::from(problems.clone()));
        }
        if let Self::SourceConnectionDeleted(cleanup) = self {
            response.insert_header((LINK, monitor(*cleanup)));
        }
        if let Some(seconds) = self.retry_after() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response.json(Detail { detail })
    }
}
