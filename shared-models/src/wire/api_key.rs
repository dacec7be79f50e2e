//! API keys on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{ApiKeyId, OrganizationId};

/// An API key. Only its hash is stored, so the key itself is there once: in the answer that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub organization_id: OrganizationId,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    pub last_used_date: Option<DateTime<Utc>>,
    pub expiration_date: Option<DateTime<Utc>>,
    pub created_by_email: Option<String>,
    pub modified_by_email: Option<String>,
    /// The key, in the answers to create and rotate only.
    pub decrypted_key: Option<String>,
}
