//! Sources on the wire: the catalogue as clients build forms from it.

use serde::{Deserialize, Serialize};

use super::source_connection::AuthMethod;

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ConfigField))]
pub struct FieldItem {
    /// Key in the JSON object.
    #[cfg_attr(feature = "openapi", schema(example = "host"))]
    pub name: String,
    /// Label of a form.
    #[cfg_attr(feature = "openapi", schema(example = "Host"))]
    pub title: String,
    /// Help text of a form.
    pub description: String,
    /// What it takes: `string`, `number`, `boolean` or `array`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// What the items of an array are.
    pub items_type: Option<String>,
    /// Feature that an organization needs to set it; null here.
    pub feature_flag: Option<String>,
    /// Whether it is never shown again once stored.
    pub is_secret: bool,
    /// What it may be, if that is limited.
    pub enum_values: Option<Vec<String>>,
}

/// The fields of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Fields))]
pub struct FieldItems {
    /// The fields, in the order of a form.
    pub fields: Vec<FieldItem>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    /// Name for people.
    #[cfg_attr(feature = "openapi", schema(example = "PostgreSQL"))]
    pub name: String,
    /// What it connects.
    pub description: String,
    /// Name in this API.
    #[cfg_attr(feature = "openapi", schema(example = "postgresql"))]
    pub short_name: String,
    /// Name of its class.
    #[cfg_attr(feature = "openapi", schema(example = "PostgreSQLSource"))]
    pub class_name: String,
    /// How its connections may be authenticated.
    pub auth_methods: Vec<AuthMethod>,
    /// Kind of OAuth that it speaks; null here.
    pub oauth_type: Option<String>,
    /// Whether OAuth needs the customer's own client; false here.
    pub requires_byoc: bool,
    /// Always null; `auth_fields` says what credentials need.
    pub auth_config_class: Option<String>,
    /// Always null; `config_fields` says what the config takes.
    pub config_class: Option<String>,
    /// Entities that it yields.
    pub output_entity_definitions: Vec<String>,
    /// Labels for grouping.
    pub labels: Vec<String>,
    /// Whether it can run from a cursor, and so more often than hourly.
    pub supports_continuous: bool,
    /// Whether it is searched live instead of synced; always false here.
    pub federated_search: bool,
    /// Whether its entities can be ranked by age; always false here.
    pub supports_temporal_relevance: bool,
    /// Whether it knows who may see what; always false here.
    pub supports_access_control: bool,
    /// How its own rate limit is counted; null here.
    pub rate_limit_level: Option<String>,
    /// What must be switched on for it; null here.
    pub feature_flag: Option<String>,
    /// Whether its contents can be browsed; always false here.
    pub supports_browse_tree: bool,
    /// What `authentication.credentials` takes.
    pub auth_fields: FieldItems,
    /// What `config` takes.
    pub config_fields: FieldItems,
    /// Auth providers that can keep its credentials; none here.
    pub supported_auth_providers: Vec<String>,
}
