//! `stub`: a container and entities of six kinds, chosen and filled by a seed. For tests.
//!
//! The container counts as one of `entity_count`. Everything follows from the config, so a second run yields the same
//! content. With `fail_after` the source fails by itself once it has yielded that many entities, but at least one.

use serde_json::Value;

use crate::connector::{Connector, NoSettings};
use crate::testing::NoCredentials;
use crate::{EntitySink, ReadSummary, SourceAccess, SourceDefinition, SourceError};

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

    async fn read(
        config: config::Config,
        _credentials: NoCredentials,
        access: &SourceAccess,
        _cursor: Option<&Value>,
        sink: &EntitySink,
    ) -> Result<ReadSummary, SourceError> {
        read::read(&config, access, sink).await
    }
}
