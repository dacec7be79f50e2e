//! A system held to the invariants: what a test asks of one sync, and at the end everything. The services have ended by
//! then, so what they left stays as it is.

use std::time::Duration;

use shared_models::Facts as _;
use shared_models::invariant::facts::Fenced;
use test_support::Leftover;

use super::System;
use crate::checker::Checker;

/// The default, and that of [`super::fast_times`].
const CANCEL_WAIT: Duration = Duration::from_secs(15);
const FAST_CANCEL_WAIT: Duration = Duration::from_secs(7);
/// What a DELETE may take beyond that: PostgreSQL and a busy machine take their time.
const MARGIN: Duration = Duration::from_secs(3);

/// What becomes of a system's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Every invariant must hold, and nothing may be left that the test doesn't leave.
    Judged,
    /// Nobody looks.
    Unseen,
}

impl System {
    /// Its cleanup is done, nobody may write for it, and the stores hold nothing of it (DEL-2).
    pub async fn assert_gone(&self, sync: &str) {
        let held = self.holdings(sync).await;
        let count = async |from: &str| self.count(&format!("{from} WHERE sync_id = '{sync}'")).await;
        let (cleanups, jobs) = (count("cleanup").await, count("sync_job").await);
        let is_done = self.count(&format!("cleanup WHERE sync_id = '{sync}' AND state = 'done'")).await == 1;
        assert!(is_done, "the cleanup of {sync} isn't done");
        let (active_jobs, held) = (u64::try_from(jobs).unwrap(), held.documents + held.blobs);
        Fenced { is_committed: cleanups == 1, is_done, active_jobs, held }.check().unwrap();
    }

    /// Holds the invariants to what is there now.
    #[must_use]
    pub fn checker(&self) -> Checker {
        let cancel_wait = if self.settings.contains_key("CANCEL_WAIT") { FAST_CANCEL_WAIT } else { CANCEL_WAIT };
        Checker {
            database_url: self.database.url.clone(),
            vespa_url: self.vespa.url.clone(),
            arf: self.arf(),
            ledger: self.ledger(),
            rest: self.rest.clone(),
            deletes: self.deletes.clone(),
            delete_bound: cancel_wait + MARGIN,
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        match self.end {
            End::Judged if !std::thread::panicking() => {}
            End::Judged | End::Unseen => return,
        }
        let (rest, checker) = (self.rest.clone(), self.checker());
        let found = test_support::on_own_runtime(async move {
            // What a killed service had not acknowledged is back in its queue: that is no work of the test's.
            let kinds = Leftover::ALL.into_iter().filter(|kind| *kind != Leftover::Messages);
            let left = rest.left_of(&kinds.collect::<Vec<_>>()).await;
            let left = left.into_iter().map(|left| format!("the test leaves {left} (`may_leave` says what it may)"));
            let violations = checker.violations().await;
            violations.iter().map(ToString::to_string).chain(left).collect::<Vec<_>>()
        });
        let found = found.unwrap_or_else(|_| vec!["its end can't be looked at".to_owned()]);
        assert!(found.is_empty(), "the system isn't as it should be:\n{}", found.join("\n"));
    }
}
