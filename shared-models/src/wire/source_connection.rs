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

impl AuthMethod {
    /// What every source of this version supports.
    pub const SUPPORTED: [Self; 1] = [Self::Direct];
}

/// A connection in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SourceConnectionListItem {
    pub id: SourceConnectionId,
    pub name: String,
    pub short_name: String,
    pub readable_collection_id: String,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    pub is_authenticated: bool,
    pub entity_count: i64,
    pub federated_search: bool,
    pub auth_method: AuthMethod,
    pub status: ConnectionStatus,
}

/// How a connection is authenticated; never with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Authentication {
    pub method: AuthMethod,
    pub authenticated: bool,
    pub authenticated_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub auth_url: Option<String>,
    pub auth_url_expires: Option<DateTime<Utc>>,
    pub redirect_url: Option<String>,
    pub claim_token: Option<String>,
    pub provider_readable_id: Option<String>,
    pub provider_id: Option<String>,
}

/// When a connection runs by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Schedule {
    pub cron: Option<String>,
    pub next_run: Option<DateTime<Utc>>,
    pub continuous: bool,
    pub cursor_field: Option<String>,
    pub cursor_value: Option<Value>,
}

/// The runs of a connection. Real counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SyncSummary {
    pub total_runs: i64,
    pub successful_runs: i64,
    pub failed_runs: i64,
    pub last_job: Option<LastJob>,
}

/// Entities of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TypeCount {
    pub count: i64,
    pub last_updated: Option<DateTime<Utc>>,
}

/// The entities of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EntitySummary {
    pub total_entities: i64,
    pub by_type: BTreeMap<String, TypeCount>,
}

/// A connection, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SourceConnection {
    pub id: SourceConnectionId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub description: Option<String>,
    pub short_name: String,
    pub readable_collection_id: String,
    pub status: ConnectionStatus,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    pub auth: Authentication,
    /// The validated config, defaults filled in.
    pub config: Value,
    pub schedule: Option<Schedule>,
    pub sync: Option<SyncSummary>,
    pub sync_id: SyncId,
    pub entities: Option<EntitySummary>,
    pub error_category: Option<ErrorCategory>,
    pub error_message: Option<String>,
    pub provider_settings_url: Option<String>,
    pub provider_short_name: Option<String>,
    pub federated_search: bool,
}

/// The sync of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SyncIdAnswer {
    pub sync_id: SyncId,
}
