//! Sync ids in capital letters, as a foreign system may write them. Queries find them by any spelling, the conditions
//! of
//! removals don't: such documents would hold up a purge for ever.

use serde_json::json;
use shared_models::SyncId;
use shared_stores::vespa::{Part, RemoveLimits};

use crate::standin::Standin;
use crate::support::TIMEOUT;

async fn put(standin: &Standin, specific: &str, spelled: &str) {
    let url = standin.url.join(&format!("document/v1/airweave/web_entity/docid/{specific}")).unwrap();
    let fields = json!({"fields": {"airweave_system_metadata_sync_id": spelled}});
    let answer = reqwest::Client::new().post(url).body(fields.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_document_is_removed_however_its_sync_is_spelled_and_only_of_that_sync() {
    let standin = Standin::start().await;
    let (sync, live): (SyncId, SyncId) = (
        "abcdefab-cdef-4bcd-8bcd-abcdefabcdef".parse().unwrap(),
        "abcdefab-cdef-4bcd-8bcd-abcdefabcdee".parse().unwrap(),
    );
    let spelled = ["ABCDEFAB-CDEF-4BCD-8BCD-ABCDEFABCDEF", "AbCdEfAb-cdef-4bcd-8bcd-abcdefabcdef", &sync.to_string()];
    for (number, spelled) in spelled.into_iter().enumerate() {
        put(&standin, &format!("web_entity_{number}"), spelled).await;
    }
    put(&standin, "passes", spelled[0]).await;
    put(&standin, "goes", spelled[0]).await;
    let page = standin.client.page_of_ids(sync, Part::Whole, 10, TIMEOUT).await.unwrap().ids;
    assert_eq!(page.len(), 5);
    put(&standin, "passes", &live.to_string().to_uppercase()).await;
    let goes = standin.url.join("document/v1/airweave/web_entity/docid/goes").unwrap();
    assert_eq!(reqwest::Client::new().delete(goes).send().await.unwrap().status(), 200);

    let outcome = standin.client.remove_many(&page, RemoveLimits::default()).await;
    assert!(outcome.first_error.is_none(), "{outcome:?}");
    // What went by itself counts as either.
    assert_eq!((outcome.removed + outcome.kept, outcome.failed), (5, 0));
    assert!(standin.client.count(sync, TIMEOUT).await.unwrap().is_zero());
    assert_eq!(standin.client.count(live, TIMEOUT).await.unwrap().get(), 1);
}
