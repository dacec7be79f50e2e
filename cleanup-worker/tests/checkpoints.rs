//! What is believed of the one object in the ledger store that can be replaced, and by whom (DEL-10).

use std::sync::Arc;

use cleanup_worker::ledger::{Ledger, LedgerError, PublicationError};
use shared_database::Database;
use shared_ledger::{Recovery, RecoveryError, Watch};
use shared_models::history::LostHistory;
use shared_models::ledger::{Checkpoint, Hash, LedgerSigner, TrustedKeys};
use shared_models::{CollectionId, PublisherId};
use tempfile::TempDir;

use crate::support::installation::Installation;
use crate::support::{ORIGIN, keys, signer};

/// A process that has no key of the ledger, as the gateway.
fn reader(world: &Installation) -> (Database, Watch) {
    let database = world.rows.another_process();
    let watch = Watch::new(database.clone(), world.store(), ORIGIN.parse().unwrap(), false);
    (database, watch)
}

fn overwrite(world: &Installation, note: &str) {
    std::fs::write(world.folder.path().join("checkpoint"), note).unwrap();
}

fn signer_with(secret: u8) -> Arc<LedgerSigner> {
    Arc::new(LedgerSigner::new(ORIGIN.parse().unwrap(), "2027".to_owned(), &[secret; 32]).unwrap())
}

/// What a stranger can write: the ledger's name is no secret.
fn forged(size: u64) -> String {
    let checkpoint = Checkpoint { origin: ORIGIN.parse().unwrap(), size, root: Hash([9; 32]) };
    signer_with(99).sign_checkpoint(&checkpoint).unwrap()
}

/// With the name and the number of the key that really signs.
fn forged_with_our_number(size: u64) -> String {
    let checkpoint = Checkpoint { origin: ORIGIN.parse().unwrap(), size, root: Hash([9; 32]) };
    let real = signer().sign_checkpoint(&Checkpoint { size: size + 1, ..checkpoint.clone() }).unwrap();
    let text = forged(size);
    let text = text.split_once("\n\n").unwrap().0;
    format!("{text}\n\n{}", real.split_once("\n\n").unwrap().1)
}

#[tokio::test]
async fn del_10_a_forged_checkpoint_blinds_nobody_to_a_restore() {
    // The same size under another root would be a fork, a larger one is far from every tile.
    for note in [forged(2), forged(1), forged(1 << 40), forged_with_our_number(2), forged_with_our_number(9)] {
        let world = Installation::new().await;
        let (first, second) = (world.live().await, world.live().await);
        world.delete(first).await;
        world.publish().await;
        let kept = world.rows.test.keep().await;
        world.delete(second).await;
        world.publish().await;
        overwrite(&world, &note);
        let (whole, watch) = reader(&world);
        watch.begin().await;
        assert!(whole.live_syncs(CollectionId::random(), None).await.is_ok(), "{note}");
        assert!(watch.state().unwrap_err().contains("isn't this ledger's"), "{note}");

        world.go_back(&kept).await;
        let (database, watch) = reader(&world);
        watch.begin().await;
        assert_eq!(database.history().lost(), Some(LostHistory::Behind { store: 2, database: 1 }), "{note}");
        assert!(database.live_syncs(CollectionId::random(), None).await.is_err());
    }
}

#[tokio::test]
async fn a_forged_checkpoint_over_an_empty_store_stops_nobody() {
    let world = Installation::new().await;
    overwrite(&world, &forged(7));
    let (database, watch) = reader(&world);
    watch.begin().await;
    assert!(database.history().lost().is_none() && watch.state().is_err());
}

fn recovery_with(world: &Installation, signer: &Arc<LedgerSigner>, keys: TrustedKeys) -> Recovery {
    Recovery { keys, signer: signer.clone(), ..world.recovery(&world.rows.another_process()) }
}

