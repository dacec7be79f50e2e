//! `timed`: a container and a number of entities, spread evenly over a duration. For tests and benches.
//!
//! Everything follows from the config, so a second run yields the same content. Entities keep to the schedule counted
//! from the start: one that is late, because the pipeline was full, doesn't delay those after it.

use serde_json::Value;

use crate::connector::{Connector, NoSettings};
use crate::testing::NoCredentials;
use crate::{EntitySink, ReadSummary, SourceAccess, SourceDefinition, SourceError};

mod definition;
mod read;

/// The source `timed`.
pub(crate) struct Timed;

impl Connector for Timed {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = read::Config;
    type Credentials = NoCredentials;
    type Settings = NoSettings;

    async fn read(
        config: read::Config,
        _credentials: NoCredentials,
        _access: &SourceAccess,
        _cursor: Option<&Value>,
        sink: &EntitySink,
    ) -> Result<ReadSummary, SourceError> {
        read::read(&config, sink).await
    }
}
