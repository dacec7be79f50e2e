//! `stub`: a container and entities of six kinds, chosen and filled by a seed. For tests.
//!
//! The container counts as one of `entity_count`. Everything follows from the config, so a second run yields the same
//! content. With `fail_after` the source fails by itself once it has yielded that many entities, but at least one.

use crate::connector::{Connector, Given, NoSettings};
use crate::testing::NoCredentials;
use crate::{ReadSummary, SourceDefinition, SourceError};

mod config;
mod definition;
mod kind;
mod read;

/// The source `stub`.
pub(crate) struct Stub;

impl Connector for Stub {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = config::Config;
    type Credentials = NoCredentials;
    type Settings = NoSettings;
    type GatewaySettings = NoSettings;

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(&given.config, given.access, given.sink).await
    }
}
