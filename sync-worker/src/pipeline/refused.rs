//! What stores refuse of a job's entities: all of it counted, the first ones by name.

use parking_lot::Mutex;

use crate::sources::Skipped;

/// What was refused so far.
#[derive(Debug, Default)]
pub struct Refused(Mutex<Skipped>);

impl Refused {
    /// One more, and why.
    pub fn add(&self, entity_id: &str, why: Option<&str>) {
        self.0.lock().add(entity_id, why.unwrap_or("a store refuses it"));
    }

    /// All of it.
    #[must_use]
    pub fn all(&self) -> Skipped {
        self.0.lock().clone()
    }
}
