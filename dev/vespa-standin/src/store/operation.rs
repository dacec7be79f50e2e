//! What can be written, and how that can end.

use crate::document::{Fields, Prepared};
use crate::schema::DocType;
use crate::selection::Expr;

/// Something to write.
#[derive(Debug)]
pub enum Operation {
    /// Stores a document.
    Put {
        /// The full id.
        id: String,
        /// The document.
        document: Box<Prepared>,
        /// What the stored document must be.
        condition: Option<Condition>,
        /// Whether a missing document passes the condition.
        create: bool,
    },
    /// Changes fields of a document.
    Update {
        /// The full id.
        id: String,
        /// Its type, for the case that it is created.
        doc_type: DocType,
        /// The new values; null clears.
        fields: Fields,
        /// What the stored document must be.
        condition: Option<Condition>,
        /// Whether a missing document is created.
        create: bool,
    },
    /// Removes a document.
    Remove {
        /// The full id.
        id: String,
        /// What the stored document must be.
        condition: Option<Condition>,
    },
    /// Removes documents that a walk has found, unless they have been written since.
    RemoveSelected(Vec<(String, i64)>),
}

/// A condition on the stored document.
#[derive(Debug)]
pub struct Condition(pub Expr);

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk. `examined` is the bytes read for it, if a stored document was looked at.
    Done {
        /// Documents written or removed.
        changed: u64,
        /// Documents looked at.
        examined: u64,
        /// Bytes of them.
        bytes: u64,
    },
    /// The stored document didn't match, or isn't there.
    ConditionFailed,
}