#[tokio::test]
async fn del_10_a_restore_from_before_a_new_key_is_noticed_by_those_who_do_not_know_it() {
    let world = Installation::new().await;
    let (first, second) = (world.live().await, world.live().await);
    world.delete(first).await;
    world.publish().await;
    let kept = world.rows.test.keep().await;
    let new = signer_with(9);
    let both: TrustedKeys = [new.verifier().clone(), signer().verifier().clone()].into_iter().collect();
    let ledger = |signer: &Arc<LedgerSigner>, keys: &TrustedKeys| Ledger {
        database: world.rows.another_process(),
        signer: signer.clone(),
        keys: keys.clone(),
        store: Some(world.store()),
        publisher: PublisherId::random(),
    };
    let cleanup = world.delete(second).await;
    ledger(&new, &both).run().await.unwrap();
    // PostgreSQL names the new key, also to a worker that wasn't given it: but that one publishes nothing.
    let (database, watch) = reader(&world);
    watch.begin().await;
    assert!(watch.state().is_ok() && database.history().lost().is_none());
    world.facts(1).await;
    let refused = ledger(&signer(), &keys()).run().await;
    assert!(matches!(refused, Err(LedgerError::Publish(PublicationError::Foreign(_)))), "{refused:?}");

    world.go_back(&kept).await;
    let behind = Some(LostHistory::Behind { store: 2, database: 1 });
    for with_key in [false, true] {
        let (database, watch) = reader(&world);
        let watch = if with_key { watch.with_keys(keys()) } else { watch };
        watch.begin().await;
        assert_eq!(database.history().lost(), behind);
    }
    // What it can't verify it doesn't put back.
    let unknown = recovery_with(&world, &signer(), keys()).missing().await;
    assert!(matches!(unknown, Err(RecoveryError::UnknownKey(_))), "{unknown:?}");
    let recovery = recovery_with(&world, &new, both.clone());
    let missing = recovery.missing().await.unwrap().unwrap();
    assert!(!missing.is_unsigned());
    recovery.run(&missing, |_| ()).await.unwrap();
    assert_eq!(world.count(&format!("cleanup WHERE id = '{cleanup}' AND state = 'scheduled'")).await, 1);
}

#[tokio::test]
async fn del_10_a_loss_that_turns_out_to_be_a_fork_ends_with_an_alarm() {
    let world = Installation::new().await;
    let (one, other) = (world.live().await, world.live().await);
    let kept = world.rows.test.keep().await;
    world.delete(one).await;
    world.publish().await;
    world.go_back(&kept).await;
    let (database, watch) = reader(&world);
    watch.begin().await;
    assert_eq!(database.history().lost(), Some(LostHistory::Behind { store: 1, database: 0 }));
    // Somebody gives the place to another entry, who doesn't look at this store.
    world.delete(other).await;
    let elsewhere = Installation { rows: world.rows, folder: TempDir::new().unwrap() };
    elsewhere.publish().await;
    watch.begin().await;
    assert!(database.history().lost().is_none(), "there is nothing to be waited for");
    assert!(database.live_syncs(CollectionId::random(), None).await.is_ok());
    assert!(watch.state().unwrap_err().contains("contradict"));
}

#[tokio::test]
async fn a_loss_ends_when_what_nobody_signed_is_removed_and_not_when_what_was_signed_is() {
    for is_signed in [false, true] {
        let world = Installation::new().await;
        let (first, second) = (world.live().await, world.live().await);
        world.delete(first).await;
        world.publish().await;
        let kept = world.rows.test.keep().await;
        let older = std::fs::read_to_string(world.folder.path().join("checkpoint")).unwrap();
        world.delete(second).await;
        world.publish().await;
        world.go_back(&kept).await;
        let log = world.folder.path().join("log");
        overwrite(&world, &older);
        if !is_signed {
            std::fs::remove_file(log.join("checkpoints/2")).unwrap();
        }
        let (database, watch) = reader(&world);
        watch.begin().await;
        assert_eq!(database.history().lost(), Some(LostHistory::Behind { store: 2, database: 1 }));
        std::fs::remove_file(log.join("tile/entries/000.p/2")).unwrap();
        if is_signed {
            std::fs::remove_file(log.join("checkpoints/2")).unwrap();
        }
        watch.begin().await;
        assert_eq!(database.history().lost().is_some(), is_signed, "a store that was set back says nothing");
    }
}

