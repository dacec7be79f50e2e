//! Answers that several operations give, and bodies of answers that no wire type describes.
#![expect(dead_code, reason = "described here, built by hand or by other crates")]

use std::collections::BTreeMap;

use shared_models::wire::problem::{Detail, Unprocessable};
use shared_models::wire::search::{LegacyResults, OlderResults};
use utoipa::{IntoResponses, ToSchema};

/// The server lives.
#[derive(ToSchema)]
pub struct Health {
    /// `healthy` or `alive`.
    status: String,
}

/// Whether the server can serve.
#[derive(ToSchema)]
#[schema(as = Readiness)]
pub struct ReadinessAnswer {
    /// `ready` or `not_ready`.
    status: String,
    /// What was looked at, by its name.
    checks: BTreeMap<String, Check>,
}

/// Something that was looked at.
#[derive(ToSchema)]
#[schema(as = ReadinessCheck)]
pub struct Check {
    /// `up` or `down`.
    status: String,
    /// How long the look took, in milliseconds.
    latency_ms: u64,
    /// Why it is down.
    error: Option<String>,
}

/// What is wrong with a connection: its form, field by field, or a text about credentials, config or cron.
#[derive(ToSchema)]
#[schema(as = SourceConnectionValidationError)]
#[serde(untagged)]
pub enum UnprocessableConnection {
    /// The form.
    Form(Unprocessable),
    /// What the source's fields say.
    Content(Detail),
}

/// The hits, in the form that fits the request's.
#[derive(ToSchema)]
#[schema(as = LegacySearchAnswer)]
#[serde(untagged)]
pub enum LegacySearchAnswer {
    /// Results and completion.
    Newer(LegacyResults),
    /// With a status and the kind of answer besides.
    Older(OlderResults),
}

/// The collection that the path names isn't there.
#[derive(IntoResponses)]
#[response(status = 404, description = "The organization has no such collection.")]
pub struct NoSuchCollection;

/// What is asked for needs a language model.
#[derive(IntoResponses)]
#[response(
    status = 503,
    description = "There is no language model, or something that the server needs doesn't answer."
)]
pub struct NoLanguageModel;

/// The hits of a search in the form of older clients, and what is said about that form. The body's schema isn't found
/// from here: the document names it beside its operations.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "The hits.",
    headers(
        ("X-Retrieval-Strategy"), ("X-Search-Incomplete"), ("X-Search-Cut-After"), ("X-API-Deprecation"), ("X-API-Deprecation-Message"),
        ("X-Feature-Removed"), ("X-Feature-Removed-Message"),
    )
)]
pub struct LegacyHits<T: ToSchema>(T);
