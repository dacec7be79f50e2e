//! Bodies about source connections. Those with secrets can't be printed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A text of at most 1024 characters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(max_length = 1024))]
pub struct ShortText(pub String);

/// Credentials of the source itself.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DirectAuthentication {
    /// What the source's `auth_fields` ask for; at least one field.
    #[cfg_attr(feature = "openapi", schema(schema_with = non_empty_object))]
    pub credentials: Map<String, Value>,
    /// Ignored: the form is told by its fields.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Value, required = false))]
    pub kind: Option<Value>,
}

/// An OAuth token that the client already has.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OAuthTokenAuthentication {
    /// The token.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1024, pattern = "\\S"))]
    pub access_token: String,
    /// What a new token can be had for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<ShortText>,
    /// When the token expires; not in the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Ignored: the form is told by its fields.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Value, required = false))]
    pub kind: Option<Value>,
}

/// OAuth in a browser, perhaps with the customer's own client: id and secret together, of OAuth 2 or of OAuth 1.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OAuthBrowserAuthentication {
    /// Where the browser goes afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<ShortText>,
    /// OAuth 2 client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ShortText>,
    /// Its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ShortText>,
    /// OAuth 1 consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_key: Option<ShortText>,
    /// Its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_secret: Option<ShortText>,
    /// Ignored: the form is told by its fields.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Value, required = false))]
    pub kind: Option<Value>,
}

/// Credentials that another service keeps.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthProviderAuthentication {
    /// The service.
    pub provider_readable_id: ShortText,
    /// What it needs to find them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub provider_config: Option<Map<String, Value>>,
    /// Ignored: the form is told by its fields.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Value, required = false))]
    pub kind: Option<Value>,
}

/// How a new connection is authenticated: one of four forms, told by their fields. A form that the source doesn't
/// support is refused with 400; its `auth_methods` say which it supports.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Authentication))]
#[serde(untagged)]
pub enum GivenAuthentication {
    /// Credentials of the source itself.
    Direct(DirectAuthentication),
    /// An OAuth token.
    Token(OAuthTokenAuthentication),
    /// Credentials that another service keeps.
    Provider(AuthProviderAuthentication),
    /// OAuth in a browser.
    Browser(OAuthBrowserAuthentication),
}

/// When a connection runs by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleConfig {
    /// Five-field cron expression in UTC; null for never. Not more often than hourly, unless the source supports
    /// continuous syncs.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255, example = "30 9 * * *"))]
    pub cron: Option<String>,
    /// Whether to run from a cursor.
    #[cfg_attr(feature = "openapi", schema(nullable, default = false))]
    #[serde(default)]
    pub continuous: bool,
    /// The field of the cursor.
    #[cfg_attr(feature = "openapi", schema(max_length = 255))]
    pub cursor_field: Option<String>,
}

/// A new source connection.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "name": "Orders database",
    "short_name": "postgresql",
    "readable_collection_id": "customer-support-x7k9m2",
    "authentication": {"credentials": {
        "host": "db.example.com", "database": "orders", "user": "reader", "password": "secret", "sslmode": "require"
    }},
    "config": {"schema": "public", "tables": ["orders"]},
    "schedule": {"cron": "30 9 * * *"},
    "sync_immediately": true
})))]
pub struct SourceConnectionCreate {
    /// Its name for people; the source's name and `Connection` if not given.
    #[cfg_attr(feature = "openapi", schema(min_length = 4, max_length = 42))]
    pub name: Option<String>,
    /// Its source, as `GET /sources` names it.
    #[cfg_attr(feature = "openapi", schema(max_length = 1024, example = "postgresql"))]
    pub short_name: String,
    /// The collection that it brings entities to.
    #[cfg_attr(feature = "openapi", schema(max_length = 1024, example = "customer-support-x7k9m2"))]
    pub readable_collection_id: String,
    /// More about it.
    #[cfg_attr(feature = "openapi", schema(max_length = 255))]
    pub description: Option<String>,
    /// What the source's `config_fields` take; defaults are filled in.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub config: Option<Map<String, Value>>,
    /// When it runs by itself; daily at the current minute if not given.
    pub schedule: Option<ScheduleConfig>,
    /// Whether to run at once; yes if not given.
    pub sync_immediately: Option<bool>,
    /// How it is authenticated.
    pub authentication: Option<GivenAuthentication>,
}

/// What to change of a connection: at least one field. Others stay as they are.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"name": "Orders, hourly", "schedule": {"cron": "0 * * * *"}})))]
pub struct SourceConnectionUpdate {
    /// Its new name; null changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 4, max_length = 42))]
    pub name: Option<String>,
    /// The new description; null removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 255))]
    pub description: Option<String>,
    /// The new config, which replaces the old one; defaults are filled in. Null changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub config: Option<Map<String, Value>>,
    /// The new schedule; null, or one without cron, removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleConfig>,
    /// New credentials, for a connection that is authenticated by credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<DirectAuthentication>,
}

/// How to run a connection. The body may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunRequest {
    /// Whether to ignore the cursor and to remove what the source no longer has. The query parameter of that name goes
    /// first.
    #[cfg_attr(feature = "openapi", schema(default = false))]
    pub force_full_sync: Option<bool>,
}

#[cfg(feature = "openapi")]
fn non_empty_object() -> utoipa::openapi::Object {
    utoipa::openapi::ObjectBuilder::new()
        .additional_properties(Some(utoipa::openapi::schema::AdditionalProperties::FreeForm(true)))
        .min_properties(Some(1))
        .description(Some("What the source's `auth_fields` ask for; at least one field."))
        .build()
}
