//! Sources on the wire: the catalogue as clients build forms from it.

use serde::{Deserialize, Serialize};

use super::source_connection::AuthMethod;
use crate::source::{Field, FieldDefault, FieldKind, SourceDefinition};

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

impl From<&SourceDefinition> for Source {
    fn from(source: &SourceDefinition) -> Self {
        Self {
            name: source.name.to_owned(),
            description: source.description.to_owned(),
            short_name: source.short_name.to_owned(),
            class_name: source.class_name.to_owned(),
            auth_methods: source.auth_methods(),
            oauth_type: None,
            requires_byoc: false,
            auth_config_class: None,
            config_class: None,
            output_entity_definitions: source.entity_classes.iter().map(|class| snake_case(class)).collect(),
            labels: source.labels.iter().map(|&label| label.to_owned()).collect(),
            supports_continuous: source.supports_continuous,
            federated_search: false,
            supports_temporal_relevance: false,
            supports_access_control: false,
            rate_limit_level: None,
            feature_flag: None,
            supports_browse_tree: false,
            auth_fields: FieldItems { fields: source.auth_fields.iter().map(FieldItem::from).collect() },
            config_fields: FieldItems { fields: source.config_fields.iter().map(FieldItem::from).collect() },
            supported_auth_providers: Vec::new(),
        }
    }
}

impl From<&Field> for FieldItem {
    fn from(field: &Field) -> Self {
        let (kind, items_type, enum_values) = match field.kind {
            FieldKind::Text { .. } | FieldKind::FreeText { .. } | FieldKind::RepositoryName => ("string", None, None),
            FieldKind::Choice(choices) => {
                ("string", None, Some(choices.iter().map(|&choice| choice.to_owned()).collect()))
            }
            FieldKind::Integer { .. } | FieldKind::Weight { .. } | FieldKind::Float { .. } => ("number", None, None),
            FieldKind::Boolean => ("boolean", None, None),
            FieldKind::TextList => ("array", Some("string".to_owned()), None),
        };
        Self {
            name: field.name.to_owned(),
            title: field.title.to_owned(),
            description: field.description.to_owned(),
            kind: kind.to_owned(),
            required: matches!(field.default, FieldDefault::Required),
            items_type,
            feature_flag: None,
            is_secret: field.is_secret,
            enum_values,
        }
    }
}

/// `TimedContainerEntity` → `timed_container_entity`, `PostgreSQLRowEntity` → `postgre_sql_row_entity`.
fn snake_case(class: &str) -> String {
    let chars: Vec<char> = class.chars().collect();
    let mut snake = String::with_capacity(class.len() + 4);
    for (at, &letter) in chars.iter().enumerate() {
        let after_lower = at.checked_sub(1).and_then(|before| chars.get(before)).is_some_and(|c| !c.is_uppercase());
        let before_lower = at > 0 && chars.get(at + 1).is_some_and(|c| c.is_lowercase());
        if letter.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_become_snake_case() {
        assert_eq!(snake_case("TimedContainerEntity"), "timed_container_entity");
        assert_eq!(snake_case("PostgreSQLRowEntity"), "postgre_sql_row_entity");
        assert_eq!(snake_case("FileEntity"), "file_entity");
    }

    #[test]
    fn a_source_that_needs_one_secret_alone_takes_a_token() {
        let methods = |short_name: &str| Source::from(crate::source::find(short_name).unwrap()).auth_methods;
        assert_eq!(methods("github"), [AuthMethod::Direct, AuthMethod::OauthToken]);
        for direct in ["postgresql", "files", "stub"] {
            assert_eq!(methods(direct), [AuthMethod::Direct], "{direct}");
        }
    }

    #[test]
    fn a_field_with_a_default_is_not_required() {
        let source = Source::from(&crate::source::POSTGRESQL);
        let field = |name: &str| source.auth_fields.fields.iter().find(|field| field.name == name).unwrap();
        assert!(field("host").required);
        assert!(!field("port").required);
        assert!(field("password").is_secret);
        assert_eq!(field("sslmode").enum_values.as_deref(), Some(&["disable".to_owned(), "require".to_owned()][..]));
    }
}
