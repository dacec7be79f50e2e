//! Bodies about API keys.

use serde::{Deserialize, Serialize};

/// A new API key. The body may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyCreate {
    /// After how many days it stops working.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 365, default = 90))]
    pub expiration_days: Option<u32>,
    /// What those who use it call it, so that what is asked by it can be told to somebody. It is kept when the key is
    /// deleted.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100, example = "nightly clean-up of the CRM"))]
    pub name: Option<String>,
}

/// A key's new text. The body may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyRotate {
    /// Its new name; without it, it keeps the one that it has.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub name: Option<String>,
}
