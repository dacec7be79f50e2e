//! The times and limits that work on cleanups keeps to.

use std::time::Duration;

use shared_database::cleanups::PurgeSchedule;

use crate::heartbeat::ClaimTimes;

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
    /// How long something stays where no purge reaches it, as the operator says.
    pub out_of_reach_for: Vec<(String, Duration)>,
    /// Length of a slice.
    pub slice: Duration,
    /// How long a purge keeps its slot while other cleanups wait.
    pub yield_after: Duration,
    /// First delay after a failure.
    pub retry_base: Duration,
    /// Longest delay after failures.
    pub retry_longest: Duration,
}
