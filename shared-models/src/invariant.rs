//! The invariants of a deletion, by the ids that docs, tests and metrics use.

use crate::text_enum::text_enum;

text_enum! {
    /// What holds always; see docs/reliability.md.
    Invariant, "invariant", {
        /// Rows gone ⇒ one cleanup and its message exist.
        Atomic = "DEL-1",
        /// Nothing is written for a sync after its rows are gone, but for writes already under way.
        Fenced = "DEL-2",
        /// A search that starts after D1 committed returns nothing of the connection.
        Invisible = "DEL-3",
        /// A purge removes only what carries the deleted sync's id.
        Exact = "DEL-4",
        /// Every cleanup and every accepted deletion ends.
        Complete = "DEL-5",
        /// Every step, run twice or by two at once, has the effect of one.
        Idempotent = "DEL-6",
        /// `done` means verified empty by the holder of the claim.
        Honest = "DEL-7",
        /// DELETE answers within the cancel wait, plus the cascade.
        Bounded = "DEL-8",
        /// Another organization's requests see and touch nothing.
        Isolated = "DEL-9",
    }
}
