//! What of a config and of credentials `files` accepts beyond their fields' own bounds.

use std::path::{Component, Path};

use serde::Deserialize;

use crate::tools::patterns::Patterns;

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    pub(super) path: Option<String>,
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
}

/// Which folder the owner may read.
#[derive(Debug, Deserialize)]
pub(crate) struct Credentials {
    pub(super) root: String,
}

/// What can't be right of `config`.
pub(super) fn misfit(config: &Config) -> Option<String> {
    if config.path.as_deref().is_some_and(|path| !stays_below_root(path)) {
        return Some("path: Input should be a relative path without '..'".to_owned());
    }
    Patterns::new(&config.include, &config.exclude).err().map(|error| error.to_string())
}

/// Whether a path names something below the folder that it is relative to, as far as its text goes.
fn stays_below_root(path: &str) -> bool {
    !path.contains(['\0', '\\'])
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Source;

    #[test]
    fn a_path_that_leaves_its_root_is_refused() {
        for path in ["/etc", "..", "a/../b", "a/..", "../a", "a\\..\\b", "a\0b"] {
            assert!(!stays_below_root(path), "{path:?}");
        }
        for path in ["a", "a/b", "./a", "..a/b..", "a//b"] {
            assert!(stays_below_root(path), "{path:?}");
        }
    }

    #[test]
    fn a_config_that_cannot_be_read_with_is_refused_in_words() {
        let refused =
            |config: Value| Source::Files.check_config(config.as_object().unwrap(), None).unwrap_err().to_string();
        let problem = refused(json!({"include": ["["]}));
        assert!(problem.starts_with("include: '[' is not a pattern: "), "{problem}");
        let many = json!({"include": ["x".repeat(1_000)], "exclude": vec!["y".repeat(1_000); 16]});
        assert_eq!(refused(many), "exclude: Patterns can have at most 16384 bytes together");
        assert!(refused(json!({"path": "../x"})).starts_with("path: "));
    }
}
