//! The ledger: sequenced and published by workers that may die anywhere (DEL-11).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cleanup_worker::ledger::{Ledger, LedgerError, PublicationError, Published};
use shared_models::history::LostHistory;
use shared_models::ledger::{
    Checkpoint, LedgerSigner, LogCopy, TrustedKeys, bundles_between, leaf_hash, read_checkpoint, tiles_between,
};
use shared_models::{CleanupId, PublisherId, SyncId};
use shared_stores::LedgerStore;
use tempfile::TempDir;
use test_support::wait_until;
use url::Url;

use crate::support::dying::dying;
use crate::support::installation::facts;
use crate::support::{ORIGIN, Rows, SOON, World, keys, signer};

/// A log with the folder that it is published in.
struct Log {
    rows: Rows,
    folder: TempDir,
}

impl Log {
    async fn new() -> Self {
        Self { rows: Rows::new().await, folder: TempDir::new().unwrap() }
    }

    fn store(&self) -> LedgerStore {
        LedgerStore::open(&Url::from_file_path(self.folder.path()).unwrap()).unwrap()
    }

    fn ledger_of(&self, signer: Arc<LedgerSigner>, keys: TrustedKeys) -> Ledger {
        let (database, publisher) = (self.rows.database.clone(), PublisherId::random());
        Ledger { database, signer, keys, store: Some(self.store()), publisher }
    }

    fn ledger(&self) -> Ledger {
        self.ledger_of(signer(), keys())
    }

    /// So many facts of no importance.
    async fn facts(&self, count: u32) {
        self.rows.test.execute(&facts(count)).await;
    }

    async fn count(&self, from: &str) -> i64 {
        self.rows.test.count(&format!("SELECT count(*) FROM {from}")).await
    }
}

/// Reads a whole copy as a stranger would; panics if a byte of it isn't proven by its checkpoint.
fn checked(folder: &Path, keys: &TrustedKeys) -> (Checkpoint, LogCopy) {
    let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    let checkpoint = read_checkpoint(&note, keys).unwrap().checkpoint;
    let log = folder.join("log");
    let mut copy = LogCopy::new([]);
    let mut tiles = Vec::new();
    for bundle in bundles_between(0, checkpoint.size) {
        let bytes = std::fs::read(log.join(bundle.path())).unwrap();
        tiles.extend(copy.add_bundle(&bytes, bundle.width).unwrap());
    }
    copy.check_whole(&checkpoint).unwrap();
    tiles.extend(copy.partial_tiles());
    for id in tiles_between(0, checkpoint.size) {
        let hashes = &tiles.iter().find(|tile| tile.id == id).unwrap().hashes;
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        assert_eq!(std::fs::read(log.join(id.path())).unwrap(), bytes, "{}", id.path());
    }
    let by_size = log.join("checkpoints").join(checkpoint.size.to_string());
    assert_eq!(std::fs::read_to_string(by_size).unwrap(), note);
    (checkpoint, copy)
}

/// Everything below a folder, with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn del_11_what_is_published_is_a_whole_log_that_strangers_can_check() {
    let world = Log::new().await;
    let ledger = world.ledger();
    for batch in [1, 1, 254, 300, 1_024] {
        world.facts(batch).await;
        ledger.run().await.unwrap();
        let (checkpoint, copy) = checked(world.folder.path(), &keys());
        assert_eq!(checkpoint.size, u64::try_from(world.count("ledger_entry").await).unwrap());
        assert!(copy.duplicates().is_empty());
    }
    assert_eq!(
        world.count("ledger_checkpoint WHERE published_at IS NULL").await,
        1,
        "the one between two batches of a run"
    );
    let before = files(world.folder.path());
    ledger.run().await.unwrap();
    assert_eq!(files(world.folder.path()), before, "nothing to do changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn del_11_a_process_that_dies_anywhere_loses_nothing_and_overwrites_nothing() {
    let world = Log::new().await;
    let (mut done, mut deaths) = (false, 0);
    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    for polls in 1.. {
        // Something new each time, so that there is always work to die in; over the edge of a tile now and then.
        world.facts(if polls % 7 == 0 { 130 } else { 1 }).await;
        // A new process each time, as after a kill: it has to wait for nobody's lease.
        world.rows.test.execute("UPDATE ledger_publisher SET owner = NULL, lease_expires_at = NULL").await;
        match dying(polls, world.ledger().run()).await {
            Some(outcome) => {
                outcome.unwrap();
                done = true;
            }
            None => deaths += 1,
        }
        // Writes that went on in the background may end first.
        let now = settled(world.folder.path()).await;
        for (name, bytes) in &written {
            if name.starts_with("log") {
                let same = now.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes);
                assert_eq!(same, Some(bytes), "{name} was changed after {polls} polls");
            }
        }
        written = now;
        let gaps =
            "(SELECT index - row_number() OVER (ORDER BY index) + 1 AS gap FROM ledger_index) AS g WHERE gap <> 0";
        assert_eq!(world.count(gaps).await, 0);
        let lost = "ledger_entry e WHERE NOT EXISTS (SELECT 1 FROM ledger_index WHERE entry_id = e.id)
                    AND NOT EXISTS (SELECT 1 FROM ledger_pending WHERE entry_id = e.id)";
        assert_eq!(world.count(lost).await, 0);
        if world.folder.path().join("checkpoint").exists() {
            checked(world.folder.path(), &keys());
        }
        if done && polls > 60 {
            break;
        }
    }
    assert!(deaths > 20, "{deaths} deaths");
    world.ledger().run().await.unwrap();
    let (checkpoint, _) = checked(world.folder.path(), &keys());
    assert_eq!(checkpoint.size, u64::try_from(world.count("ledger_entry").await).unwrap());
}

