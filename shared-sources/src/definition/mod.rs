//! What a source says of itself: its names, the fields that it asks for, their defaults and bounds.

pub(crate) mod build;
mod fields;
mod unknown;
mod validate;
mod wire;

pub use fields::{Field, FieldDefault, FieldKind, SourceDefinition, ValidatedFields};
pub(crate) use unknown::Unknown;
pub use validate::InvalidFields;
pub(crate) use validate::validate;
