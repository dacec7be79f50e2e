//! When PostgreSQL has lost its history: it went back in time, by a restore or a failover, and what was deleted since
//! may be back. What follows from it is the same in every service (DEL-10): no search, no sync, no purge.

use std::fmt;

/// How it is known that PostgreSQL's history is lost, or why it isn't known that it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostHistory {
    /// This process saw a larger ledger before.
    Shrunk {
        /// Entries that it saw.
        seen: u64,
        /// Entries that PostgreSQL has.
        found: u64,
    },
    /// The ledger store has more entries than PostgreSQL, whose ledger is the beginning of the store's.
    Behind {
        /// Entries in the store.
        store: u64,
        /// Entries in PostgreSQL.
        database: u64,
    },
    /// PostgreSQL was started anew, or isn't the one that it was, or the ledger store must be read before anything
    /// starts: the two must be compared, and weren't yet.
    Unread,
}

impl LostHistory {
    /// A short stable name for metrics and logs.
    #[must_use]
    pub const fn case(self) -> &'static str {
        match self {
            Self::Shrunk { .. } => "shrunk",
            Self::Behind { .. } => "behind",
            Self::Unread => "unread",
        }
    }
}

impl fmt::Display for LostHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shrunk { seen, found } => {
                write!(f, "PostgreSQL has lost history: its ledger has {found} entries and had {seen}")
            }
            Self::Behind { store, database } => {
                write!(f, "PostgreSQL has lost history: its ledger has {database} entries and LEDGER_URL {store}")
            }
            Self::Unread => f.write_str("PostgreSQL's ledger and LEDGER_URL are still to be compared"),
        }
    }
}