/// An installation of 40 entries that are signed, which PostgreSQL has forgotten but for the first 20.
async fn restored() -> (Installation, String) {
    let world = Installation::new().await;
    world.facts(10).await;
    world.publish().await;
    let older = std::fs::read_to_string(world.folder.path().join("checkpoint")).unwrap();
    world.facts(10).await;
    world.publish().await;
    let kept = world.rows.test.keep().await;
    world.facts(20).await;
    world.publish().await;
    world.go_back(&kept).await;
    (world, older)
}

#[tokio::test]
async fn del_10_whatever_a_stranger_adds_to_the_store_hides_no_lost_history() {
    let (world, older) = restored().await;
    let log = world.folder.path().join("log");
    let put = |name: &str, content: &[u8]| {
        let file = log.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        assert!(!file.exists(), "{name}: what is locked isn't replaced");
        std::fs::write(file, content).unwrap();
    };
    let is_lost = async |what: &str| {
        let (database, watch) = reader(&world);
        watch.begin().await;
        let lost = database.history().lost();
        assert!(matches!(lost, Some(LostHistory::Behind { database: 20, .. })), "{what}: {lost:?}");
        assert!(database.live_syncs(CollectionId::random(), None).await.is_err());
    };
    is_lost("nothing added").await;
    // A checkpoint that can't be read, for a bundle that is none.
    put("tile/entries/000.p/250", b"junk");
    put("checkpoints/250", &vec![7; 9 << 20]);
    is_lost("a huge checkpoint").await;
    // So many full bundles that the end of the log seems to be far away, and a genuine older checkpoint.
    for step in 1..=9 {
        let index = (1_u32 << step) - 2;
        put(&format!("tile/entries/{index:03}"), b"");
    }
    overwrite(&world, &older);
    is_lost("junk far away").await;
    overwrite(&world, &forged(1 << 40));
    is_lost("a forged checkpoint, too").await;
    // Where not even a key is known, as after a restore from before it was made.
    world.rows.test.execute("DELETE FROM ledger_key").await;
    is_lost("no key").await;
    overwrite(&world, &older);
    is_lost("an older checkpoint by a key that isn't known").await;
}

#[tokio::test]
async fn del_10_what_nobody_signed_ends_no_loss() {
    let (world, older) = restored().await;
    let (database, watch) = reader(&world);
    watch.begin().await;
    let behind = Some(LostHistory::Behind { store: 40, database: 20 });
    assert_eq!(database.history().lost(), behind);
    // Somebody takes the signed entries away and leaves others that contradict.
    let bundles = world.folder.path().join("log/tile/entries/000.p");
    std::fs::remove_file(world.folder.path().join("log/checkpoints/40")).unwrap();
    std::fs::remove_file(bundles.join("40")).unwrap();
    std::fs::write(bundles.join("200"), b"junk").unwrap();
    overwrite(&world, &older);
    watch.begin().await;
    assert_eq!(database.history().lost(), behind);
}

#[tokio::test]
async fn a_forged_checkpoint_is_replaced_by_the_next_publication() {
    let world = Installation::new().await;
    world.facts(3).await;
    world.publish().await;
    for note in [forged(2), forged(9), forged_with_our_number(9)] {
        overwrite(&world, &note);
        world.facts(1).await;
        world.publish().await;
        let told = std::fs::read_to_string(world.folder.path().join("checkpoint")).unwrap();
        assert!(shared_models::ledger::read_checkpoint(&told, &keys()).is_ok(), "{told}");
    }
}
