//! Each predicate holds where it should, and can be broken in each way that it knows.

use std::collections::BTreeSet;
use std::time::Duration;

use super::facts::{
    Atomic, Bounded, Complete, Evident, Exact, Fenced, Honest, Idempotent, Invisible, Isolated, Progress, Remembered,
    Work,
};
use super::{Facts, Invariant, Violation};
use crate::cleanup::PurgeTarget;
use crate::ids::{OrganizationId, SyncId};

#[track_caller]
fn holds(facts: impl Facts) {
    assert_eq!(facts.check(), Ok(()));
}

/// Broken, and the words name `part`.
#[track_caller]
fn is_broken<F: Facts>(facts: F, part: &str) {
    let Err(Violation { invariant, broken }) = facts.check() else { panic!("{} holds", F::INVARIANT) };
    assert_eq!(invariant, F::INVARIANT);
    assert!(broken.contains(part), "{broken:?} doesn't say {part:?}");
}

#[test]
fn the_ids_count_up_and_every_invariant_has_a_name() {
    for (number, invariant) in (1..).zip(Invariant::ALL) {
        assert_eq!(invariant.as_str(), format!("DEL-{number}"));
        assert!(!invariant.name().is_empty());
    }
    let violation = Violation { invariant: Invariant::Bounded, broken: "late".to_owned() };
    assert_eq!(violation.to_string(), "DEL-8 Bounded is broken: late");
}

#[test]
fn del_1_rows_are_there_alone_or_gone_with_a_cleanup_and_its_messages() {
    let alive = Atomic { rows: 5, cleanups: 0, requests: 0, events: 0 };
    let gone = Atomic { rows: 0, cleanups: 1, requests: 1, events: 1 };
    holds(alive);
    holds(gone);
    holds(Atomic { requests: 2, ..gone });
    is_broken(Atomic { cleanups: 1, ..alive }, "5 rows, 1 cleanups");
    is_broken(Atomic { events: 1, ..alive }, "1 events");
    is_broken(Atomic { rows: 2, ..gone }, "2 rows");
    is_broken(Atomic { cleanups: 0, ..gone }, "0 cleanups");
    is_broken(Atomic { cleanups: 2, ..gone }, "2 cleanups");
    is_broken(Atomic { requests: 0, ..gone }, "0 messages");
    is_broken(Atomic { events: 2, ..gone }, "2 events");
}

#[test]
fn del_2_nobody_writes_after_the_commit_and_nothing_is_left_at_the_end() {
    let alive = Fenced { is_committed: false, is_done: false, active_jobs: 1, held: 9 };
    let committed = Fenced { is_committed: true, active_jobs: 0, ..alive };
    holds(alive);
    holds(committed);
    holds(Fenced { is_done: true, held: 0, ..committed });
    is_broken(Fenced { active_jobs: 1, ..committed }, "1 jobs");
    is_broken(Fenced { is_done: true, ..committed }, "hold 9");
}

#[test]
fn del_3_a_hit_must_be_of_a_live_sync() {
    let (live, dead) = (SyncId::random(), SyncId::random());
    let all = BTreeSet::from([live]);
    holds(Invisible { live: &all, hits: &[] });
    holds(Invisible { live: &all, hits: &[live, live] });
    is_broken(Invisible { live: &all, hits: &[live, dead] }, "1 of 2 hits");
}

#[test]
fn del_4_a_live_sync_is_neither_purged_nor_poorer() {
    let spared = Exact { is_live: true, is_purged: false, missing: 0 };
    holds(spared);
    holds(Exact { is_live: false, is_purged: true, missing: 7 });
    is_broken(Exact { is_purged: true, ..spared }, "a live sync");
    is_broken(Exact { missing: 7, ..spared }, "lacks 7");
}

#[test]
fn del_5_what_was_accepted_ends_in_time() {
    let bound = Duration::from_secs(30);
    let of = |work, progress| Complete { work, progress };
    holds(of(Work::Cleanup, Progress::Ended));
    holds(of(Work::Deletion, Progress::UnderWay { age: bound, bound }));
    let late = Progress::UnderWay { age: Duration::from_secs(31), bound };
    is_broken(of(Work::Deletion, late), "deletion hasn't ended after 31s; its bound is 30s");
    is_broken(of(Work::Cleanup, late), "a cleanup hasn't ended");
    is_broken(of(Work::Cleanup, Progress::Stuck), "no nearer");
}

#[test]
fn del_6_every_effect_happens_once() {
    let once = Idempotent { owners: 1, cleanups: 1, receipts: 1, ends: 1 };
    holds(once);
    holds(Idempotent { owners: 0, cleanups: 0, receipts: 0, ends: 0 });
    // Reopened and done again.
    holds(Idempotent { receipts: 2, ends: 2, ..once });
    is_broken(Idempotent { owners: 2, ..once }, "2 requests");
    is_broken(Idempotent { cleanups: 2, ..once }, "2 cleanups");
    is_broken(Idempotent { receipts: 2, ..once }, "2 receipts and 1 events");
    is_broken(Idempotent { ends: 2, ..once }, "1 receipts and 2 events");
}

#[test]
fn del_7_done_needs_every_target_and_the_settle_delay() {
    let all = PurgeTarget::ALL;
    holds(Honest { required: all, verified: all, is_settled: true });
    is_broken(Honest { required: all, verified: &[PurgeTarget::Vespa], is_settled: true }, "verification of arf");
    is_broken(Honest { required: all, verified: &[], is_settled: true }, "vespa, arf");
    is_broken(Honest { required: all, verified: all, is_settled: false }, "settle delay");
}

#[test]
fn del_8_an_answer_keeps_to_its_bound() {
    let bound = Duration::from_secs(15);
    holds(Bounded { waited: bound, bound });
    is_broken(Bounded { waited: bound + Duration::from_secs(1), bound }, "took 16.0s; its bound is 15.0s");
}

#[test]
fn del_9_a_stranger_is_not_served() {
    let (caller, owner) = (OrganizationId::random(), OrganizationId::random());
    holds(Isolated { caller, owner, is_served: false });
    holds(Isolated { caller, owner: caller, is_served: true });
    is_broken(Isolated { caller, owner, is_served: true }, "another organization");
}

#[test]
fn del_10_a_published_deletion_is_undone_only_while_nothing_is_served() {
    let kept = Remembered { published: 3, undone: 0, is_served: true };
    holds(kept);
    holds(Remembered { undone: 1, is_served: false, ..kept });
    is_broken(Remembered { undone: 1, ..kept }, "1 of 3");
}

#[test]
fn del_11_published_receipts_are_in_a_log_that_leads_to_its_checkpoint() {
    let evident = Evident { is_whole: true, receipts: 2, proven: 2 };
    holds(evident);
    is_broken(Evident { proven: 1, ..evident }, "1 of 2");
    is_broken(Evident { is_whole: false, ..evident }, "signed checkpoint");
}
