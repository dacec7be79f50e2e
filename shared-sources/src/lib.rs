//! The sources: one folder for each, with what it is (definition), what it accepts (check) and how it reads (read).
//!
//! [`Source`] names them all and dispatches; docs/add-a-source.md says how one is added. The gateway shows and checks,
//! the sync-worker reads. Reading takes a [`SourceAccess`], the operator's leave to reach folders and servers: it is
//! made of the sync-worker's settings, and `dev/check-dependencies.sh` refuses everybody else who names it.
//!
//! A source reads and nothing else: it never writes to a store, knows no sync id and can be dropped at any await. It
//! ends promptly with [`SourceError::Stopped`] once nobody takes its entities. What a source didn't see is taken for
//! gone, so a source says what it saw: [`Seen`]. A source that can read only what changed gets the cursor that it gave
//! at the end of an earlier run; a cursor is kept only if that job completed.

mod access;
mod catalogue;
#[cfg(test)]
mod conformance;
mod connector;
mod definition;
mod entity;
mod error;
mod left_out;
#[cfg(test)]
mod run;
mod seen;
mod sink;
mod skipped;
mod summary;
mod testing;
mod tools;

mod exception_stub;
mod files;
mod github;
mod incremental_stub;
mod postgresql;
mod s3;
mod stub;
mod timed;

// Every source: the type that knows it, and the folder that it is in.
catalogue::catalogue! {
    Files in files,
    Github in github,
    Postgresql in postgresql,
    S3 in s3,
    Timed in timed,
    Stub in stub,
    IncrementalStub in incremental_stub,
    ExceptionStub in exception_stub,
}

pub use access::SourceAccess;
pub use catalogue::UnknownSource;
pub use definition::{Field, FieldDefault, FieldKind, InvalidFields, SourceDefinition, ValidatedFields};
pub use entity::{Breadcrumb, RawFile, SourceEntity};
pub use error::SourceError;
pub use seen::{Seen, Unread};
pub use sink::{EntitySink, Offer, Offers};
pub use skipped::{Skipped, SkippedEntity};
pub use summary::ReadSummary;
pub use tools::cut::start_at_zero;
pub use tools::text::fields_bytes;
