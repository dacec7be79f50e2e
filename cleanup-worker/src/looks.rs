//! Looks at many cleanups at once: rows are claimed one by one, then the stores are asked, Vespa in one query for all,
//! and then each row is written under its claim.
//!
//! Keeps DEL-7: an answer counts only for rows that were claimed, and whose settle time was over, before it was asked
//! for; only a complete answer becomes an observation, everything else is an error of the attempt. The time of a
//! verification is PostgreSQL's at the row's claim, so that whatever was written later isn't covered by it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use shared_database::DatabaseError;
use shared_database::cleanups::{Claim, ClaimedCleanup};
use shared_models::{CleanupWork, PurgeTarget, SyncId};
use shared_service::periodic::Next;
use shared_service::{Bell, Driver, Periodic};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::end::End;
use crate::machine::Observed;
use crate::targets::{Holding, KNOWN, MOST_LOOKS};
use crate::work::{AttemptError, Held, TargetFailure, Worker, caught};
use crate::{figures, heartbeat};

mod collecting;

use collecting::{Decision, decide};

/// While somebody holds the lock on what is due, the next look comes after this time.
const LOCKED_WAIT: Duration = Duration::from_millis(100);
/// Claiming ends after this, so that the first claim is still young when its row is written.
const LONGEST_CLAIMING: Duration = Duration::from_secs(5);
/// Rows that are looked at in the ARF store, and written, at the same time.
const AT_ONCE: usize = 8;
/// The periodic task.
pub(crate) const TASK: &str = "look at cleanups";
/// What panics are counted as.
const LOOK: &str = "look";

/// Looks at what is due until shutdown. `bell` makes it look now; it looks every `poll` at the latest. `found` is rung
/// when something is to be purged.
pub fn start(worker: Arc<Worker>, poll: Duration, bell: &Bell, found: &Bell, driver: &Driver) {
    let looks = Looks { worker, found: found.clone(), told: Arc::default() };
    driver.start(Periodic::every(TASK, poll).woken_by(bell), move |_| looks.clone().run());
}

#[derive(Clone)]
struct Looks {
    worker: Arc<Worker>,
    found: Bell,
    /// Whether the schedule of this worker is stored.
    told: Arc<OnceCell<()>>,
}

impl Looks {
    async fn run(self) -> Result<Next, DatabaseError> {
        let (database, policy) = (&self.worker.database, &self.worker.policy);
        self.told.get_or_try_init(|| database.store_cleanup_schedule(&policy.schedule)).await?;
        database.reopen_for_check(KNOWN).await?;
        while !self.worker.tasks.shutdown().is_cancelled() {
            let most = u32::try_from(MOST_LOOKS).unwrap_or(u32::MAX);
            let due = database.looks_due(KNOWN, &policy.schedule, most, policy.collecting).await?;
            if let Decision::Wait(next) = decide(due, policy.collecting) {
                let check = database.next_check_due(KNOWN).await?;
                return Ok([next, check].into_iter().flatten().min().map_or(Next::AtInterval, Next::Within));
            }
            let claimed_at = Instant::now();
            let claimed = self.worker.claim_looks(claimed_at).await?;
            if claimed.is_empty() {
                return Ok(Next::Within(LOCKED_WAIT));
            }
            let ends = self.worker.look(claimed, claimed_at).await;
            if ends.contains(&End::Found) {
                self.found.ring();
            }
        }
        Ok(Next::AtInterval)
    }
}

