//! The ends of claims: what a holder may still do once its claim is over. Nothing (DEL-6, DEL-7).

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use shared_database::cleanups::{Claim, ClaimError, ClaimedCleanup, Finished, PurgeSchedule};
use shared_models::{CleanupId, CleanupWork, PurgeTarget, SyncId, TargetProgress, TargetsProgress, VerifiedEmpty};

use crate::support::{Rows, policy, signer};

const TTL: Duration = Duration::from_secs(60);

async fn claim(rows: &Rows) -> ClaimedCleanup {
    rows.database.claim_look(TTL, PurgeTarget::ALL).await.unwrap().expect("a due row")
}

/// What a holder that verified both targets would store.
fn finished(cleanup: &ClaimedCleanup) -> Finished {
    let now = DateTime::<Utc>::from_timestamp(1_790_000_000, 0).unwrap();
    let known = |target: &PurgeTarget| TargetProgress {
        rounds: 1,
        verified_empty_at: Some(now),
        verified_by: Some(target.verification()),
        verifications: vec![VerifiedEmpty { at: now, by: target.verification() }],
        ..TargetProgress::default()
    };
    let progress: TargetsProgress = PurgeTarget::ALL.iter().map(|target| (*target, known(target))).collect();
    let policy = policy();
    let issued = cleanup_worker::receipt::issue(cleanup, &progress, None, now, &policy, &signer()).unwrap();
    let (receipt_id, receipt) = issued.unwrap();
    Finished {
        organization_id: cleanup.organization_id,
        request_id: cleanup.request_id,
        progress,
        verified: PurgeTarget::ALL.to_vec(),
        receipt_id,
        receipt,
        check_again_at: None,
    }
}

async fn settling(rows: &Rows, sync: SyncId) -> (CleanupId, ClaimedCleanup) {
    let id = rows.cleanup_of(sync).await;
    rows.set(id, "state = 'settling'").await;
    (id, claim(rows).await)
}

#[track_caller]
fn assert_lost(outcome: Result<(), ClaimError>) {
    assert!(matches!(outcome, Err(ClaimError::Lost(_))), "{outcome:?}");
}

async fn assert_powerless(rows: &Rows, held: &ClaimedCleanup) {
    let (claim, none): (Claim, TargetsProgress) = (held.claim, BTreeMap::new());
    let (database, soon) = (&rows.database, Duration::ZERO);
    let before = rows.column(claim.cleanup_id, "cleanup").await;
    for work in CleanupWork::ALL {
        assert_lost(database.hand_over(claim, &none, *work, true).await);
    }
    assert_lost(database.save_progress(claim, &none).await);
    assert_lost(database.save_headway(claim, &none).await);
    assert_lost(database.settle(claim, &none, soon).await);
    assert_lost(database.release_claim(claim, &none).await);
    assert_lost(database.fail_attempt(claim, &none, 1, "code", "text", soon).await);
    assert_lost(database.refuse(claim, &none).await);
    assert_lost(database.finish(claim, &finished(held)).await);
    assert_lost(database.cleanup_guard(claim, PurgeTarget::ALL, &PurgeSchedule::default()).await.map(drop));
    assert_eq!(database.renew_claims(&[claim], TTL).await.unwrap(), 0);
    database.release_claims(&[claim]).await.unwrap();
    assert_eq!(rows.column(claim.cleanup_id, "cleanup").await, before, "nothing has changed");
}

#[tokio::test]
async fn del_7_a_claim_that_was_taken_over_can_do_nothing() {
    let rows = Rows::new().await;
    let (id, stale) = settling(&rows, SyncId::random()).await;
    rows.set(id, "claim_expires_at = clock_timestamp() - interval '1 second'").await;
    let fresh = claim(&rows).await;
    assert_powerless(&rows, &stale).await;
    rows.database.finish(fresh.claim, &finished(&fresh)).await.unwrap();
    assert_powerless(&rows, &stale).await;
    assert_powerless(&rows, &fresh).await;
    assert_eq!((rows.receipts(id).await.len(), rows.events("CleanupCompleted").await), (1, 1));
}

