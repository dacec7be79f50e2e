//! `timed`: a container and a number of entities, spread evenly over a duration. For tests and benches.
//!
//! Everything follows from the config, so a second run yields the same content. Entities keep to the schedule counted
//! from the start: one that is late, because the pipeline was full, doesn't delay those after it.

use crate::connector::{Connector, Given, NoSettings};
use crate::testing::NoCredentials;
use crate::{ReadSummary, SourceDefinition, SourceError};

mod definition;
mod read;

/// The source `timed`.
pub(crate) struct Timed;

impl Connector for Timed {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = read::Config;
    type Credentials = NoCredentials;
    type Settings = NoSettings;
    type GatewaySettings = NoSettings;

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(&given.config, given.sink).await
    }
}
