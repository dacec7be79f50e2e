//! What the work on cleanups has in common: the times and limits that it keeps to, and what a claim may end in.
//!
//! Whatever is stored is stored under the claim; a claim that is lost ends the work at once and leaves the row to its
//! new holder (DEL-6, DEL-7). Dying at any point repeats at most one slice. A panic is a failure of the cleanup that
//! was worked on, and of no other (DEL-5).

use std::sync::Arc;

use shared_database::Database;
use shared_models::ledger::LedgerSigner;
use shared_service::{Bell, Tasks};

use crate::pace::Pace;
use crate::policy::Policy;
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

/// What all work of a process shares.
pub struct Worker {
    /// PostgreSQL.
    pub database: Database,
    /// The stores.
    pub stores: Stores,
    /// Signs receipts and the ledger's checkpoints.
    pub signer: Arc<LedgerSigner>,
    /// Times and limits.
    pub policy: Policy,
    /// Rung when there is a receipt for the ledger.
    pub to_ledger: Bell,
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
