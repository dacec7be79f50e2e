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
