//! A publication that didn't come to its end, and PostgreSQL forgets what it was about (DEL-10, DEL-11).

use std::path::{Path, PathBuf};
use std::time::Duration;

use cleanup_worker::ledger::Ledger;
use shared_ledger::recover::is_small;
use shared_ledger::{RecoveryError, Standing};
use shared_models::PublisherId;
use shared_models::history::LostHistory;
use shared_models::ledger::{
    Checkpoint, Hash, LedgerSigner, LogCopy, bundles_between, read_bundle, read_checkpoint, write_bundle,
};

use crate::support::dying::dying;
use crate::support::installation::Installation;
use crate::support::{keys, signer};

fn note_in(world: &Installation) -> PathBuf {
    world.folder.path().join("checkpoint")
}

/// The size that the newest checkpoint says, after everything that it covers was led to its root.
fn checked_size(folder: &Path) -> u64 {
    let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    let checkpoint = read_checkpoint(&note, &keys()).unwrap().checkpoint;
    let mut copy = LogCopy::new([]);
    for bundle in bundles_between(0, checkpoint.size) {
        let bytes = std::fs::read(folder.join("log").join(bundle.path())).unwrap();
        copy.add_bundle(&bytes, bundle.width).unwrap();
    }
    copy.check_whole(&checkpoint).unwrap();
    checkpoint.size
}

fn ledger(world: &Installation) -> Ledger {
    let (database, publisher) = (world.rows.another_process(), PublisherId::random());
    Ledger { database, signer: signer(), keys: keys(), store: Some(world.store()), publisher }
}

#[tokio::test]
async fn del_10_what_is_signed_beyond_an_older_checkpoint_counts_as_published() {
    for is_missing in [false, true] {
        let world = Installation::new().await;
        let (first, second) = (world.live().await, world.live().await);
        if !is_missing {
            world.delete(first).await;
            world.publish().await;
        }
        let older = std::fs::read(note_in(&world)).ok();
        let kept = world.rows.test.keep().await;
        let cleanup = world.delete(second).await;
        world.facts(300).await;
        world.publish().await;
        // As a process leaves it that dies before its last step.
        match older {
            Some(older) => std::fs::write(note_in(&world), older).unwrap(),
            None => std::fs::remove_file(note_in(&world)).unwrap(),
        }
        world.go_back(&kept).await;

        let database = world.rows.another_process();
        let watch = world.watch(&database, false);
        watch.begin().await;
        let published = 301 + u64::from(!is_missing);
        let behind = LostHistory::Behind { store: published, database: u64::from(!is_missing) };
        assert_eq!(database.history().lost(), Some(behind));
        // A process without the keys sees the same.
        let reader = world.rows.another_process();
        let origin = crate::support::ORIGIN.parse().unwrap();
        shared_ledger::Watch::new(reader.clone(), world.store(), origin, false).begin().await;
        assert_eq!(reader.history().lost(), Some(behind));

        let recovery = world.recovery(&database);
        let missing = recovery.missing().await.unwrap().unwrap();
        assert!(!missing.is_unsigned() && is_small(&missing).is_ok());
        recovery.run(&missing, |_| ()).await.unwrap();
        assert_eq!(world.count(&format!("cleanup WHERE id = '{cleanup}' AND state = 'scheduled'")).await, 1);
        world.publish().await;
        assert_eq!(checked_size(world.folder.path()), published + 1, "with the audit entry of the recovery");
    }
}

