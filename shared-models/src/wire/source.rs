//! Sources on the wire: the catalogue as clients build forms from it.

use serde::{Deserialize, Serialize};

use super::source_connection::AuthMethod;
use crate::source::{Field, FieldDefault, FieldKind, SourceDefinition};

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FieldItem {
    pub name: String,
    pub title: String,
    pub description: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub required: bool,
    pub items_type: Option<String>,
    pub is_secret: bool,
    pub enum_values: Option<Vec<String>>,
}

/// The fields of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FieldItems {
    pub fields: Vec<FieldItem>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Source {
    pub name: String,
    pub description: String,
    pub short_name: String,
    pub class_name: String,
    pub auth_methods: Vec<AuthMethod>,
    pub oauth_type: Option<String>,
    pub requires_byoc: bool,
    pub auth_config_class: Option<String>,
    pub config_class: Option<String>,
    pub output_entity_definitions: Vec<String>,
    pub labels: Vec<String>,
    pub supports_continuous: bool,
    pub federated_search: bool,
    pub supports_temporal_relevance: bool,
    pub supports_access_control: bool,
    pub rate_limit_level: Option<String>,
    pub feature_flag: Option<String>,
    pub supports_browse_tree: bool,
    pub auth_fields: FieldItems,
    pub config_fields: FieldItems,
    pub supported_auth_providers: Vec<String>,
}

impl From<&SourceDefinition> for Source {
    fn from(source: &SourceDefinition) -> Self {
        Self {
            name: source.name.to_owned(),
            description: source.description.to_owned(),
            short_name: source.short_name.to_owned(),
            class_name: source.class_name.to_owned(),
            auth_methods: AuthMethod::SUPPORTED.to_vec(),
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
            FieldKind::Text { .. } => ("string", None, None),
            FieldKind::Choice(choices) => {
                ("string", None, Some(choices.iter().map(|&choice| choice.to_owned()).collect()))
            }
            FieldKind::Integer { .. } | FieldKind::Float { .. } => ("number", None, None),
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
    fn a_field_with_a_default_is_not_required() {
        let source = Source::from(&crate::source::POSTGRESQL);
        let field = |name: &str| source.auth_fields.fields.iter().find(|field| field.name == name).unwrap();
        assert!(field("host").required);
        assert!(!field("port").required);
        assert!(field("password").is_secret);
        assert_eq!(field("sslmode").enum_values.as_deref(), Some(&["disable".to_owned(), "require".to_owned()][..]));
    }
}
