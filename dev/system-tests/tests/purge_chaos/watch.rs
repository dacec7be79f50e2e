//! Looks at both stores as soon as a receipt is there.

use std::time::Duration;

use system_tests::System;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::eyes::{Eyes, Held};

const LOOK: Duration = Duration::from_millis(20);

/// A receipt, and what its sync had when it was there.
#[derive(Debug)]
pub struct Seen {
    pub sync: Uuid,
    pub held: Held,
}

/// The watch over one wave.
pub struct Watch {
    stop: CancellationToken,
    task: JoinHandle<Vec<Seen>>,
}

impl Watch {
    pub fn start(system: &System, eyes: Eyes) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(watch(system.database.url.clone(), eyes, stop.clone()));
        Self { stop, task }
    }

    /// What it saw of these syncs.
    pub async fn stop(self, syncs: &[Uuid]) -> Vec<Seen> {
        self.stop.cancel();
        let seen = self.task.await.unwrap();
        seen.into_iter().filter(|seen| syncs.contains(&seen.sync)).collect()
    }
}

async fn watch(database_url: String, eyes: Eyes, stop: CancellationToken) -> Vec<Seen> {
    let sql = test_support::connect(&database_url).await;
    let new = "SELECT r.id::text, c.sync_id::text FROM receipt r JOIN cleanup c ON c.id = r.cleanup_id
               WHERE r.id::text <> ALL ($1)";
    let (mut known, mut seen): (Vec<String>, Vec<Seen>) = (Vec::new(), Vec::new());
    loop {
        // Before the look, so that the last one is complete.
        let is_last = stop.is_cancelled();
        for row in sql.query(new, &[&known]).await.unwrap() {
            let sync = row.get::<_, &str>(1).parse().unwrap();
            known.push(row.get(0));
            seen.push(Seen { sync, held: eyes.held(sync) });
        }
        if is_last {
            return seen;
        }
        tokio::time::sleep(LOOK).await;
    }
}
