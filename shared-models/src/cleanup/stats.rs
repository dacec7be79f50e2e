//! How many cleanups there are and how late the latest is: plain numbers, read by one crate and shown by another.

use std::collections::BTreeMap;

use super::{CleanupState, Standing};

/// How many cleanups there are, and how late the latest is.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanupStats {
    /// Cleanups by state; a state without any is 0.
    pub by_state: BTreeMap<CleanupState, u64>,
    /// Cleanups by how they stand; 0 where there is none.
    pub by_standing: BTreeMap<Standing, u64>,
    /// Seconds since the oldest open cleanup was opened: by its deletion, or again later; 0 if none is open.
    pub oldest_open_age_seconds: f64,
    /// Seconds since attempts began to fail, of the cleanup that has been failing the longest; 0 if none is failing.
    pub oldest_failing_age_seconds: f64,
    /// Open cleanups that are older than the deadline.
    pub overdue: u64,
}

impl Default for CleanupStats {
    /// Of no cleanups.
    fn default() -> Self {
        Self {
            by_state: CleanupState::ALL.iter().map(|state| (*state, 0)).collect(),
            by_standing: Standing::ALL.iter().map(|standing| (*standing, 0)).collect(),
            oldest_open_age_seconds: 0.0,
            oldest_failing_age_seconds: 0.0,
            overdue: 0,
        }
    }
}