impl Worker {
    /// Claims what is due to be looked at, one by one. If PostgreSQL fails in between, what was claimed is worked on:
    /// it would be nobody's until the claims run out.
    async fn claim_looks(&self, began: Instant) -> Result<Vec<ClaimedCleanup>, DatabaseError> {
        let mut claimed = Vec::new();
        while claimed.len() < MOST_LOOKS && began.elapsed() < LONGEST_CLAIMING && !self.tasks.shutdown().is_cancelled()
        {
            match self.database.claim_look(self.policy.claim.ttl, KNOWN).await {
                Ok(Some(cleanup)) => claimed.push(cleanup),
                Ok(None) => break,
                Err(error) if claimed.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(claimed)
    }

    /// Looks at cleanups that were claimed from `claimed_at` on, until the last claim is given back or lost.
    pub async fn look(&self, claimed: Vec<ClaimedCleanup>, claimed_at: Instant) -> Vec<End> {
        let ended = CancellationToken::new();
        let claims = claimed.iter().map(|cleanup| cleanup.claim).collect();
        let (times, lost) = (self.policy.claim, CancellationToken::new());
        let beat = heartbeat::beat(self.database.clone(), claims, claimed_at, times, ended.clone(), lost.clone());
        self.tasks.spawn("claim heartbeat", beat);
        let _stops_the_heartbeat = ended.drop_guard();
        // What is lost is somebody else's: whatever is still written here is refused, row by row.
        let ends = lost.run_until_cancelled(self.look_under_claims(&claimed)).await;
        ends.unwrap_or_else(|| claimed.iter().map(|_| Held::lost()).collect())
    }

    async fn look_under_claims(&self, claimed: &[ClaimedCleanup]) -> Vec<End> {
        let held: Vec<Held<'_>> = claimed.iter().map(|cleanup| Held::new(self, cleanup)).collect();
        let asks = |held: &&Held<'_>| held.machine().to_look_at().contains(&PurgeTarget::Vespa);
        let syncs: Vec<SyncId> = held.iter().filter(asks).map(|held| held.cleanup().sync_id).collect();
        // A look changes nothing: at shutdown it is dropped, and the claims are given back.
        let looked = caught(LOOK, async {
            let looked = self.stores.look_at_documents(&syncs).await;
            tracing::debug!(cleanups = claimed.len(), asked = syncs.len(), failed = looked.is_err(), "looked");
            looked
        });
        let Some(looked) = self.tasks.shutdown().run_until_cancelled(looked).await else {
            return self.release_all(claimed).await;
        };
        let documents: Documents =
            looked.map_or(Err(TargetFailure::Internal), |looked| looked.map_err(TargetFailure::from));
        let ends: Vec<_> = held.into_iter().map(|held| self.look_at_one(held, &documents).boxed()).collect();
        futures::stream::iter(ends).buffered(AT_ONCE).collect().await
    }

    /// Takes in what Vespa says of all, asks the ARF store, and writes the row.
    async fn look_at_one(&self, mut held: Held<'_>, documents: &Documents) -> End {
        let span = Held::span(held.cleanup(), CleanupWork::Look);
        let work = async {
            let looked = async {
                match self.look_at_stores(&mut held, documents).await {
                    Ok(None) => held.conclude().await,
                    Ok(Some(end)) => Ok(end),
                    Err(error) => Err(error),
                }
            };
            let outcome = Box::pin(caught(LOOK, looked)).await.unwrap_or(Err(AttemptError::Internal));
            held.end(outcome).await
        };
        work.instrument(span).await
    }

    async fn look_at_stores(&self, held: &mut Held<'_>, documents: &Documents) -> Result<Option<End>, AttemptError> {
        if let Some(refused) = held.refuse_if(held.cleanup().is_live).await? {
            return Ok(Some(refused));
        }
        let (mut failure, mut stuck) = (None, None);
        for target in held.machine().to_look_at() {
            let looked = self.look_at_store(target, held.cleanup().sync_id, documents);
            match self.tasks.shutdown().run_until_cancelled(looked).await {
                Some(Ok(holding)) => {
                    tracing::debug!(store = target.as_str(), ?holding, "looked at a store");
                    let observed = held.observe(self.observed(target, holding, held.cleanup()));
                    stuck = stuck.or(observed.err());
                }
                Some(Err(error)) => failure = failure.or(Some(error)),
                None => return held.release("shutdown").await.map(Some),
            }
        }
        // The round of what doesn't go is open, and the other store's, too: the next attempt purges both.
        if let Some(stuck) = stuck {
            return Err(stuck.into());
        }
        // What one store holds is removed though the other is away.
        match failure {
            Some(error) if held.machine().next().work() == CleanupWork::Look => Err(error),
            Some(_) | None => Ok(None),
        }
    }

    async fn look_at_store(
        &self,
        target: PurgeTarget,
        sync: SyncId,
        documents: &Documents,
    ) -> Result<Holding, AttemptError> {
        match target {
            PurgeTarget::Vespa => {
                let documents = documents.as_ref().map_err(TargetFailure::clone)?;
                documents.get(&sync).copied().ok_or(AttemptError::Unverified)
            }
            PurgeTarget::Arf => Ok(self.stores.look_at_blobs(sync).await?),
        }
    }

    fn observed(&self, target: PurgeTarget, holding: Holding, cleanup: &ClaimedCleanup) -> Observed {
        match holding {
            Holding::Nothing => Observed::Empty(target, self.stores.verification(target), cleanup.claimed_at),
            Holding::Some(count) => Observed::Holds(target, Some(count)),
            Holding::Uncounted => Observed::Holds(target, None),
        }
    }

    async fn release_all(&self, claimed: &[ClaimedCleanup]) -> Vec<End> {
        let claims: Vec<Claim> = claimed.iter().map(|cleanup| cleanup.claim).collect();
        let end = match self.database.release_claims(&claims).await {
            Ok(()) => End::Released,
            Err(error) => {
                tracing::warn!(%error, "give claims back: they run out");
                End::Failed
            }
        };
        claims.iter().for_each(|_| figures::attempt_ended(end));
        claims.iter().map(|_| end).collect()
    }
}

/// What Vespa says of all syncs that were asked about, or why it says nothing.
type Documents = Result<BTreeMap<SyncId, Holding>, TargetFailure>;
