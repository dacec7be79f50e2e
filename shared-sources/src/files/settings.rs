//! Which folders the operator opens.

use std::collections::BTreeMap;
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
            if name.is_empty() || name.chars().count() > 64 {
                return Err("a name must have 1 to 64 characters".to_owned());
            }
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
    fn a_root_that_does_not_exist_is_named() {
        let settings = FilesSettings { roots: "docs=/no/such/folder".parse().unwrap() };
        let refused = settings.validate().unwrap_err();
        assert!(refused.contains("FILES_ROOTS") && refused.contains("docs"), "{refused}");
    }
}
