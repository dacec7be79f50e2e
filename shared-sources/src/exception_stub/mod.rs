//! `exception_stub`: a container, some entities, and a failure of a chosen kind. For tests of failing syncs.
//!
//! What fails and what it says is in [`config`]; here it becomes an error of the source.
//! `cancelled` fails the job as well: nobody has asked it to stop, so it must not look as if somebody had.

use crate::connector::{Connector, Given, NoSettings};
use crate::testing::NoCredentials;
use crate::{ReadSummary, SourceDefinition, SourceError};

mod config;
mod definition;
mod read;

/// The source `exception_stub`.
pub(crate) struct ExceptionStub;

impl Connector for ExceptionStub {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = config::Config;
    type Credentials = NoCredentials;
    type Settings = NoSettings;
    type GatewaySettings = NoSettings;

    fn refuse_config(config: &config::Config) -> Option<String> {
        config.rejection()
    }

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(&given.config, given.sink).await
    }
}
