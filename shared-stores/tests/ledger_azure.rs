//! The ledger store on Azure: against Azurite, as in `arf_azure`.

use bytes::Bytes;
use futures::future::join_all;
use shared_stores::ledger::{LedgerStore, LedgerStoreError, Put};

use crate::arf_azure::Azurite;
use crate::ledger_bucket::keeps_what_it_gets;
use crate::support::TIMEOUT;

fn open(azurite: &Azurite, container: &str) -> LedgerStore {
    let url = format!("az://{container}/team/ledger").parse().unwrap();
    LedgerStore::open_with(&url, &azurite.settings()).unwrap()
}

#[tokio::test]
#[ignore = "needs Azurite: make test-azure"]
async fn a_container_keeps_what_it_gets_and_only_the_checkpoint_changes() {
    let azurite = Azurite::start().await;
    keeps_what_it_gets(&open(&azurite, "blobs")).await;
}

#[tokio::test]
#[ignore = "needs Azurite: make test-azure"]
async fn of_many_writers_of_different_bytes_one_wins_and_all_others_are_told() {
    let azurite = Azurite::start().await;
    let store = open(&azurite, "blobs");
    let puts = (0..50).map(|number: u32| store.put_if_absent("tile/0/000", Bytes::from(number.to_string())));
    let ends = join_all(puts).await;
    assert_eq!(ends.iter().filter(|end| matches!(end, Ok(Put::New))).count(), 1, "{ends:?}");
    let different = ends.iter().filter(|end| matches!(end, Err(LedgerStoreError::Different { .. }))).count();
    assert_eq!(different, 49, "{ends:?}");
}

#[tokio::test]
#[ignore = "needs Azurite: make test-azure"]
async fn a_container_that_is_not_there_is_never_an_empty_one() {
    let azurite = Azurite::start().await;
    let store = open(&azurite, "nowhere");
    for error in [
        store.get("tile/0/000").await.map(drop),
        store.get_checkpoint().await.map(drop),
        store.put_if_absent("tile/0/000", Bytes::new()).await.map(drop),
        store.put_checkpoint("x").await,
        store.check_read_access(TIMEOUT).await,
    ] {
        let told = error.unwrap_err().to_string();
        assert!(told.ends_with("failed in the ledger store: the bucket isn't there"), "{told}");
    }
}
