//! `github`: one branch of a repository of GitHub or GitHub Enterprise Server, by its REST API: the repository, its
//! folders and its text files.
//!
//! A run reads one state: branch → commit at the start, then that commit's tree, then each file by the name of its
//! content. Neither a push nor a rename in the middle of a run changes what it reads.
//!
//! **Requests.** Repository, branch and tree are one each, then one per text file; what is binary by its name, empty or
//! too large costs none. An archive of the whole would be one request, but it leaves out and rewrites what
//! `.gitattributes` says (`export-ignore`, `export-subst`), and comes from another host. With 5 000 requests an hour a
//! repository of more files is read in several hours: the run waits for the reset as often as it must, as long as no
//! single wait without an answer is longer than the operator allows ([`GithubSettings`]).
//!
//! **Nothing is taken for removed by mistake.** A file that the tree names and that isn't there is a gap, if the
//! repository can still be read, and so is what GitHub leaves out of the list of a single folder; a folder that can't
//! be listed ends the run with an error. Binary files, files of more than 10 MiB, Git LFS pointers and paths of more
//! than 4 095 bytes are skipped and counted; symbolic links are never followed, and submodules belong to another
//! repository: neither counts.
//!
//! Not guaranteed: times of files; asking for each one's last commit would double the requests.

use crate::connector::{Connector, Given, NoSettings};
use crate::{ReadSummary, SourceDefinition, SourceError};

mod api;
mod check;
mod client;
mod content;
mod definition;
mod entity;
mod name;
mod pace;
mod page;
mod read;
mod refusal;
mod settings;
mod shown;
#[cfg(test)]
pub(crate) mod tests;
mod tree;
mod wire;

pub(crate) use settings::GithubSettings;

/// The source `github`.
pub(crate) struct Github;

impl Connector for Github {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = check::Config;
    type Credentials = check::Credentials;
    type Settings = GithubSettings;
    type GatewaySettings = NoSettings;

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(given).await
    }
}
