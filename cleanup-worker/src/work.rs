//! What the work on cleanups has in common: the times and limits that it keeps to, and what a claim may end in.
//!
//! Whatever is stored is stored under the claim; a claim that is lost ends the work at once and leaves the row to its
//! new holder (DEL-6, DEL-7). Dying at any point repeats at most one slice. A panic is a failure of the cleanup that
//! was worked on, and of no other (DEL-5).

use std::time::Duration;

use shared_database::Database;
use shared_database::cleanups::PurgeSchedule;
use shared_models::receipt::ReceiptSigner;
use shared_service::Tasks;

use crate::heartbeat::ClaimTimes;
use crate::pace::Pace;
use crate::targets::Stores;

mod caught;
mod error;
mod held;
mod purge;

pub(crate) use caught::caught;
pub use error::AttemptError;
pub(crate) use error::TargetFailure;
pub(crate) use held::Held;
pub use purge::Purge;

/// The times and limits that work keeps to.
#[derive(Debug, Clone)]
pub struct Policy {
    /// When and how fast purges may run.
    pub schedule: PurgeSchedule,
    /// How long verifications wait for others to be made with them.
    pub collecting: Duration,
    /// When to verify once more if a writer ended by its lease.
    pub late_write_check: Duration,
    /// Time of the claims.
    pub claim: ClaimTimes,
    /// Length of a slice.
    pub slice: Duration,
    /// How long a purge keeps its slot while other cleanups wait.
    pub yield_after: Duration,
    /// First delay after a failure.
    pub retry_base: Duration,
    /// Longest delay after failures.
    pub retry_longest: Duration,
}

/// What all work of a process shares.
pub struct Worker {
    /// PostgreSQL.
    pub database: Database,
    /// The stores.
    pub stores: Stores,
    /// Signs receipts.
    pub signer: ReceiptSigner,
    /// Times and limits.
    pub policy: Policy,
    /// Where heartbeats run; its token stops the work at the end of a slice.
    pub tasks: Tasks,
}

impl Worker {
    /// The limit that a purge keeps to; one that hurries keeps to none.
    fn pace(&self, hurries: bool) -> Pace {
        match self.policy.schedule.documents_per_second {
            Some(per_second) if !hurries => Pace::Shared { database: self.database.clone(), per_second },
            Some(_) | None => Pace::Unlimited,
        }
    }
}
