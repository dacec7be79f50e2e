//! What a source says at its end.

use serde_json::Value;

use crate::{Seen, Skipped};

/// What a source says at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSummary {
    /// Unreadable or unusable items, counted as failed entities.
    pub skipped: Skipped,
    /// What it saw; decides what is taken for gone.
    pub seen: Seen,
    /// What its owner should know although the run went well, each in a sentence. Goes where `skipped` goes.
    pub warnings: Vec<String>,
    /// From where the next run may go on; `None` leaves the stored cursor as it is. Shown to clients: no secrets.
    pub cursor: Option<Value>,
}

impl ReadSummary {
    /// Of a source that saw everything that it has, so that what it didn't yield is gone; it has no cursor.
    pub(crate) const fn everything() -> Self {
        Self { skipped: Skipped::NOTHING, seen: Seen::Everything, warnings: Vec::new(), cursor: None }
    }
}
