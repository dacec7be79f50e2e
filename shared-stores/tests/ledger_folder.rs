//! The ledger store in a local folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use shared_stores::ledger::{LedgerStore, LedgerStoreError, MAX_CHECKPOINT_BYTES, MAX_OBJECT_BYTES, Put};
use tempfile::TempDir;
use tokio::task::JoinSet;
use url::Url;

use crate::support::{TIMEOUT, at_once, files_below};

const NAME: &str = "tile/0/x001/067.p/5";

struct Fixture {
    folder: TempDir,
    store: LedgerStore,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LedgerStore::open(&url(folder.path())).unwrap();
        Self { folder, store }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// All files, staging included.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files_below(self.folder.path())
    }

    /// A file in staging that was last written to so long ago.
    fn leave(&self, name: &str, age: Duration) -> PathBuf {
        let path = self.path("staging").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "half an obj").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        path
    }
}

fn url(folder: &Path) -> Url {
    Url::from_file_path(folder).unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn what_is_written_once_is_read_and_writing_it_again_changes_nothing() {
    let ledger = Fixture::new();
    assert_eq!(ledger.store.get(NAME).await.unwrap(), None);
    assert_eq!(ledger.store.put_if_absent(NAME, bytes("one")).await.unwrap(), Put::New);
    assert_eq!(ledger.store.get(NAME).await.unwrap(), Some(bytes("one")));
    let file = ledger.path("log").join(NAME);
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    for _ in 0..2 {
        assert_eq!(ledger.store.put_if_absent(NAME, bytes("one")).await.unwrap(), Put::Same);
    }
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
    assert_eq!(ledger.files(), BTreeMap::from([(format!("log/{NAME}"), b"one".to_vec())]));
    assert_eq!(ledger.store.put_if_absent("tile/0/000", Bytes::new()).await.unwrap(), Put::New);
    assert_eq!(ledger.store.get("tile/0/000").await.unwrap(), Some(Bytes::new()), "empty isn't absent");
}

#[tokio::test]
async fn what_lies_in_a_folder_is_told_and_a_store_that_is_gone_is_not_an_empty_one() {
    let ledger = Fixture::new();
    assert!(!ledger.store.has(NAME).await.unwrap());
    assert!(ledger.store.names_in("tile/0/x001/067.p").await.unwrap().is_empty());
    for name in [NAME, "tile/0/x001/067.p/17", "tile/0/x001/067"] {
        ledger.store.put_if_absent(name, bytes("one")).await.unwrap();
    }
    assert!(ledger.store.has(NAME).await.unwrap() && !ledger.store.has("tile/0/x001/067.p").await.unwrap());
    let mut names = ledger.store.names_in("tile/0/x001/067.p").await.unwrap();
    names.sort_unstable();
    assert_eq!(names, ["17", "5"]);
    assert_eq!(ledger.store.names_in("tile/0/x001").await.unwrap(), ["067"], "without folders");
    fs::rename(ledger.path("log"), ledger.path("away")).unwrap();
    assert!(ledger.store.has(NAME).await.is_err());
    assert!(ledger.store.names_in("tile/0/x001/067.p").await.is_err());
    assert!(matches!(ledger.store.names_in("../away").await, Err(LedgerStoreError::Name(_))));
}

#[tokio::test]
async fn other_bytes_are_never_overwritten() {
    let ledger = Fixture::new();
    ledger.store.put_if_absent(NAME, bytes("one")).await.unwrap();
    for other in ["two", "on", "one more", ""] {
        let error = ledger.store.put_if_absent(NAME, bytes(other)).await.unwrap_err();
        assert!(matches!(&error, LedgerStoreError::Different { name } if *name == format!("log/{NAME}")), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(error.to_string(), "the ledger store holds other bytes under log/tile/0/x001/067.p/5");
    }
    assert_eq!(ledger.files(), BTreeMap::from([(format!("log/{NAME}"), b"one".to_vec())]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_of_different_bytes_one_wins_and_all_others_are_told() {
    for round in 0..10 {
        let ledger = Fixture::new();
        // Two processes, as far as a folder knows.
        let other = LedgerStore::open(&url(ledger.folder.path())).unwrap();
        let content = |number: usize| Bytes::from(vec![u8::try_from(number).unwrap(); 10_000 + number]);
        let puts = (0..100).map(|number| {
            let store = if number % 2 == 0 { ledger.store.clone() } else { other.clone() };
            async move { store.put_if_absent(NAME, content(number)).await }
        });
        let ends = at_once(puts).await;
        let winners: Vec<_> = (0..100).filter(|number| matches!(ends[*number], Ok(Put::New))).collect();
        assert_eq!(winners.len(), 1, "round {round}: {ends:?}");
        let different = ends.iter().filter(|end| matches!(end, Err(LedgerStoreError::Different { .. }))).count();
        assert_eq!(different, 99, "round {round}: {ends:?}");
        assert_eq!(ledger.files(), BTreeMap::from([(format!("log/{NAME}"), content(winners[0]).to_vec())]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_of_the_same_bytes_one_is_first_and_none_fails() {
    let ledger = Fixture::new();
    let puts = (0..100).map(|_| {
        let store = ledger.store.clone();
        async move { store.put_if_absent(NAME, bytes("the same")).await.unwrap() }
    });
    let ends = at_once(puts).await;
    assert_eq!(ends.iter().filter(|end| **end == Put::New).count(), 1);
    assert_eq!(ledger.files().len(), 1);
}

#[tokio::test]
async fn what_a_killed_writer_left_does_no_harm_and_goes_when_it_is_old() {
    let ledger = Fixture::new();
    let name = "log-tile-0-x001-067.p-5";
    let (old, young) = (Duration::from_secs(2 * 60 * 60), Duration::from_secs(60));
    let dead = [ledger.leave(&format!("{name}#1"), old), ledger.leave("checkpoint#7", old)];
    let living = [ledger.leave(&format!("{name}#2"), young), ledger.leave("log-tile-1-000#1", young)];
    assert_eq!(ledger.store.get(NAME).await.unwrap(), None, "half an object isn't there");
    assert!(ledger.store.get_checkpoint().await.unwrap().is_none());
    assert!(dead.iter().all(|path| path.exists()), "who reads removes nothing");

    assert_eq!(ledger.store.put_if_absent(NAME, bytes("one")).await.unwrap(), Put::New);
    assert_eq!(ledger.store.get(NAME).await.unwrap(), Some(bytes("one")));
    assert!(dead.iter().all(|path| !path.exists()));
    assert!(living.iter().all(|path| fs::read(path).unwrap() == b"half an obj"));
    assert_eq!(ledger.files().len(), 3);
}

#[tokio::test]
async fn a_writer_that_was_killed_after_the_link_is_settled_by_the_next() {
    let ledger = Fixture::new();
    // Its file still has both names.
    let staged = ledger.leave("log-tile-0-000#1", Duration::from_secs(2 * 60 * 60));
    fs::create_dir_all(ledger.path("log/tile/0")).unwrap();
    fs::hard_link(&staged, ledger.path("log/tile/0/000")).unwrap();
    assert_eq!(ledger.store.put_if_absent("tile/0/000", bytes("half an obj")).await.unwrap(), Put::Same);
    ledger.store.put_if_absent("tile/0/001", bytes("next")).await.unwrap();
    assert!(!staged.exists());
    assert_eq!(ledger.store.get("tile/0/000").await.unwrap(), Some(bytes("half an obj")));
}

#[tokio::test]
async fn what_is_too_large_is_neither_read_nor_written() {
    let ledger = Fixture::new();
    ledger.store.put_if_absent(NAME, bytes("12345")).await.unwrap();
    assert_eq!(ledger.store.get_at_most(NAME, 5).await.unwrap(), Some(bytes("12345")));
    let error = ledger.store.get_at_most(NAME, 4).await.unwrap_err();
    assert!(matches!(error, LedgerStoreError::TooLarge { bytes: 5, max: 4, .. }) && !error.is_retryable(), "{error}");

    let huge = ledger.path("log/huge");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let error = ledger.store.get("huge").await.unwrap_err();
    assert_eq!(error.to_string(), "log/huge of 1099511627776 bytes is larger than 8388608");
    let error = ledger.store.put_if_absent("huge", bytes("x")).await.unwrap_err();
    assert!(matches!(error, LedgerStoreError::Different { .. }), "{error}");
    fs::File::create(ledger.path("checkpoint")).unwrap().set_len(MAX_CHECKPOINT_BYTES + 1).unwrap();
    assert!(matches!(ledger.store.get_checkpoint().await, Err(LedgerStoreError::TooLarge { .. })));

    let most = usize::try_from(MAX_OBJECT_BYTES).unwrap();
    assert_eq!(ledger.store.put_if_absent("most", vec![7; most].into()).await.unwrap(), Put::New);
    assert_eq!(ledger.store.get("most").await.unwrap().unwrap().len(), most);
    let error = ledger.store.put_if_absent("more", vec![7; most + 1].into()).await.unwrap_err();
    assert!(matches!(error, LedgerStoreError::TooLarge { .. }), "{error}");
    assert_eq!(ledger.store.get("more").await.unwrap(), None);
    let note = "x".repeat(usize::try_from(MAX_CHECKPOINT_BYTES).unwrap() + 1);
    assert!(matches!(ledger.store.put_checkpoint(&note).await, Err(LedgerStoreError::TooLarge { .. })));
}

#[tokio::test]
async fn a_folder_that_is_gone_is_an_error_and_is_not_made_anew() {
    let ledger = Fixture::new();
    ledger.store.put_if_absent(NAME, bytes("one")).await.unwrap();
    ledger.store.put_checkpoint("a note").await.unwrap();
    // As when a volume isn't mounted: the mount point is there, and nothing in it.
    let elsewhere = tempfile::tempdir().unwrap();
    for below in ["log", "checkpoint", "staging"] {
        fs::rename(ledger.path(below), elsewhere.path().join(below)).unwrap();
    }
    let gone = |error: LedgerStoreError| {
        assert!(matches!(error, LedgerStoreError::Folder { .. }) && error.is_retryable(), "{error}");
        assert!(!error.to_string().contains(ledger.folder.path().to_str().unwrap()), "{error}");
    };
    gone(ledger.store.get(NAME).await.unwrap_err());
    gone(ledger.store.get_checkpoint().await.unwrap_err());
    gone(ledger.store.put_if_absent("tile/0/001", bytes("one")).await.unwrap_err());
    gone(ledger.store.put_checkpoint("another").await.unwrap_err());
    gone(ledger.store.check_access(TIMEOUT).await.unwrap_err());
    gone(ledger.store.check_read_access(TIMEOUT).await.unwrap_err());
    let error = LedgerStore::open_existing(&url(ledger.folder.path())).unwrap_err();
    assert!(matches!(error, LedgerStoreError::Setup(_)) && !error.is_retryable(), "{error}");
    assert_eq!(fs::read_dir(ledger.folder.path()).unwrap().count(), 0);

    for below in ["log", "checkpoint", "staging"] {
        fs::rename(elsewhere.path().join(below), ledger.path(below)).unwrap();
    }
    assert_eq!(ledger.store.get(NAME).await.unwrap(), Some(bytes("one")));
    assert_eq!(ledger.store.get_checkpoint().await.unwrap().as_deref(), Some("a note"));
}

#[tokio::test]
async fn only_the_writer_makes_the_folder() {
    let above = tempfile::tempdir().unwrap();
    let folder = url(&above.path().join("a/b"));
    assert!(matches!(LedgerStore::open_existing(&folder), Err(LedgerStoreError::Setup(_))));
    assert!(!above.path().join("a").exists());
    LedgerStore::open(&folder).unwrap();
    let reader = LedgerStore::open_existing(&folder).unwrap();
    assert_eq!(reader.get(NAME).await.unwrap(), None);
    assert_eq!(reader.get_checkpoint().await.unwrap(), None);
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let ledger = Fixture::new();
    ledger.store.put_checkpoint("a note").await.unwrap();
    for bad in ["../checkpoint", "/etc/passwd", "", "a/../../checkpoint", "Tile", ".x", "a//b", "x#1"] {
        assert!(matches!(ledger.store.get(bad).await, Err(LedgerStoreError::Name(_))), "{bad}");
        let error = ledger.store.put_if_absent(bad, bytes("x")).await.unwrap_err();
        assert!(matches!(error, LedgerStoreError::Name(_)) && !error.is_retryable(), "{bad}");
    }
    assert_eq!(ledger.files().len(), 1);
}

const NOTES: usize = 300;

/// One letter, again and again; each note has another length.
fn note(number: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(number % 26).unwrap());
    letter.to_string().repeat(1 + (number * 997) % 20_000)
}

/// Reads until it is over, once at least; returns how often.
async fn read_checkpoints(store: LedgerStore, is_over: Arc<AtomicBool>) -> u32 {
    let mut reads = 0;
    while !is_over.load(Ordering::Relaxed) || reads == 0 {
        let found = store.get_checkpoint().await.unwrap().expect("a checkpoint is always there");
        assert!(found.bytes().all(|letter| letter == found.as_bytes()[0]), "a torn checkpoint");
        assert!((0..NOTES).any(|number| note(number).len() == found.len()), "half a checkpoint");
        reads += 1;
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_checkpoint_is_replaced_whole_while_a_thousand_read_it() {
    let ledger = Fixture::new();
    ledger.store.put_checkpoint(&note(0)).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..1_000 {
        readers.spawn(read_checkpoints(ledger.store.clone(), Arc::clone(&is_over)));
    }
    for number in 1..NOTES {
        ledger.store.put_checkpoint(&note(number)).await.unwrap();
    }
    assert_eq!(ledger.store.get_checkpoint().await.unwrap(), Some(note(NOTES - 1)));
    is_over.store(true, Ordering::Relaxed);
    let reads: u32 = readers.join_all().await.into_iter().sum();
    assert!(reads >= 1_000);
    assert_eq!(ledger.files().into_keys().collect::<Vec<_>>(), ["checkpoint"]);
}

#[tokio::test]
async fn a_checkpoint_that_is_not_text_is_an_error() {
    let ledger = Fixture::new();
    fs::write(ledger.path("checkpoint"), [0xff, 0xfe]).unwrap();
    let error = ledger.store.get_checkpoint().await.unwrap_err();
    assert_eq!(error.to_string(), "checkpoint in the ledger store is not text");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_check_leaves_two_sentences_and_can_be_repeated() {
    let ledger = Fixture::new();
    ledger.store.check_read_access(TIMEOUT).await.unwrap();
    assert_eq!(ledger.files().len(), 0, "who reads writes nothing");
    for _ in 0..3 {
        ledger.store.check_access(TIMEOUT).await.unwrap();
        ledger.store.check_read_access(TIMEOUT).await.unwrap();
        assert_eq!(ledger.files().keys().map(String::as_str).collect::<Vec<_>>(), ["check", "log/check"]);
    }
    fs::write(ledger.path("log/check"), "altered").unwrap();
    assert!(matches!(ledger.store.check_access(TIMEOUT).await, Err(LedgerStoreError::Different { .. })));
    fs::remove_dir_all(ledger.path("staging")).unwrap();
    fs::remove_file(ledger.path("log/check")).unwrap();
    fs::write(ledger.path("staging"), "in the way").unwrap();
    let error = ledger.store.check_access(TIMEOUT).await.unwrap_err();
    assert!(matches!(error, LedgerStoreError::Folder { .. }), "{error}");
}
