//! Writes of a deleted sync that land late: while it is purged, and early in its settle delay. None may land after the
//! verification that counts: that is what the delay is for. One that does, on a machine that stood still, voids its
//! purge, and is counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use system_tests::System;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::SETTLE;
use super::dice::Dice;
use super::documents::Document;
use super::victim::Victim;

const LOOK: Duration = Duration::from_millis(30);
/// What of the settle delay must be left for a write to begin, and for it to have ended.
const ROOM_TO_BEGIN: f64 = 0.7;
const ROOM_AT_END: f64 = 0.1;
/// A put that fails is tried so often.
const TRIES: u32 = 20;

/// What was written late.
#[derive(Debug, Default)]
pub struct Late {
    pub documents: usize,
    pub blobs: usize,
    /// The ids of documents that have passed to a live sync.
    pub passed: Vec<String>,
    /// Syncs for which a write was too late even for us.
    pub void: Vec<Uuid>,
}

/// The writer.
pub struct LateWrites {
    stop: CancellationToken,
    task: JoinHandle<Late>,
}

/// What is to be written for one sync.
struct Writes {
    sync: Uuid,
    left: Vec<Write>,
    prefix: PathBuf,
    /// Begins so late: while it is purged, or while it settles.
    in_settling: bool,
}

enum Write {
    Document(Document),
    Passing(Document),
    Blob,
}

impl LateWrites {
    pub fn start(system: &System, victims: &[Victim], dice: &mut Dice) -> Self {
        let writes = victims.iter().filter_map(|victim| {
            let documents = (0..dice.below(5)).map(|_| Write::Document(victim.late(dice))).collect::<Vec<_>>();
            let has_any = documents.len() > 1;
            let passing = victim.passing.iter().cloned().map(Write::Passing);
            let left = documents.into_iter().chain(passing).chain([Write::Blob]).collect();
            let (prefix, in_settling) = (victim.prefix(&system.arf()), dice.once_in(2));
            has_any.then_some(Writes { sync: victim.sync, left, prefix, in_settling })
        });
        let stop = CancellationToken::new();
        let (url, vespa_url) = (system.database.url.clone(), system.vespa.url.clone());
        let task = tokio::spawn(write_all(url, vespa_url, writes.collect(), stop.clone()));
        Self { stop, task }
    }

    pub async fn stop(self) -> Late {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

async fn write_all(database_url: String, vespa_url: String, mut all: Vec<Writes>, stop: CancellationToken) -> Late {
    let sql = test_support::connect(&database_url).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut late = Late::default();
    while !stop.is_cancelled() && !all.is_empty() {
        tokio::time::sleep(LOOK).await;
        for writes in &mut all {
            let may_begin = match standing(&sql, writes.sync).await {
                Standing::Purging => !writes.in_settling,
                Standing::Settling(left) => left > ROOM_TO_BEGIN * SETTLE.as_secs_f64(),
                Standing::Other => false,
            };
            if !may_begin {
                continue;
            }
            match writes.left.pop() {
                Some(Write::Document(document)) => {
                    late.documents += usize::from(put(&client, &vespa_url, &document).await);
                }
                Some(Write::Passing(document)) => {
                    let has_passed = put(&client, &vespa_url, &document).await;
                    late.passed.extend(has_passed.then(|| document.id()));
                }
                Some(Write::Blob) => late.blobs += blob(&writes.prefix),
                None => {}
            }
            match standing(&sql, writes.sync).await {
                Standing::Settling(left) if left < ROOM_AT_END * SETTLE.as_secs_f64() => late.void.push(writes.sync),
                Standing::Other => late.void.push(writes.sync),
                Standing::Purging | Standing::Settling(_) => {}
            }
        }
        all.retain(|writes| !writes.left.is_empty());
    }
    late
}

enum Standing {
    Purging,
    /// So many seconds are left.
    Settling(f64),
    /// Nobody has begun, or it is done.
    Other,
}

async fn standing(sql: &Client, sync: Uuid) -> Standing {
    let standing = format!(
        "SELECT state, progress <> '{{}}', extract(epoch FROM next_attempt_at - clock_timestamp())::float8
         FROM cleanup WHERE sync_id = '{sync}'"
    );
    let Some(row) = sql.query_opt(&standing, &[]).await.unwrap() else { return Standing::Other };
    let (state, is_seen): (&str, bool) = (row.get(0), row.get(1));
    match state {
        "settling" => Standing::Settling(row.get(2)),
        "purging" => Standing::Purging,
        "scheduled" if is_seen => Standing::Purging,
        _ => Standing::Other,
    }
}

/// Puts it; whether it was acknowledged in the end.
async fn put(client: &reqwest::Client, vespa_url: &str, document: &Document) -> bool {
    let url = format!("{}?timeout=1s", document.url(vespa_url));
    for _ in 0..TRIES {
        let put = client.post(&url).json(&json!({ "fields": document.fields }));
        match put.send().await {
            Ok(answer) if answer.status().is_success() => return true,
            Ok(answer) => assert_ne!(answer.status(), 400, "{url}"),
            Err(_) => {}
        }
    }
    false
}

/// Writes a blob and what a killed write leaves, while the folders may be taken away. Returns how many.
fn blob(prefix: &Path) -> usize {
    // A link would lead out of the store.
    if fs::symlink_metadata(prefix).is_ok_and(|metadata| !metadata.is_dir()) {
        return 0;
    }
    let entities = prefix.join("entities");
    for _ in 0..TRIES {
        let made = fs::create_dir_all(&entities)
            .and_then(|()| fs::write(entities.join("late.json"), "late"))
            .and_then(|()| fs::write(entities.join("late.json#2"), "half"));
        if made.is_ok() {
            return 2;
        }
    }
    0
}
