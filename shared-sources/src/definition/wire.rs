//! A definition on the wire.

use shared_models::wire::source::{FieldItem, FieldItems, Source};

use super::{Field, FieldDefault, FieldKind, SourceDefinition};

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
            FieldKind::Text { .. } | FieldKind::FreeText { .. } | FieldKind::Formed { .. } => ("string", None, None),
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
    use shared_models::wire::source_connection::AuthMethod;

    use super::*;

    #[test]
    fn class_names_become_snake_case() {
        assert_eq!(snake_case("TimedContainerEntity"), "timed_container_entity");
        assert_eq!(snake_case("PostgreSQLRowEntity"), "postgre_sql_row_entity");
        assert_eq!(snake_case("FileEntity"), "file_entity");
    }

    #[test]
    fn a_source_that_needs_one_secret_alone_takes_a_token() {
        let methods =
            |short_name: &str| Source::from(short_name.parse::<crate::Source>().unwrap().definition()).auth_methods;
        assert_eq!(methods("github"), [AuthMethod::Direct, AuthMethod::OauthToken]);
        for direct in ["postgresql", "files", "stub"] {
            assert_eq!(methods(direct), [AuthMethod::Direct], "{direct}");
        }
    }

    #[test]
    fn a_field_with_a_default_is_not_required() {
        let source = Source::from(crate::Source::Postgresql.definition());
        let field = |name: &str| source.auth_fields.fields.iter().find(|field| field.name == name).unwrap();
        assert!(field("host").required);
        assert!(!field("port").required);
        assert!(field("password").is_secret);
        assert_eq!(field("sslmode").enum_values.as_deref(), Some(&["disable".to_owned(), "require".to_owned()][..]));
    }
}
