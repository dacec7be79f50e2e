//! Runs a source by its name, for tests.

use serde_json::{Map, Value};
use tokio::sync::mpsc::Receiver;

use crate::{EntitySink, ReadSummary, Source, SourceAccess, SourceEntity, SourceError};

pub(crate) async fn run(
    short_name: &str,
    config: &Map<String, Value>,
    credentials: &Map<String, Value>,
    access: &SourceAccess,
    cursor: Option<&Value>,
    sink: EntitySink,
) -> Result<ReadSummary, SourceError> {
    let source: Source = short_name.parse().unwrap();
    source.read(config, credentials, access, cursor, sink).await
}

pub(crate) async fn collected(mut entities: Receiver<SourceEntity>) -> Vec<SourceEntity> {
    let mut all = Vec::new();
    while let Some(entity) = entities.recv().await {
        all.push(entity);
    }
    all
}
