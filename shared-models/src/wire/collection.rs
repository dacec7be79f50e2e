//! Collections on the wire, and the status derived from their connections.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{CollectionId, OrganizationId};
use crate::job::{JobStatus, StatusFacts};
use crate::text_enum::text_enum;

text_enum! {
    /// Status of a collection; upper case and with a blank, as the contract has it.
    CollectionStatus, "collection status", {
        /// At least one connection has brought data, or is bringing it.
        Active = "ACTIVE",
        /// No connection has brought data yet.
        NeedsSource = "NEEDS SOURCE",
        /// The last job of every connection failed.
        Error = "ERROR",
    }
}

impl CollectionStatus {
    /// The status of a collection with these connections.
    #[must_use]
    pub fn derive(connections: &[StatusFacts]) -> Self {
        let brings_data = |facts: &StatusFacts| {
            facts.is_authenticated
                && matches!(facts.last_job, Some(JobStatus::Completed | JobStatus::Running | JobStatus::Cancelling))
        };
        if connections.iter().any(brings_data) {
            return Self::Active;
        }
        let all_failed = connections.iter().all(|facts| facts.last_job == Some(JobStatus::Failed));
        if all_failed && !connections.is_empty() { Self::Error } else { Self::NeedsSource }
    }
}

/// A connection, as a collection mentions it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SourceConnectionSummary))]
pub struct ConnectionSummary {
    /// Its source.
    #[cfg_attr(feature = "openapi", schema(example = "postgresql"))]
    pub short_name: String,
    /// Its name for people.
    pub name: String,
}

/// A collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Collection {
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(example = "Customer support"))]
    pub name: String,
    /// Its name in URLs; unique over all organizations.
    #[cfg_attr(feature = "openapi", schema(example = "customer-support-x7k9m2"))]
    pub readable_id: String,
    /// The collection.
    pub id: CollectionId,
    /// Settings for syncs into it, kept as they were given.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub sync_config: Option<Value>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
    /// The organization that it belongs to.
    pub organization_id: OrganizationId,
    /// Who created it, if that is known.
    pub created_by_email: Option<String>,
    /// Who last changed it, if that is known.
    pub modified_by_email: Option<String>,
    /// How it is, derived from its connections.
    pub status: CollectionStatus,
    /// Dimensions of its documents' vectors; 0 if they carry none.
    pub vector_size: u32,
    /// The model that the vectors come from; `none` if there are none.
    pub embedding_model_name: String,
    /// Its connections.
    pub source_connection_summaries: Vec<ConnectionSummary>,
}

/// What a collection says of its documents' vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vectors {
    /// Their dimensions.
    pub size: u32,
    /// The model that they come from.
    pub model: String,
}

impl Default for Vectors {
    /// Documents carry none: there is no embedder.
    fn default() -> Self {
        Self { size: 0, model: "none".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(last_job: Option<JobStatus>) -> StatusFacts {
        StatusFacts { is_authenticated: true, last_job, error_category: None }
    }

    #[test]
    fn a_collection_needs_a_source_until_one_brings_data() {
        assert_eq!(CollectionStatus::derive(&[]), CollectionStatus::NeedsSource);
        assert_eq!(CollectionStatus::derive(&[facts(None)]), CollectionStatus::NeedsSource);
        assert_eq!(CollectionStatus::derive(&[facts(Some(JobStatus::Pending))]), CollectionStatus::NeedsSource);
        assert_eq!(CollectionStatus::derive(&[facts(Some(JobStatus::Cancelling))]), CollectionStatus::Active);
    }

    #[test]
    fn only_if_all_failed_is_it_an_error() {
        let (failed, done) = (facts(Some(JobStatus::Failed)), facts(Some(JobStatus::Completed)));
        assert_eq!(CollectionStatus::derive(&[failed, failed]), CollectionStatus::Error);
        assert_eq!(CollectionStatus::derive(&[failed, facts(None)]), CollectionStatus::NeedsSource);
        assert_eq!(CollectionStatus::derive(&[failed, done]), CollectionStatus::Active);
    }
}
