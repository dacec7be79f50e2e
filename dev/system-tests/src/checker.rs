//! Holds the invariants to a whole system, with eyes of its own: rows by SQL that no service uses, documents by the
//! stand-in's look at its corpus, blobs by walking the folder, answers as the clients of the test got them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use shared_models::invariant::facts::{
    Atomic, Bounded, Complete, Exact, Fenced, Honest, Idempotent, Isolated, Progress, Work,
};
use shared_models::{CleanupState, Facts as _, OrganizationId, PurgeTarget, Violation};
use test_support::{Leftover, Rest};
use tokio_postgres::{Client, Row};

use crate::api::Deletes;
use crate::facts::Holdings;

mod ledger;
mod seen;

use seen::Seen;

/// An accepted deletion ends within this time, if a gateway is there.
const DELETION: Duration = Duration::from_secs(30);
/// A cleanup is done within this time, with the times of tests and their amounts of data.
const CLEANUP: Duration = Duration::from_secs(90);

/// Where everything of a system is.
#[derive(Debug, Clone)]
pub struct Checker {
    /// Its database.
    pub database_url: String,
    /// Its stand-in.
    pub vespa_url: String,
    /// Its ARF folder.
    pub arf: PathBuf,
    /// The folder of its ledger store.
    pub ledger: PathBuf,
    /// What may be left there.
    pub rest: Rest,
    /// Every DELETE that was sent, and its answer.
    pub deletes: Deletes,
    /// How long a DELETE may take.
    pub delete_bound: Duration,
}

impl Checker {
    /// Every invariant that doesn't hold now, and why.
    pub async fn violations(&self) -> Vec<Violation> {
        let client = test_support::connect(&self.database_url).await;
        let mut found = Vec::new();
        for sync in seen::all(&client).await {
            found.extend(self.of_sync(&sync).await);
        }
        found.extend(self.of_requested(&client).await);
        found.extend(of_organizations(&client).await);
        found.extend(ledger::violations(&client, &self.ledger).await);
        found.extend(self.of_answers());
        found
    }

    /// DEL-1, 2, 4, 5, 6 and 7: one sync, and what became of it.
    async fn of_sync(&self, sync: &Seen) -> Vec<Violation> {
        let held = Holdings::of(&self.vespa_url, &self.arf, &sync.id).await;
        let cleanups = u64::from(sync.state.is_some());
        let is_done = sync.state == Some(CleanupState::Done);
        let missing = sync.documents.saturating_sub(held.documents) + sync.blobs.saturating_sub(held.blobs);
        let is_purged = sync.state.is_some_and(|state| state != CleanupState::Scheduled);
        let progress = match (is_done, self.rest.is_left(Leftover::Cleanups)) {
            (false, false) if cleanups > 0 => Progress::UnderWay { age: sync.age, bound: CLEANUP },
            _ => Progress::Ended,
        };
        let required = PurgeTarget::required(&sync.targets);
        let honest = Honest { required: &required, verified: &sync.verified, is_settled: sync.is_settled };
        let checks = [
            Atomic { rows: sync.rows, cleanups, requests: sync.requests, events: sync.events }.check(),
            Fenced {
                is_committed: cleanups > 0,
                is_done,
                active_jobs: sync.active_jobs,
                held: held.documents + held.blobs,
            }
            .check(),
            Exact { is_live: sync.is_live, is_purged, missing }.check(),
            Complete { work: Work::Cleanup, progress }.check(),
            Idempotent { owners: 0, cleanups, receipts: sync.receipts, ends: sync.ends }.check(),
            if is_done { honest.check() } else { Ok(()) },
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    /// DEL-5: what was accepted and isn't gone.
    async fn of_requested(&self, client: &Client) -> Vec<Violation> {
        if self.rest.is_left(Leftover::Deletions) {
            return Vec::new();
        }
        let ages = "SELECT extract(epoch FROM clock_timestamp() - requested.at)::float8
                    FROM (SELECT deletion_requested_at FROM source_connection
                          UNION ALL SELECT deletion_requested_at FROM collection) AS requested (at)
                    WHERE requested.at IS NOT NULL";
        let ages = client.query(ages, &[]).await.unwrap();
        let judged = ages.iter().map(|row| {
            let progress = Progress::UnderWay { age: Duration::from_secs_f64(row.get(0)), bound: DELETION };
            Complete { work: Work::Deletion, progress }.check()
        });
        judged.filter_map(Result::err).collect()
    }

    /// DEL-6 and 8: what the test's clients were answered.
    fn of_answers(&self) -> Vec<Violation> {
        let deletes = self.deletes.lock();
        let paths: BTreeSet<&str> = deletes.iter().map(|delete| delete.path.as_str()).collect();
        let owned = paths.into_iter().map(|path| {
            let owners = deletes.iter().filter(|delete| delete.path == path && delete.status == 200).count();
            Idempotent { owners: owners.try_into().unwrap(), cleanups: 0, receipts: 0, ends: 0 }.check()
        });
        let waited = deletes.iter().map(|delete| Bounded { waited: delete.took, bound: self.delete_bound }.check());
        owned.chain(waited).filter_map(Result::err).collect()
    }
}

/// DEL-9: whose key asked for a deletion, and in whose collection a connection is.
async fn of_organizations(client: &Client) -> Vec<Violation> {
    let pairs = "SELECT k.organization_id::text, c.organization_id::text
                 FROM cleanup c JOIN api_key k ON k.id = c.requested_by
                 UNION SELECT c.organization_id::text, s.organization_id::text
                 FROM source_connection s JOIN collection c ON c.id = s.collection_id";
    let pairs = client.query(pairs, &[]).await.unwrap();
    let judged = pairs
        .iter()
        .map(|row| Isolated { caller: organization(row, 0), owner: organization(row, 1), is_served: true }.check());
    judged.filter_map(Result::err).collect()
}

fn organization(row: &Row, column: usize) -> OrganizationId {
    row.get::<_, &str>(column).parse().unwrap()
}
