//! Which files to take. A pattern without `/` is matched with the name at any depth, one with `/` with the whole path.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Patterns are compiled in time and memory that grow with them.
const MAX_PATTERN_BYTES: usize = 16 * 1024;

/// The patterns of a config, compiled.
#[derive(Debug)]
pub(crate) struct Patterns {
    include: GlobSet,
    exclude: GlobSet,
}

/// Why patterns can't be used, as `field: problem`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadPatterns(String);

impl Patterns {
    /// Compiles them: what the check accepts is what the reader uses.
    ///
    /// # Errors
    /// [`BadPatterns`] that names the pattern.
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Result<Self, BadPatterns> {
        let mut left = MAX_PATTERN_BYTES;
        Ok(Self { include: compile("include", include, &mut left)?, exclude: compile("exclude", exclude, &mut left)? })
    }

    /// Whether to take the file `path`.
    pub(crate) fn takes(&self, path: &Path) -> bool {
        (self.include.is_empty() || self.include.is_match(path)) && !self.exclude.is_match(path)
    }

    /// Whether to look into the folder `path`.
    pub(crate) fn enters(&self, path: &Path) -> bool {
        !self.exclude.is_match(path)
    }
}

fn compile(field: &str, patterns: &[String], left: &mut usize) -> Result<GlobSet, BadPatterns> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        *left = left.checked_sub(pattern.len()).ok_or_else(|| {
            BadPatterns(format!("{field}: Patterns can have at most {MAX_PATTERN_BYTES} bytes together"))
        })?;
        let plain = pattern.trim_end_matches('/');
        let anchored = match plain.strip_prefix('/') {
            Some(from_the_top) => from_the_top.to_owned(),
            None if plain.contains('/') => plain.to_owned(),
            None => format!("**/{plain}"),
        };
        let glob = GlobBuilder::new(&anchored)
            .literal_separator(true)
            .build()
            .map_err(|error| BadPatterns(format!("{field}: '{pattern}' is not a pattern: {}", error.kind())))?;
        set.add(glob);
    }
    set.build().map_err(|error| BadPatterns(format!("{field}: The patterns can't be used together: {}", error.kind())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(include: &[&str], exclude: &[&str], path: &str) -> bool {
        let owned = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>();
        Patterns::new(&owned(include), &owned(exclude)).unwrap().takes(Path::new(path))
    }

    #[test]
    fn a_pattern_without_slash_matches_at_any_depth() {
        assert!(takes(&["*.md"], &[], "README.md"));
        assert!(takes(&["*.md"], &[], "docs/deep/a.md"));
        assert!(!takes(&["*.md"], &[], "docs/a.txt"));
    }

    #[test]
    fn a_pattern_with_slash_matches_the_whole_path() {
        assert!(takes(&["docs/*.md"], &[], "docs/a.md"));
        assert!(!takes(&["docs/*.md"], &[], "docs/deep/a.md"));
        assert!(takes(&["docs/**/*.md"], &[], "docs/deep/a.md"));
        assert!(!takes(&["/*.md"], &[], "docs/a.md"));
    }

    #[test]
    fn exclusion_wins_and_covers_folders() {
        assert!(!takes(&["*.md"], &["draft*"], "draft-1.md"));
        let patterns = Patterns::new(&[], &["node_modules/".to_owned()]).unwrap();
        assert!(!patterns.enters(Path::new("web/node_modules")));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Patterns::new(&["a[".to_owned()], &[]).unwrap_err().to_string();
        assert!(error.starts_with("include: 'a[' is not a pattern: "), "{error}");
    }
}
