//! `s3`: the objects of a bucket, of Amazon S3, MinIO or whatever else speaks the API.
//!
//! A run lists the bucket page by page and gets what holds text; the list of a versioned bucket tells the newest
//! versions, and they are what is got. An object is got once for each change: beside each entity its *version* is kept
//! (tag and size, or time where a service lists no tags), and what is stored in the listed version already is kept
//! without a request ([`crate::EntitySink::keep_unchanged`]). So memory stays bounded by a page,
//! however large the bucket is.
//!
//! What can't be read is a gap and never taken for removed: archived objects, objects whose reading is refused (as to
//! others than the owner where the requester pays). A list that can't be had fails the run. Objects without text are
//! counted and left out, by content and not by name.
//!
//! Endpoints are the operator's list; so are the buckets that are read under the worker's own role. The buckets that
//! Unweave keeps its own data in are always refused, whoever asks with whatever key.
//!
//! Not guaranteed: that a run sees one state of the bucket. An object that is replaced after it was listed is a gap,
//! and the next run reads it.

use self::settings::S3Settings;
use crate::connector::{Connector, Given, NoSettings};
use crate::{ReadSummary, SourceDefinition, SourceError};

mod address;
mod check;
mod client;
mod definition;
mod listing;
mod object;
mod read;
mod refusal;
mod settings;
mod signer;
#[cfg(test)]
pub(crate) mod tests;

/// The source `s3`.
pub(crate) struct S3;

impl Connector for S3 {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = check::Config;
    type Credentials = check::Credentials;
    type Settings = S3Settings;
    type GatewaySettings = NoSettings;

    fn misfit(config: &check::Config) -> Option<String> {
        check::misfit(config)
    }

    fn refuse_credentials(credentials: &check::Credentials, _: &NoSettings) -> Option<String> {
        check::refuse_credentials(credentials)
    }

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(given).await
    }
}
