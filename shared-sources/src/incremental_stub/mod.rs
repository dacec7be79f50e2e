//! `incremental_stub`: a container, and entities that are never changed but may become more. For tests of cursors.
//!
//! Each run yields the container, and the entities after the cursor. The cursor outlives a change of config, so a
//! greater `entity_count` adds, a smaller one removes nothing, and both change the container.
//! A full sync mends all of it.

use crate::connector::{Connector, Given, NoSettings};
use crate::testing::NoCredentials;
use crate::{ReadSummary, SourceDefinition, SourceError};

mod definition;
mod read;

/// The source `incremental_stub`.
pub(crate) struct IncrementalStub;

impl Connector for IncrementalStub {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = read::Config;
    type Credentials = NoCredentials;
    type Settings = NoSettings;
    type GatewaySettings = NoSettings;

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(&given.config, given.cursor, given.sink).await
    }
}
