//! What the deletion protocol promises, DEL-1 to DEL-11: each with its sentence, its id, its name and its predicate.
//!
//! A predicate judges plain facts ([`facts`]), whoever gathered them: the test of one step, the checker of a whole
//! system, a running service. Nothing here looks at anything itself.

use crate::text_enum::text_enum;

pub mod facts;

#[cfg(test)]
mod tests;

text_enum! {
    /// A property of the deletion protocol that holds always.
    Invariant, "invariant", {
        /// When a connection's rows are gone, one cleanup and its message exist; until then, neither does.
        Atomic = "DEL-1",
        /// After the commit nothing is written for the sync that isn't removed again.
        Fenced = "DEL-2",
        /// A search that starts after the request returns nothing of the connection.
        Invisible = "DEL-3",
        /// A purge removes only what carries the deleted sync's id, and a live sync is never purged.
        Exact = "DEL-4",
        /// Every accepted deletion and every cleanup ends, whatever is lost or killed.
        Complete = "DEL-5",
        /// Every step, run twice or by two at once, has the effect of one.
        Idempotent = "DEL-6",
        /// Done means that every target was verified empty, after the settle delay, under the claim.
        Honest = "DEL-7",
        /// DELETE answers within the cancel wait, plus the time that its cascade takes.
        Bounded = "DEL-8",
        /// No request sees, cancels or deletes anything of another organization.
        Isolated = "DEL-9",
        /// No deletion that was published is undone by a loss of PostgreSQL's history when anybody searches or syncs.
        Remembered = "DEL-10",
        /// A receipt that was published can't be altered or taken out of the log without contradicting a checkpoint.
        Evident = "DEL-11",
    }
}

impl Invariant {
    /// The one word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Atomic => "Atomic",
            Self::Fenced => "Fenced",
            Self::Invisible => "Invisible",
            Self::Exact => "Exact",
            Self::Complete => "Complete",
            Self::Idempotent => "Idempotent",
            Self::Honest => "Honest",
            Self::Bounded => "Bounded",
            Self::Isolated => "Isolated",
            Self::Remembered => "Remembered",
            Self::Evident => "Evident",
        }
    }
}

/// An invariant that doesn't hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} {} is broken: {broken}", invariant.name())]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What is broken, in words: numbers and states, no ids, names or content.
    pub broken: String,
}

/// Facts that one invariant judges.
pub trait Facts {
    /// The invariant.
    const INVARIANT: Invariant;

    /// What is broken, in words without ids, names or content; `None` if the invariant holds.
    fn broken(&self) -> Option<String>;

    /// Whether the invariant holds.
    ///
    /// # Errors
    /// It doesn't, and why.
    fn check(&self) -> Result<(), Violation> {
        match self.broken() {
            None => Ok(()),
            Some(broken) => Err(Violation { invariant: Self::INVARIANT, broken }),
        }
    }
}
