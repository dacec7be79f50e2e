//! Which files to take.
//!
//! A pattern without `/` is matched with the name at any depth, one with `/` with the whole path. One that matches a
//! folder takes everything in it, as people who write `docs`, `docs/` or `./docs/**` mean it; but `docs/*` is what
//! stands directly there.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Patterns are compiled in time and memory that grow with them.
const MAX_PATTERN_BYTES: usize = 16 * 1024;

/// The patterns of a config, compiled.
#[derive(Debug)]
pub(crate) struct Patterns {
    include: Vec<Include>,
    /// Each of `include`, for what is in a folder.
    included_folders: GlobSet,
    /// Each of `include`, in its order.
    included: GlobSet,
    exclude: GlobSet,
}

/// What the config says is to be taken.
#[derive(Debug)]
struct Include {
    pattern: String,
    has_matched: AtomicBool,
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
        let anchored = compile("include", include, &mut left)?;
        let never = || "\0".to_owned();
        let folders = anchored.iter().map(|glob| if is_of_files(glob) { never() } else { glob.clone() });
        Ok(Self {
            included_folders: set("include", folders)?,
            included: set("include", anchored.iter().cloned())?,
            exclude: set("exclude", compile("exclude", exclude, &mut left)?.into_iter())?,
            include: named(include).map(|pattern| Include::new(pattern)).collect(),
        })
    }

    /// Whether to take the file `path`.
    pub(crate) fn takes(&self, path: &Path) -> bool {
        let is_included = self.include.is_empty() || self.includes(path);
        is_included && !self.exclude.is_match(path)
    }

    /// Whether to look into the folder `path`.
    pub(crate) fn enters(&self, path: &Path) -> bool {
        !self.exclude.is_match(path)
    }

    /// The patterns of `include` that no file has matched so far.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = &str> {
        let unmatched = self.include.iter().filter(|include| !include.has_matched.load(Ordering::Relaxed));
        unmatched.map(|include| include.pattern.as_str())
    }

    fn includes(&self, path: &Path) -> bool {
        let mut matching = self.included.matches(path);
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            matching.extend(self.included_folders.matches(folder));
        }
        for include in matching.iter().filter_map(|&index| self.include.get(index)) {
            include.has_matched.store(true, Ordering::Relaxed);
        }
        !matching.is_empty()
    }
}

impl Include {
    fn new(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), has_matched: AtomicBool::new(false) }
    }
}

/// Those that say something.
fn named(patterns: &[String]) -> impl Iterator<Item = &String> {
    patterns.iter().filter(|pattern| !pattern.trim().is_empty())
}

/// Whether the pattern is of what stands directly in a folder.
fn is_of_files(glob: &str) -> bool {
    glob.rsplit('/').next() == Some("*")
}

/// The patterns as globs of whole paths, each of them checked.
fn compile(field: &str, patterns: &[String], left: &mut usize) -> Result<Vec<String>, BadPatterns> {
    let compiled = named(patterns).map(|pattern| {
        *left = left.checked_sub(pattern.len()).ok_or_else(|| {
            BadPatterns(format!("{field}: Patterns can have at most {MAX_PATTERN_BYTES} bytes together"))
        })?;
        let anchored = anchored(pattern);
        glob(&anchored)
            .map_err(|error| BadPatterns(format!("{field}: '{pattern}' is not a pattern: {}", error.kind())))?;
        Ok(anchored)
    });
    compiled.collect()
}

/// The pattern as a glob of whole paths.
fn anchored(pattern: &str) -> String {
    let (mut rest, mut is_anchored) = (pattern.trim(), false);
    while let Some(below) = rest.strip_prefix("./").or_else(|| rest.strip_prefix('/')) {
        (rest, is_anchored) = (below, true);
    }
    match rest.trim_end_matches('/') {
        "" | "." => "**".to_owned(),
        plain if is_anchored || plain.contains('/') => plain.to_owned(),
        plain => format!("**/{plain}"),
    }
}

fn glob(anchored: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(anchored).literal_separator(true).build()
}

fn set(field: &str, globs: impl Iterator<Item = String>) -> Result<GlobSet, BadPatterns> {
    let unusable =
        |error: globset::Error| BadPatterns(format!("{field}: The patterns can't be used together: {}", error.kind()));
    let mut set = GlobSetBuilder::new();
    for anchored in globs {
        set.add(glob(&anchored).map_err(unusable)?);
    }
    set.build().map_err(unusable)
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
    fn a_pattern_of_a_folder_takes_everything_in_it() {
        for pattern in
            ["docs", "docs/", "./docs", "./docs/", "./docs/**", "docs/**", "/docs", "/docs/", " docs/ ", "do*"]
        {
            for path in ["docs/a.md", "docs/deep/er/b.md"] {
                assert!(takes(&[pattern], &[], path), "{pattern} {path}");
            }
            assert!(!takes(&[pattern], &[], "src/c.rs"), "{pattern}");
        }
        assert!(takes(&["docs"], &[], "web/docs/a.md") && !takes(&["./docs"], &[], "web/docs/a.md"));
        assert!(takes(&["docs/api/"], &[], "docs/api/v1/a.md") && !takes(&["docs/api/"], &[], "docs/a.md"));
        assert!(takes(&["docs/*"], &[], "docs/a.md") && !takes(&["docs/*"], &[], "docs/deep/b.md"));
        assert!(takes(&["docs/"], &["deep/"], "docs/a.md"));
        for all in ["/", ".", "./", "**", "*"] {
            assert!(takes(&[all], &[], "a/b.md"), "{all}");
        }
        assert!(takes(&["", " "], &["", " "], "a/b.md"), "nothing is said");
    }

    #[test]
    fn patterns_that_no_file_matches_are_told() {
        let include = ["docs/", "*.rs", "dosc/", ""].map(str::to_owned);
        let patterns = Patterns::new(&include, &[]).unwrap();
        assert!(patterns.takes(Path::new("docs/a.md")) && patterns.takes(Path::new("src/c.rs")));
        assert_eq!(patterns.unmatched().collect::<Vec<_>>(), ["dosc/"]);
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
