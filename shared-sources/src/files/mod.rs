//! `files`: the regular files below a folder that the operator allowed.
//!
//! Nothing outside the root is ever read: every open goes through a handle of the root and follows no symbolic link
//! (see [`beneath`]), so a link that is put there in the middle of a run yields no content either. Files are read on
//! blocking threads, a few at a time; dropping the future ends the walk after the chunk in progress.
//!
//! Binary files hold nothing to search in: they are counted and left out, by content and not by name.
//!
//! A file or folder that can't be read is counted, and what is known of it stays until it can: only what the folder
//! doesn't list any more is gone. If the root itself can't be read the run fails.
//!
//! Memory is bounded, for all jobs together (see [`crate::tools::memory`]): of a file's text the first MiB is searched
//! (`truncated` says so), larger files than the blob limit are read no further than that, and a folder of more than a
//! million names counts as unreadable.
//!
//! Not guaranteed: that a run sees one state of the folder. A file that changes while it is read yields a mixture, and
//! the next run mends it, for its time of change was looked at before its content. A network file system that hangs
//! holds a thread until it answers.

use self::settings::{FilesGatewaySettings, FilesSettings};
use crate::connector::{Connector, Given};
use crate::{ReadSummary, SourceDefinition, SourceError};

mod beneath;
mod check;
mod definition;
mod entity;
mod read;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod walk;

/// The source `files`.
pub(crate) struct Files;

impl Connector for Files {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = check::Config;
    type Credentials = check::Credentials;
    type Settings = FilesSettings;
    type GatewaySettings = FilesGatewaySettings;

    fn misfit(config: &check::Config) -> Option<String> {
        check::misfit(config)
    }

    fn refuse_credentials(credentials: &check::Credentials, settings: &FilesGatewaySettings) -> Option<String> {
        settings.refuse(&credentials.root)
    }

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(given).await
    }
}
