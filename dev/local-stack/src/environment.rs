//! The one place that reads the caller's environment as a whole: it is passed on to the services.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The variable that carries the ids of the runs that a process belongs to; services don't get it from here.
pub const RUN_VARIABLE: &str = "LOCAL_STACK_RUN";

/// The caller's variables.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// What this process was given. Variables that are not UTF-8 reach the services, but cannot be asked for.
    #[must_use]
    pub fn of_caller() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// The same with one more variable, or another value for it.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// All of them, for a child.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(name, _)| *name != RUN_VARIABLE).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A variable, unless it is absent or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The folders in which programs are looked for.
    #[must_use]
    pub fn search_path(&self) -> Vec<PathBuf> {
        std::env::split_paths(
            self.get("PATH").unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        )
        .collect()
    }

    /// The first program of this name on the search path.
    #[must_use]
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        self.search_path().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }
}
