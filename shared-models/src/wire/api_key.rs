//! API keys on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{ApiKeyId, OrganizationId};

/// An API key. Only its hash is stored, so the key itself is there once: in the answer that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// The organization that it opens.
    pub organization_id: OrganizationId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was made or last rotated.
    pub modified_at: DateTime<Utc>,
    /// When it was last used, to within some minutes.
    pub last_used_date: Option<DateTime<Utc>>,
    /// When it stops working; null for never.
    pub expiration_date: Option<DateTime<Utc>>,
    /// Who made it, if that is known.
    pub created_by_email: Option<String>,
    /// Who last changed it, if that is known.
    pub modified_by_email: Option<String>,
    /// The key, in the answers to create and rotate only; null everywhere else.
    pub decrypted_key: Option<String>,
    /// What those who use it call it; null if they didn't say.
    pub name: Option<String>,
    /// When it was deleted; null while it works.
    pub deleted_at: Option<DateTime<Utc>>,
}
