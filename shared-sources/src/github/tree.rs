//! The walk over one commit's tree.
//!
//! One request lists everything, up to 100 000 entries. Where GitHub cuts the list, the folder is listed alone and
//! each folder in it is asked for in its turn, again with everything below it. So a huge repository costs some requests
//! more, and only one list after the other is in memory. Of a folder that is cut even so, what is listed is walked, and
//! the cut is told.

use super::api::Api;
use super::wire::{EntryKind, Sha, Tree, TreeEntry};
use crate::SourceError;

/// Bound of a walk. A few small trees that hold each other many times can stand for billions of files.
const MAX_ENTRIES: u64 = 1_000_000;

/// A walk in progress.
pub(super) struct Walk<'a> {
    api: &'a Api,
    /// From the outermost folder inwards.
    open: Vec<Listing>,
    /// To be listed before the walk goes on: its path with a slash at the end, and its tree.
    next: Option<(String, Sha)>,
    entries: u64,
}

/// The list of a folder, being worked off.
struct Listing {
    prefix: String,
    entries: std::vec::IntoIter<TreeEntry>,
    /// Whether what is below is in this list as well.
    is_recursive: bool,
    /// Whether GitHub left entries of the folder out.
    is_cut: bool,
}

/// A step of a walk.
#[derive(Debug)]
pub(super) enum Step {
    /// To something that is listed.
    Entry(Found),
    /// Out of a folder that has more entries than GitHub lists; its path, empty for the root.
    CutFolder(String),
}

/// Something in the repository.
#[derive(Debug)]
pub(super) struct Found {
    /// Path in the repository.
    pub(super) path: String,
    pub(super) kind: EntryKind,
    pub(super) sha: Sha,
    /// Of a file, bytes.
    pub(super) size: Option<u64>,
}

impl<'a> Walk<'a> {
    /// A walk over `tree`. Nothing is asked yet.
    pub(super) fn new(api: &'a Api, tree: Sha) -> Self {
        let next = (!tree.is_empty_tree()).then(|| (String::new(), tree));
        Self { api, open: Vec::new(), next, entries: 0 }
    }

    /// The next step; a folder comes before what is in it.
    ///
    /// # Errors
    /// [`SourceError`] if a list can't be had, or there are too many entries.
    pub(super) async fn next(&mut self) -> Result<Option<Step>, SourceError> {
        loop {
            if let Some((prefix, sha)) = self.next.take() {
                let listing = self.list(prefix, &sha).await?;
                self.open.push(listing);
            }
            let Some(listing) = self.open.last_mut() else { return Ok(None) };
            let Some(entry) = listing.entries.next() else {
                let over = self.open.pop().filter(|listing| listing.is_cut);
                match over {
                    Some(cut) => return Ok(Some(Step::CutFolder(cut.prefix.trim_end_matches('/').to_owned()))),
                    None => continue,
                }
            };
            let path = format!("{}{}", listing.prefix, entry.path);
            let kind = entry.kind();
            if kind == EntryKind::Folder && !listing.is_recursive {
                self.next = Some((format!("{path}/"), entry.sha.clone()));
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(SourceError::Failed(format!(
                    "the repository has more than {MAX_ENTRIES} files and folders"
                )));
            }
            return Ok(Some(Step::Entry(Found { path, kind, sha: entry.sha, size: entry.size })));
        }
    }

    async fn list(&self, prefix: String, sha: &Sha) -> Result<Listing, SourceError> {
        let everything = self.api.tree(sha, true).await?;
        if !everything.truncated {
            return Ok(Listing { prefix, entries: everything.tree.into_iter(), is_recursive: true, is_cut: false });
        }
        drop(everything);
        let Tree { tree, truncated } = self.api.tree(sha, false).await?;
        Ok(Listing { prefix, entries: tree.into_iter(), is_recursive: false, is_cut: truncated })
    }
}
