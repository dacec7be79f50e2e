//! Which folders the operator opens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use shared_service::settings::Validate;

use crate::tools::entries::entries;

/// What the operator sets for `files`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct FilesSettings {
    /// Folders that the source `files` may read, as name=/folder,name2=/folder2
    #[arg(
        id = "files_roots",
        long,
        env = "FILES_ROOTS",
        value_name = "NAME=FOLDER,…",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) roots: FileRoots,
}

/// What the gateway is told of `files`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct FilesGatewaySettings {
    /// Names of the sync-workers' FILES_ROOTS, as name,name2, or none: a connection to another root is refused. Not
    /// checked if not given
    #[arg(id = "files_root_names", long, env = "FILES_ROOT_NAMES", value_name = "NAME,…")]
    pub(crate) root_names: Option<RootNames>,
}

impl FilesGatewaySettings {
    /// Why a connection to the root of this name can't work, if that is known.
    pub(super) fn refuse(&self, root: &str) -> Option<String> {
        let RootNames(names) = self.root_names.as_ref()?;
        if names.contains(root) {
            return None;
        }
        let known = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let there =
            if known.is_empty() { "the operator allows none".to_owned() } else { format!("there are: {known}") };
        Some(format!("Validation failed for files: there is no root '{root}'; {there}"))
    }
}

/// Names of allowed folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootNames(BTreeSet<String>);

impl FromStr for RootNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == NO_ROOTS {
            return Ok(Self(BTreeSet::new()));
        }
        let names: BTreeSet<String> = entries(text).map(str::to_owned).collect();
        if let Some(folder) = names.iter().find(|name| name.contains(['=', '/'])) {
            return Err(format!("'{folder}' is not a name: the gateway is told no folders"));
        }
        names.iter().try_for_each(|name| check_name(name))?;
        Ok(Self(names))
    }
}

/// What stands for no root at all.
const NO_ROOTS: &str = "none";

fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=64).contains(&name.chars().count());
    if fits { Ok(()) } else { Err("a name must have 1 to 64 characters".to_owned()) }
}

/// Allowed folders by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileRoots(BTreeMap<String, PathBuf>);

impl FileRoots {
    /// The folder of that name.
    pub(super) fn folder(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).cloned()
    }
}

impl FromStr for FileRoots {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roots = BTreeMap::new();
        for part in entries(text) {
            let (name, folder) = part.split_once('=').ok_or_else(|| format!("'{part}' is not name=/folder"))?;
            let folder = PathBuf::from(folder);
            check_name(name)?;
            if !folder.is_absolute() {
                return Err(format!("the folder of '{name}' is not an absolute path"));
            }
            if roots.insert(name.to_owned(), folder).is_some() {
                return Err(format!("'{name}' comes twice"));
            }
        }
        Ok(Self(roots))
    }
}

impl Validate for FilesSettings {
    fn validate(&self) -> Result<(), String> {
        let missing = self.roots.0.iter().find(|(_, folder)| !folder.is_dir());
        missing.map_or(Ok(()), |(name, folder)| {
            Err(format!("FILES_ROOTS: the folder of '{name}', {}, does not exist", folder.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_names_with_absolute_folders() {
        let roots: FileRoots = "docs=/srv/docs, code=/srv/code".parse().unwrap();
        assert_eq!(roots.0.get("code"), Some(&PathBuf::from("/srv/code")));
        assert_eq!("".parse(), Ok(FileRoots::default()));
        for wrong in ["docs", "=/srv", "docs=srv", "a=/x,a=/y"] {
            assert!(wrong.parse::<FileRoots>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_root_that_the_gateway_was_not_told_of_is_refused() {
        let refused = |names: Option<&str>, root: &str| {
            FilesGatewaySettings { root_names: names.map(|names| names.parse().unwrap()) }.refuse(root)
        };
        assert_eq!(refused(None, "docs"), None);
        assert_eq!(refused(Some("docs, code"), "code"), None);
        let told = "Validation failed for files: there is no root 'dosc'; there are: code, docs";
        assert_eq!(refused(Some("docs, code"), "dosc").as_deref(), Some(told));
        let told = "Validation failed for files: there is no root 'none'; the operator allows none";
        assert_eq!(refused(Some("none"), "none").as_deref(), Some(told));
        for folder in ["docs=/srv/docs", "/srv/docs"] {
            assert!(folder.parse::<RootNames>().unwrap_err().contains("no folders"), "{folder}");
        }
    }

    #[test]
    fn a_root_that_does_not_exist_is_named() {
        let settings = FilesSettings { roots: "docs=/no/such/folder".parse().unwrap() };
        let refused = settings.validate().unwrap_err();
        assert!(refused.contains("FILES_ROOTS") && refused.contains("docs"), "{refused}");
    }
}
