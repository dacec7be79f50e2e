//! What the deletion protocol promises, DEL-1 to DEL-9: each with its id, its name, its sentence and its predicate.
//!
//! A predicate judges plain facts ([`facts`]), whoever gathered them: the test of one step, the checker of a whole system,
//! a running service. Nothing here looks at anything itself.

use crate::text_enum::text_enum;

pub mod facts;

#[cfg(test)]
mod tests;

text_enum! {
    /// A property of the deletion protocol that holds always.
    Invariant, "invariant", {
        /// Rows and cleanup commit together.
        Atomic = "DEL-1",
        /// Nothing is written after the commit.
        Fenced = "DEL-2",
        /// Nothing is found after the request.
        Invisible = "DEL-3",
        /// Nothing else is removed.
        Exact = "DEL-4",
        /// Everything that was accepted ends.
        Complete = "DEL-5",
        /// Twice has the effect of once.
        Idempotent = "DEL-6",
        /// Done is proven.
        Honest = "DEL-7",
        /// DELETE answers in time.
        Bounded = "DEL-8",
        /// Each organization is alone.
        Isolated = "DEL-9",
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
        }
    }

    /// What holds always.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::Atomic => {
                "When a connection's rows are gone, one cleanup and its message exist; until then, neither does."
            }
            Self::Fenced => "After the commit nothing is written for the sync that isn't removed again.",
            Self::Invisible => "A search that starts after the request returns nothing of the connection.",
            Self::Exact => "A purge removes only what carries the deleted sync's id, and a live sync is never purged.",
            Self::Complete => "Every accepted deletion and every cleanup ends, whatever is lost or killed.",
            Self::Idempotent => "Every step, run twice or by two at once, has the effect of one.",
            Self::Honest => "Done means that every target was verified empty, after the settle delay, under the claim.",
            Self::Bounded => "DELETE answers within the cancel wait, plus the time that its cascade takes.",
            Self::Isolated => "No request sees, cancels or deletes anything of another organization.",
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