#[tokio::test]
async fn del_7_a_claim_that_was_given_back_can_do_nothing() {
    let rows = Rows::new().await;
    rows.cleanup_of(SyncId::random()).await;
    let (none, soon) = (TargetsProgress::new(), Duration::ZERO);
    let released = claim(&rows).await;
    rows.database.release_claim(released.claim, &none).await.unwrap();
    assert_powerless(&rows, &released).await;
    let failed = claim(&rows).await;
    rows.database.fail_attempt(failed.claim, &none, 1, "code", "text", soon).await.unwrap();
    assert_powerless(&rows, &failed).await;
    let settled = claim(&rows).await;
    rows.database.settle(settled.claim, &none, soon).await.unwrap();
    assert_powerless(&rows, &settled).await;
    let refused = claim(&rows).await;
    rows.database.refuse(refused.claim, &none).await.unwrap();
    assert_powerless(&rows, &refused).await;
}

#[tokio::test]
async fn del_7_a_late_write_takes_the_last_verification_from_its_holder() {
    let (rows, sync) = (Rows::new().await, SyncId::random());
    assert!(!rows.database.reopen_cleanup(sync).await.unwrap(), "no cleanup, nothing to reopen");
    let (id, verifying) = settling(&rows, sync).await;
    assert!(rows.database.reopen_cleanup(sync).await.unwrap());
    assert_powerless(&rows, &verifying).await;
    assert_eq!((rows.state(id).await.as_str(), rows.events("CleanupRequested").await), ("scheduled", 1));
    assert!(!rows.database.reopen_cleanup(sync).await.unwrap(), "scheduled: it verifies again anyway");
    rows.set(id, "state = 'done'").await;
    assert!(rows.database.reopen_cleanup(sync).await.unwrap());
    assert_eq!(claim(&rows).await.claim.cleanup_id, id);
}

#[tokio::test]
async fn del_7_done_needs_settling_every_target_and_a_sync_without_a_row() {
    let (rows, sync) = (Rows::new().await, SyncId::random());
    let (id, held) = settling(&rows, sync).await;
    let whole = finished(&held);
    for state in ["scheduled", "purging"] {
        rows.set(id, &format!("state = '{state}'")).await;
        assert_lost(rows.database.finish(held.claim, &whole).await);
    }
    rows.set(id, "state = 'settling', targets = ARRAY['vespa', 'arf', 'tape']").await;
    assert_lost(rows.database.finish(held.claim, &whole).await);
    rows.set(id, "targets = ARRAY['vespa', 'arf']").await;
    for verified in PurgeTarget::ALL {
        let part = Finished { verified: vec![*verified], ..whole.clone() };
        assert_lost(rows.database.finish(held.claim, &part).await);
    }
    rows.live(sync).await;
    assert_lost(rows.database.finish(held.claim, &whole).await);
    assert_eq!((rows.receipts(id).await.len(), rows.events("CleanupCompleted").await), (0, 0));
    rows.test.execute("DELETE FROM source_connection").await;
    rows.database.finish(held.claim, &whole).await.unwrap();
    assert_eq!(rows.state(id).await, "done");
}

#[tokio::test]
async fn a_renewed_claim_isnt_handed_out_again() {
    let rows = Rows::new().await;
    let id = rows.cleanup_of(SyncId::random()).await;
    let held = claim(&rows).await;
    rows.set(id, "claim_expires_at = clock_timestamp() + interval '10 milliseconds'").await;
    assert_eq!(rows.database.renew_claims(&[held.claim], TTL).await.unwrap(), 1);
    let left = rows.column(id, "claim_expires_at > clock_timestamp() + interval '50 seconds'").await;
    assert_eq!(left, "true");
}

/// Whatever the row names: a target of the build that wasn't verified keeps it from being done.
#[tokio::test]
async fn del_7_nothing_is_done_without_every_target_of_the_row_and_of_the_build() {
    let rows = Rows::new().await;
    let (id, held) = settling(&rows, SyncId::random()).await;
    let whole = finished(&held);
    for of_row in [&[PurgeTarget::Vespa][..], &[PurgeTarget::Arf], PurgeTarget::ALL] {
        let names: Vec<String> = of_row.iter().map(|target| format!("'{target}'")).collect();
        rows.set(id, &format!("targets = ARRAY[{}]", names.join(", "))).await;
        for left_out in PurgeTarget::ALL {
            let mut partial = whole.clone();
            partial.verified.retain(|target| target != left_out);
            assert_lost(rows.database.finish(held.claim, &partial).await);
        }
    }
    rows.database.finish(held.claim, &whole).await.unwrap();
}
