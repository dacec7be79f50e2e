//! Bodies about collections.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A new collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"name": "Customer support"})))]
pub struct CollectionCreate {
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(min_length = 4, max_length = 64, example = "Customer support"))]
    pub name: String,
    /// Its name in URLs; unique over all organizations. Made from the name if not given, with six random characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub readable_id: Option<String>,
    /// Settings for syncs into it, kept as they are given; at most 16 KiB as JSON.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub sync_config: Option<Map<String, Value>>,
}

/// What to change of a collection. Other fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"name": "Support, all channels"})))]
pub struct CollectionUpdate {
    /// Its new name; null changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 4, max_length = 64))]
    pub name: Option<String>,
    /// Its new settings for syncs, at most 16 KiB as JSON; null removes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub sync_config: Option<Map<String, Value>>,
}
