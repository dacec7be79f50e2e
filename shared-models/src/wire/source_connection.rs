//! Source connections on the wire.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::LastJob;
use crate::ids::{OrganizationId, SourceConnectionId, SyncId};
use crate::job::{ConnectionStatus, ErrorCategory};
use crate::text_enum::text_enum;

text_enum! {
    /// How a connection is authenticated.
    AuthMethod as "AuthenticationMethod", "authentication method", {
        /// Credentials given to us.
        Direct = "direct",
        /// OAuth in a browser.
        OauthBrowser = "oauth_browser",
        /// An OAuth token given to us.
        OauthToken = "oauth_token",
        /// OAuth in a browser with the customer's own client.
        OauthByoc = "oauth_byoc",
        /// Credentials kept by another service.
        AuthProvider = "auth_provider",
    }
}

/// A connection in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceConnectionListItem {
    /// The connection.
    pub id: SourceConnectionId,
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(example = "Orders database"))]
    pub name: String,
    /// Its source.
    #[cfg_attr(feature = "openapi", schema(example = "postgresql"))]
    pub short_name: String,
    /// The collection that it brings entities to.
    #[cfg_attr(feature = "openapi", schema(example = "customer-support-x7k9m2"))]
    pub readable_collection_id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
    /// Whether it has credentials.
    pub is_authenticated: bool,
    /// Entities that it has brought and that are still there.
    pub entity_count: i64,
    /// Whether the source is searched live instead of synced; always false here.
    pub federated_search: bool,
    /// How it is authenticated.
    pub auth_method: AuthMethod,
    /// How it is, derived from its newest job.
    pub status: ConnectionStatus,
}

/// How a connection is authenticated; never with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuthenticationDetails))]
pub struct Authentication {
    /// How.
    pub method: AuthMethod,
    /// Whether credentials are there.
    pub authenticated: bool,
    /// Since when.
    pub authenticated_at: Option<DateTime<Utc>>,
    /// When the credentials expire, if that is known.
    pub expires_at: Option<DateTime<Utc>>,
    /// Where to authenticate in a browser; null here, where no source needs it.
    pub auth_url: Option<String>,
    /// Until when that address works.
    pub auth_url_expires: Option<DateTime<Utc>>,
    /// Where the browser goes afterwards.
    pub redirect_url: Option<String>,
    /// What the browser's answer is claimed with.
    pub claim_token: Option<String>,
    /// The auth provider, if one keeps the credentials.
    pub provider_readable_id: Option<String>,
    /// The same, by its id.
    pub provider_id: Option<String>,
}

/// When a connection runs by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ScheduleDetails))]
pub struct Schedule {
    /// Five-field cron expression in UTC. Never null here: a connection without one has no schedule.
    #[cfg_attr(feature = "openapi", schema(example = "30 9 * * *"))]
    pub cron: Option<String>,
    /// When it is due next: in the past if no sync-worker has fired it yet, null while it waits for new credentials.
    pub next_run: Option<DateTime<Utc>>,
    /// Whether it runs from a cursor.
    pub continuous: bool,
    /// The field that the cursor is of.
    pub cursor_field: Option<String>,
    /// The cursor, as the source left it.
    pub cursor_value: Option<Value>,
}

/// The runs of a connection. These are real counts, over all of its jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SyncDetails))]
pub struct SyncSummary {
    /// Jobs so far.
    pub total_runs: i64,
    /// Jobs that completed.
    pub successful_runs: i64,
    /// Jobs that failed.
    pub failed_runs: i64,
    /// The newest job.
    pub last_job: Option<LastJob>,
}

/// Entities of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = EntityTypeStats))]
pub struct TypeCount {
    /// How many there are.
    pub count: i64,
    /// When one of them was last inserted or updated.
    pub last_updated: Option<DateTime<Utc>>,
}

/// The entities of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntitySummary {
    /// How many there are.
    pub total_entities: i64,
    /// The same by class.
    pub by_type: BTreeMap<String, TypeCount>,
}

/// A connection, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceConnection {
    /// The connection.
    pub id: SourceConnectionId,
    /// The organization that it belongs to.
    pub organization_id: OrganizationId,
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(example = "Orders database"))]
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// Its source.
    #[cfg_attr(feature = "openapi", schema(example = "postgresql"))]
    pub short_name: String,
    /// The collection that it brings entities to.
    #[cfg_attr(feature = "openapi", schema(example = "customer-support-x7k9m2"))]
    pub readable_collection_id: String,
    /// How it is, derived from its newest job.
    pub status: ConnectionStatus,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
    /// How it is authenticated; never with what.
    pub auth: Authentication,
    /// The validated config, defaults filled in.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub config: Value,
    /// When it runs by itself; null if never.
    pub schedule: Option<Schedule>,
    /// Its runs; null until the first.
    pub sync: Option<SyncSummary>,
    /// The sync: the id that every document, blob and entity of the connection carries.
    pub sync_id: SyncId,
    /// What it has brought; null until there is something.
    pub entities: Option<EntitySummary>,
    /// Why the newest job failed, as far as new credentials can mend it; else null.
    pub error_category: Option<ErrorCategory>,
    /// Why the newest job failed; else null.
    pub error_message: Option<String>,
    /// Where the auth provider's settings are; null here.
    pub provider_settings_url: Option<String>,
    /// The auth provider; null here.
    pub provider_short_name: Option<String>,
    /// Whether the source is searched live instead of synced; always false here.
    pub federated_search: bool,
}

/// The sync of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SourceConnectionSyncId))]
pub struct SyncIdAnswer {
    /// The sync.
    pub sync_id: SyncId,
}
