//! Bodies of answers that no wire type describes.
#![expect(dead_code, reason = "described here, built by hand or by other crates")]

use std::collections::BTreeMap;

use shared_models::wire::problem::{Detail, Unprocessable};
use shared_models::wire::search::{LegacyResults, OlderResults};
use utoipa::ToSchema;

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
