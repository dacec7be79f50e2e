//! The sources as this service uses them. What they are and do is in `shared-sources`.

pub use shared_sources::SourceAccess;
pub(crate) use shared_sources::{
    EntitySink, RawFile, ReadSummary, Seen, Skipped, SkippedEntity, Source, SourceEntity, SourceError, fields_bytes,
};