#[tokio::test]
async fn del_10_what_nobody_signed_waits_for_a_person_and_is_not_written_over() {
    let world = Installation::new().await;
    let (first, second) = (world.live().await, world.live().await);
    world.delete(first).await;
    world.publish().await;
    let older = std::fs::read(note_in(&world)).unwrap();
    let kept = world.rows.test.keep().await;
    let database = world.rows.another_process();
    let watch = world.watch(&database, false).with_recovery(world.recovery(&database));
    let cleanup = world.delete(second).await;
    world.publish().await;
    watch.begin().await;
    assert!(watch.state().is_ok());
    std::fs::write(note_in(&world), older).unwrap();
    std::fs::remove_file(world.folder.path().join("log/checkpoints/2")).unwrap();
    world.go_back(&kept).await;

    // It saw the entry, but it isn't signed: nothing is put back by itself.
    assert!(database.live_syncs(shared_models::CollectionId::random(), None).await.is_err());
    for _ in 0..2 {
        watch.begin().await;
        assert!(watch.state().is_err());
    }
    world.facts(1).await;
    world.publish().await;
    assert_eq!(world.count("ledger_index").await, 1, "its place isn't given again");
    let recovery = world.recovery(&world.rows.another_process());
    let missing = recovery.missing().await.unwrap().unwrap();
    assert!(missing.is_unsigned() && missing.count() == 1 && missing.counts().deleted == 1);
    assert!(matches!(is_small(&missing), Err(RecoveryError::NotByItself(_))));
    recovery.run(&missing, |_| ()).await.unwrap();
    assert_eq!(world.count(&format!("cleanup WHERE id = '{cleanup}' AND state = 'scheduled'")).await, 1);
    assert_eq!(world.count("ledger_checkpoint WHERE size = 2 AND published_at IS NULL").await, 1);
    watch.begin().await;
    assert!(watch.state().is_ok(), "{:?}", watch.state());
    world.publish().await;
    assert_eq!(checked_size(world.folder.path()), 4);
}

#[tokio::test]
async fn del_10_whoever_overwrites_the_checkpoint_hides_no_lost_history() {
    let foreign = signer_of("unweave.test/other").sign_checkpoint(&other_checkpoint()).unwrap();
    let too_large = "x".repeat(1 << 20);
    for overwritten in ["garbage\n", &foreign, &too_large] {
        let world = Installation::new().await;
        let (first, second) = (world.live().await, world.live().await);
        world.delete(first).await;
        world.publish().await;
        let kept = world.rows.test.keep().await;
        let cleanup = world.delete(second).await;
        world.publish().await;
        std::fs::write(note_in(&world), overwritten).unwrap();
        let whole = world.rows.another_process();
        let watch = world.watch(&whole, false);
        watch.begin().await;
        assert!(whole.history().lost().is_none() && watch.state().unwrap_err().contains("isn't this ledger's"));
        world.go_back(&kept).await;

        let (database, reader) = (world.rows.another_process(), world.rows.another_process());
        world.watch(&database, false).begin().await;
        let origin = crate::support::ORIGIN.parse().unwrap();
        shared_ledger::Watch::new(reader.clone(), world.store(), origin, false).begin().await;
        let behind = Some(LostHistory::Behind { store: 2, database: 1 });
        assert_eq!((database.history().lost(), reader.history().lost()), (behind, behind));
        let recovery = world.recovery(&database);
        let missing = recovery.missing().await.unwrap().unwrap();
        recovery.run(&missing, |_| ()).await.unwrap();
        assert_eq!(world.count(&format!("cleanup WHERE id = '{cleanup}' AND state = 'scheduled'")).await, 1);
        world.publish().await;
        assert_eq!(checked_size(world.folder.path()), 3, "it is repaired");
    }
}

fn signer_of(origin: &str) -> LedgerSigner {
    LedgerSigner::new(origin.parse().unwrap(), "2026".to_owned(), &[7; 32]).unwrap()
}

fn other_checkpoint() -> Checkpoint {
    Checkpoint { origin: "unweave.test/other".parse().unwrap(), size: 9, root: Hash([9; 32]) }
}

#[tokio::test]
async fn del_11_what_does_not_go_on_from_our_entries_stops_nobody_and_is_never_put_back() {
    let world = Installation::new().await;
    world.facts(2).await;
    world.publish().await;
    let live = world.live().await;
    let bundles = world.folder.path().join("log/tile/entries/000.p");
    let ours = std::fs::read(bundles.join("2")).unwrap();
    let ours = read_bundle(&ours, 2).unwrap();
    let strange = write_bundle(&[b"{}".as_slice(), ours[1], ours[1]]).unwrap();
    for (name, content) in [("200", Vec::new()), ("3", strange)] {
        std::fs::write(bundles.join(name), content).unwrap();
        let database = world.rows.another_process();
        let watch = world.watch(&database, false);
        watch.begin().await;
        assert!(database.history().lost().is_none(), "{name}");
        assert!(watch.state().unwrap_err().contains("contradict"), "{name}");
        let refused = world.recovery(&database).missing().await;
        assert!(matches!(refused, Err(RecoveryError::Fork { database: 2, .. })), "{refused:?}");
        std::fs::remove_file(bundles.join(name)).unwrap();
        watch.begin().await;
        assert!(watch.state().is_ok(), "{name}");
    }
    assert_eq!(world.count(&format!("source_connection WHERE id = '{}'", live.connection)).await, 1);
}

