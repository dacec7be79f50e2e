//! Keys that a source doesn't know: a typo in `include` would index everything without a word.

use serde_json::{Map, Value};

use super::Field;

/// Most unknown keys that an answer names, and how much of each it shows, in characters.
const MAX_TOLD: usize = 20;
const MAX_KEY_CHARS: usize = 64;
/// Least Jaro similarity (0 to 1) of what may be meant. That of clap, which tells misspelled options of commands so.
const RESEMBLES: f64 = 0.7;
/// Most edits (insert, delete, replace, swap neighbours) that make a misspelling.
const MAX_EDITS: usize = 2;

/// Which keys are taken and dropped although no field has them.
#[derive(Debug, Clone, Copy)]
pub enum Unknown<'a> {
    /// Those that the stored object has, which an older version or another system may have written.
    AsStored(Option<&'a Map<String, Value>>),
    /// Those that are no misspelling of a field that isn't given: clients send credentials of other forms along.
    UnlessMisspelled,
}

impl Unknown<'_> {
    /// What is wrong with the keys of `given` that aren't taken.
    pub(super) fn refused(self, fields: &[Field], given: &Map<String, Value>) -> Vec<String> {
        let unknown = given.keys().filter(|key| !fields.iter().any(|field| field.name == key.as_str()));
        let problem = |key: &String| match self {
            Self::AsStored(stored) if stored.is_some_and(|stored| stored.contains_key(key)) => None,
            Self::AsStored(_) => Some(format!("{}: {}", shown(key), explained(key, fields))),
            Self::UnlessMisspelled => misspelled(key, fields, given).map(|meant| format!("{}: {meant}", shown(key))),
        };
        unknown.filter_map(problem).take(MAX_TOLD).collect()
    }
}

fn shown(key: &str) -> String {
    key.chars().take(MAX_KEY_CHARS).collect()
}

/// What may be meant, or else what there is.
fn explained(key: &str, fields: &[Field]) -> String {
    let names = fields.iter().map(|field| field.name);
    let similarity = |name: &str| strsim::jaro(&key.to_lowercase().replace('-', "_"), name);
    let nearest = names.clone().max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match nearest.filter(|name| similarity(name) >= RESEMBLES) {
        Some(meant) => did_you_mean(meant),
        None if fields.is_empty() => "Unknown field; there are none".to_owned(),
        None => format!("Unknown field; there are {}", names.collect::<Vec<_>>().join(", ")),
    }
}

fn misspelled(key: &str, fields: &[Field], given: &Map<String, Value>) -> Option<String> {
    let absent = fields.iter().map(|field| field.name).filter(|name| !given.contains_key(*name));
    let near = |name: &&str| {
        let edits = strsim::damerau_levenshtein(&key.to_lowercase().replace('-', "_"), name);
        edits <= MAX_EDITS && edits < name.len() / 2
    };
    absent.filter(near).map(did_you_mean).next()
}

fn did_you_mean(meant: &str) -> String {
    format!("Unknown field, did you mean {meant}?")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Source;

    fn refused(source: Source, config: &Value) -> Vec<String> {
        Unknown::AsStored(None).refused(source.definition().config_fields, config.as_object().unwrap())
    }

    #[test]
    fn an_unknown_key_is_told_with_what_may_be_meant() {
        for (source, key, meant) in [
            (Source::Files, "includes", "include"),
            (Source::Files, "excludes", "exclude"),
            (Source::Files, "Include", "include"),
            (Source::Files, "include_patterns", "include"),
            (Source::Files, "exlude", "exclude"),
            (Source::Files, "paths", "path"),
            (Source::Github, "repo", "repo_name"),
            (Source::Github, "repository_name", "repo_name"),
            (Source::Github, "repo-name", "repo_name"),
            (Source::Postgresql, "table", "tables"),
            (Source::S3, "bucket_name", "bucket"),
            (Source::Stub, "entityCount", "entity_count"),
        ] {
            let told = format!("{key}: Unknown field, did you mean {meant}?");
            assert_eq!(refused(source, &json!({ key: 1 })), [told], "{key}");
        }
        let told = "colour: Unknown field; there are path, include, exclude";
        assert_eq!(refused(Source::Files, &json!({"colour": "red", "include": []})), [told]);
    }

    #[test]
    fn what_is_told_is_bounded() {
        let many = (0..1_000).map(|number| (format!("{number}{}", "x".repeat(10_000)), json!(1))).collect();
        let told = refused(Source::Files, &Value::Object(many));
        assert!(told.len() == MAX_TOLD && told.iter().all(|told| told.len() < 200), "{told:?}");
    }

    #[test]
    fn keys_of_the_stored_config_are_taken() {
        let stored = json!({"old": 1}).as_object().unwrap().clone();
        let given = json!({"old": 2, "odd": 3}).as_object().unwrap().clone();
        let told = Unknown::AsStored(Some(&stored)).refused(Source::Files.definition().config_fields, &given);
        assert_eq!(told, ["odd: Unknown field; there are path, include, exclude"]);
    }

    #[test]
    fn credentials_are_refused_for_misspellings_alone() {
        let refused = |source: Source, given: Value| {
            Unknown::UnlessMisspelled.refused(source.definition().auth_fields, given.as_object().unwrap())
        };
        let token = json!({"personal_access_token": "t", "api-url": "https://github.example.com/api/v3"});
        assert_eq!(refused(Source::Github, token), ["api-url: Unknown field, did you mean api_url?"]);
        assert_eq!(
            refused(Source::Postgresql, json!({"sslmod": "x"})),
            ["sslmod: Unknown field, did you mean sslmode?"]
        );
        for taken in [json!({"timed_key": "t", "stub_key": "t"}), json!({"access_token": "t"}), json!({"x": 1})] {
            assert_eq!(refused(Source::Timed, taken), [""; 0]);
        }
        let both = json!({"api_url": "https://a.example", "api_urls": "https://b.example"});
        assert_eq!(refused(Source::Github, both), [""; 0]);
    }
}