/// The files once they don't change any more.
async fn settled(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let visible = || files(folder).into_iter().filter(|(name, _)| !name.starts_with("staging")).collect::<Vec<_>>();
    let mut before = visible();
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let now = visible();
        if now == before {
            return now;
        }
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_at_once_publish_one_log() {
    let world = Log::new().await;
    world.facts(2_000).await;
    let workers = (0..4).map(|_| {
        let ledger = world.ledger();
        async move {
            for _ in 0..20 {
                ledger.run().await.unwrap();
            }
        }
    });
    let telling = async {
        for _ in 0..10 {
            world.facts(11).await;
        }
    };
    futures::future::join(futures::future::join_all(workers), telling).await;
    world.ledger().run().await.unwrap();
    assert_eq!(checked(world.folder.path(), &keys()).0.size, 2_110);
    assert_eq!(world.count("ledger_publisher WHERE owner IS NULL").await, 1);
}

#[tokio::test]
async fn who_has_no_lease_publishes_nothing() {
    let world = Log::new().await;
    world.facts(1).await;
    let (one, other) = (world.ledger(), world.ledger());
    one.sequence().await.unwrap();
    assert!(one.database.hold_publisher(one.publisher, std::time::Duration::from_secs(60)).await.unwrap());
    assert_eq!(other.publish(&world.store()).await.unwrap(), Published::Another);
    assert!(!world.folder.path().join("checkpoint").exists());
    assert_eq!(one.publish(&world.store()).await.unwrap(), Published::Upto(1));
}

fn refused(outcome: Result<Published, LedgerError>) -> PublicationError {
    match outcome {
        Err(LedgerError::Publish(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn del_11_other_bytes_under_a_name_stop_the_publication_and_stay() {
    let world = Log::new().await;
    let bundle = world.folder.path().join("log/tile/entries/000.p");
    std::fs::create_dir_all(&bundle).unwrap();
    std::fs::write(bundle.join("2"), b"somebody else's").unwrap();
    world.facts(2).await;
    world.ledger().sequence().await.unwrap();
    let error = refused(world.ledger().run().await);
    assert!(error.to_string().contains("tile/entries/000.p/2"), "{error}");
    assert_eq!(std::fs::read(bundle.join("2")).unwrap(), b"somebody else's");
    assert!(!world.folder.path().join("checkpoint").exists());
    assert_eq!(world.count("ledger_checkpoint WHERE published_at IS NULL").await, 1);
}

#[tokio::test]
async fn a_store_of_another_ledger_or_key_is_left_alone() {
    let ours = Log::new().await;
    ours.facts(3).await;
    ours.ledger().run().await.unwrap();
    let before = files(ours.folder.path());

    let other_origin = LedgerSigner::new("unweave.test/other".parse().unwrap(), "k".to_owned(), &[7; 32]).unwrap();
    let other_key = LedgerSigner::new(ORIGIN.parse().unwrap(), "k".to_owned(), &[8; 32]).unwrap();
    let theirs = Log { rows: Rows::new().await, folder: ours.folder };
    theirs.facts(5).await;
    let both: TrustedKeys = [other_origin.verifier().clone(), signer().verifier().clone()].into_iter().collect();
    let error = refused(theirs.ledger_of(Arc::new(other_origin), both).run().await);
    assert!(matches!(&error, PublicationError::Foreign(why) if why.contains(ORIGIN)), "{error}");
    // With the ledger's name it may be what PostgreSQL lost, signed by a key that is newer: nothing goes on.
    let keys = TrustedKeys::from(other_key.verifier().clone());
    let unknown = theirs.ledger_of(Arc::new(other_key), keys);
    unknown.run().await.unwrap();
    assert_eq!(unknown.database.history().lost(), Some(LostHistory::Behind { store: 3, database: 0 }));
    assert_eq!(theirs.count("ledger_index").await, 0);
    assert_eq!(files(theirs.folder.path()), before);
}

#[tokio::test]
async fn del_11_a_store_that_is_ahead_or_has_another_log_is_told_and_left_alone() {
    let ours = Log::new().await;
    ours.facts(300).await;
    ours.ledger().run().await.unwrap();
    let before = files(ours.folder.path());
    let theirs = Log { rows: Rows::new().await, folder: ours.folder };
    theirs.facts(10).await;
    for _ in 0..2 {
        theirs.ledger().run().await.unwrap();
        let lost = theirs.rows.database.history().lost();
        assert_eq!(lost, Some(LostHistory::Behind { store: 300, database: 0 }));
        assert_eq!(theirs.count("ledger_index").await, 0, "no place was given that the store has given");
    }
    // Whoever publishes nowhere gives places of its own.
    let fresh = Log { rows: theirs.rows.again(), folder: theirs.folder };
    fresh.ledger().sequence().await.unwrap();
    let error = refused(fresh.ledger().run().await);
    assert!(matches!(error, PublicationError::Fork { theirs: 300 }), "{error}");
    fresh.facts(300).await;
    let error = refused(fresh.ledger().run().await);
    assert!(matches!(error, PublicationError::Fork { theirs: 300 }), "{error}");
    let theirs = fresh;
    assert_eq!(files(theirs.folder.path()), before);
}

#[tokio::test]
async fn del_11_an_entry_that_was_altered_in_postgresql_is_never_published() {
    let world = Log::new().await;
    world.facts(3).await;
    let ledger = world.ledger();
    ledger.sequence().await.unwrap();
    // As somebody with the rights of the owner could.
    world.rows.test.execute("ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_only_grows").await;
    let forged = "UPDATE ledger_entry SET entry = entry || '{\"action\": \"test.forged\"}'
                  WHERE id = (SELECT entry_id FROM ledger_index WHERE index = 1)";
    world.rows.test.execute(forged).await;
    let error = refused(ledger.run().await);
    assert!(matches!(error, PublicationError::Altered(1)), "{error}");
    assert!(!world.folder.path().join("checkpoint").exists());
}

#[tokio::test]
async fn a_new_key_signs_on_and_verifiers_need_the_old_one_for_what_was_before() {
    let world = Log::new().await;
    world.facts(2).await;
    world.ledger().run().await.unwrap();
    let old = std::fs::read_to_string(world.folder.path().join("checkpoint")).unwrap();
    let new = Arc::new(LedgerSigner::new(ORIGIN.parse().unwrap(), "2027".to_owned(), &[9; 32]).unwrap());
    let both: TrustedKeys = [new.verifier().clone(), signer().verifier().clone()].into_iter().collect();
    world.facts(2).await;
    world.ledger_of(new.clone(), both).run().await.unwrap();
    let told = world.rows.database.ledger_keys().await.unwrap().into_iter().map(|key| key.verifier_key);
    assert_eq!(told.collect::<Vec<_>>(), [signer().verifier().to_string(), new.verifier().to_string()]);
    let only_new = TrustedKeys::from(new.verifier().clone());
    assert_eq!(checked(world.folder.path(), &only_new).0.size, 4);
    assert!(read_checkpoint(&old, &only_new).is_err() && read_checkpoint(&old, &keys()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn del_11_a_receipt_is_in_the_ledger_soon_after_done_and_whole() {
    let world = World::new().await;
    let sync = SyncId::random();
    let id: CleanupId = world.rows.cleanup_of(sync).await;
    let (_worker, admin) = world.ready_worker(&[]).await;
    world.rows.wait_for_state(id, "done").await;
    let published = "SELECT count(*) FROM receipt r JOIN ledger_index i ON i.entry_id = r.entry_id
                     JOIN ledger_checkpoint c ON c.size > i.index AND c.published_at IS NOT NULL";
    wait_until("the receipt is published", SOON, async || world.rows.test.count(published).await > 0).await;
    let (_, copy) = checked(world.ledger_folder.path(), &keys());
    let receipt = world.rows.receipt(id).await;
    assert!(copy.has_receipt(receipt.receipt_id));
    let told: BTreeSet<&str> = receipt.targets.keys().map(|target| target.as_str()).collect();
    assert_eq!(told, BTreeSet::from(["arf", "vespa"]));
    // The entry is made again from the receipt alone.
    let signed = &world.rows.receipts(id).await[0];
    let entry = shared_models::ledger::Entry::of_receipt(signed.receipt.clone()).canonical().unwrap();
    let stored: Vec<u8> = world
        .rows
        .test
        .client()
        .await
        .query_one("SELECT leaf_hash FROM ledger_index i JOIN receipt r USING (entry_id)", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(leaf_hash(&entry).0.to_vec(), stored);
    let size = world.metric(&admin, "unweave_ledger_published_size").await;
    assert!((size - 1.0).abs() < f64::EPSILON, "{size}");
}