#[tokio::test]
async fn a_checkpoint_that_was_set_back_is_replaced_by_the_next_publication() {
    let world = Installation::new().await;
    world.facts(3).await;
    world.publish().await;
    let older = std::fs::read(note_in(&world)).unwrap();
    world.facts(600).await;
    world.publish().await;
    std::fs::write(note_in(&world), &older).unwrap();
    let standing = world.watch(&world.rows.another_process(), false).look().await.unwrap();
    assert!(
        matches!(&standing, Standing::InOrder { store, database: 603 } if store.size() == 603 && store.is_checkpoint_older),
        "{standing:?}"
    );
    world.facts(1).await;
    world.publish().await;
    assert_eq!(checked_size(world.folder.path()), 604);
}

#[tokio::test]
async fn del_11_other_bytes_in_the_store_are_a_fault_until_the_ledger_is_published_again() {
    let world = Installation::new().await;
    world.facts(1).await;
    let ledger = ledger(&world);
    let watch = world.watch(&ledger.database, false);
    ledger.run().await.unwrap();
    world.facts(1).await;
    ledger.sequence().await.unwrap();
    let foreign = world.folder.path().join("log/checkpoints/2");
    std::fs::write(&foreign, "something else").unwrap();
    let error = ledger.run().await.unwrap_err();
    assert!(error.is_contradiction(), "{error}");
    watch.publication(Some(&error));
    assert!(watch.state().unwrap_err().contains("checkpoints/2"));
    watch.begin().await;
    assert!(watch.state().is_err(), "a look that finds nothing wrong doesn't end it");
    std::fs::remove_file(&foreign).unwrap();
    ledger.run().await.unwrap();
    watch.publication(None::<&String>);
    watch.begin().await;
    assert!(watch.state().is_ok(), "{:?}", watch.state());
}

#[tokio::test(flavor = "multi_thread")]
async fn del_10_a_publication_that_dies_anywhere_in_a_failover_is_put_back_or_never_was() {
    let world = Installation::new().await;
    let (first, second) = (world.live().await, world.live().await);
    world.delete(first).await;
    world.publish().await;
    let kept = world.rows.test.keep().await;
    let (mut signed, mut unsigned, mut nothing) = (0, 0, 0);
    let mut polls = 1;
    loop {
        let cleanup = world.delete(second).await;
        world.facts(600).await;
        world.rows.test.execute("UPDATE ledger_publisher SET owner = NULL, lease_expires_at = NULL").await;
        let ended = dying(polls, ledger(&world).run()).await;
        settled(world.folder.path()).await;
        let before = log(world.folder.path());
        // The failover loses what this publication was about.
        world.go_back(&kept).await;
        let recovery = world.recovery(&world.rows.another_process());
        let mut is_back = false;
        while let Some(missing) = recovery.missing().await.unwrap() {
            if missing.is_unsigned() {
                unsigned += 1
            } else {
                signed += 1
            }
            recovery.run(&missing, |_| ()).await.unwrap();
            is_back = true;
        }
        nothing += u32::from(!is_back);
        let known = format!("cleanup WHERE id = '{cleanup}' AND state = 'scheduled'");
        assert_eq!(world.count(&known).await, i64::from(is_back));
        assert_eq!(world.count("source_connection").await, i64::from(!is_back));
        // Whatever was there, the log goes on from it.
        world.facts(1).await;
        world.publish().await;
        let size = checked_size(world.folder.path());
        assert_eq!(i64::try_from(size).unwrap(), world.count("ledger_index").await);
        for (name, bytes) in &before {
            assert_eq!(std::fs::read(name).unwrap(), *bytes, "{} was changed", name.display());
        }
        if ended.is_some() {
            break;
        }
        std::fs::remove_dir_all(world.folder.path()).unwrap();
        world.go_back(&kept).await;
        world.rows.test.execute("UPDATE ledger_checkpoint SET published_at = NULL").await;
        world.publish().await;
        polls += 3;
    }
    assert!(signed > 0 && unsigned > 0 && nothing > 0, "{signed} signed, {unsigned} not, {nothing} times nothing");
}

/// Everything that is written once, with its bytes.
fn log(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.join("log")]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found
}

/// Waits until nothing that was sent by the dead goes on.
async fn settled(folder: &Path) {
    let mut before = log(folder);
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = log(folder);
        if now == before {
            return;
        }
        before = now;
    }
}
