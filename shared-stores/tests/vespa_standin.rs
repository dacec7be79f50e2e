//! The client against the stand-in: what is written is counted, found, listed and removed.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;

use futures::{StreamExt, stream};
use shared_models::{DocumentId, DocumentType, SlotRange, SyncId};
use shared_stores::VespaError;
use shared_stores::vespa::{
    CensusPlace, Document, IdPage, MOST_COUNTED, Part, Ranking, RemoveLimits, SearchRequest, StoredId,
};

use crate::standin::Standin;
use crate::support::{TIMEOUT, document, id};

/// Writes `count` documents, spread over the five types.
async fn fill(standin: &Standin, sync: SyncId, count: usize) {
    let kinds = DocumentType::ALL.iter().cycle();
    stream::iter(kinds.take(count).enumerate())
        .for_each_concurrent(64, |(n, kind)| async move {
            let entity = format!("entity-{n}");
            let fields = document(sync, &entity, "an ordinary sentence about oranges");
            standin.client.put(&id(*kind, sync, &entity), &fields, TIMEOUT).await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn documents_of_every_type_are_counted_by_sync() {
    let standin = Standin::start().await;
    let (sync, other) = (SyncId::random(), SyncId::random());
    assert!(standin.client.count(sync, TIMEOUT).await.unwrap().is_zero());
    fill(&standin, sync, 12).await;
    fill(&standin, other, 5).await;

    assert_eq!(standin.client.count(sync, TIMEOUT).await.unwrap().get(), 12);
    assert_eq!(census(&standin, CensusPlace::default()).await, (BTreeMap::from([(sync, 12), (other, 5)]), 2));
}

/// The documents of each sync, and in how many pages they were listed.
async fn census(standin: &Standin, beginning: CensusPlace) -> (BTreeMap<SyncId, u64>, usize) {
    let (mut all, mut pages, mut place) = (BTreeMap::new(), 0, Some(beginning));
    while let Some(at) = place {
        let page = standin.client.census_page(at, TIMEOUT).await.unwrap();
        assert_eq!((page.is_cut, page.unreadable), (false, 0));
        for (sync, count) in page.syncs {
            *all.entry(sync).or_default() += count;
        }
        (pages, place) = (pages + 1, page.next);
    }
    (all, pages)
}

#[tokio::test]
async fn a_census_lists_every_sync_in_pages_with_and_without_purge_keys() {
    let standin = Standin::start().await;
    let mut expected = BTreeMap::new();
    for number in 0..40_u64 {
        let sync = SyncId::random();
        fill(&standin, sync, 2).await;
        if number % 4 == 0 {
            let old = Document { purge_key: None, ..document(sync, "old", "x") };
            standin.client.put(&id(DocumentType::Web, sync, "old"), &old, TIMEOUT).await.unwrap();
        }
        expected.insert(sync, if number % 4 == 0 { 3 } else { 2 });
    }
    let old = Document { purge_key: None, ..document(SyncId::random(), "old", "x") };
    standin.client.put(&id(DocumentType::Web, old.sync_id, "old"), &old, TIMEOUT).await.unwrap();
    expected.insert(old.sync_id, 1);
    for size in [5, 12, 5_000] {
        let (listed, pages) = census(&standin, CensusPlace::beginning(size)).await;
        assert_eq!(listed, expected, "{size}");
        assert!(pages > usize::try_from(40 / size).unwrap(), "{pages} pages of {size}");
    }
}

#[tokio::test]
async fn many_syncs_are_counted_in_one_query() {
    let standin = Standin::start().await;
    let (first, second, empty) = (SyncId::random(), SyncId::random(), SyncId::random());
    fill(&standin, first, 12).await;
    fill(&standin, second, 5).await;
    fill(&standin, SyncId::random(), 7).await;
    let counts = async |syncs: &[SyncId]| -> BTreeMap<SyncId, u64> {
        let counts = standin.client.counts(syncs, TIMEOUT).await.unwrap();
        counts.into_iter().map(|(sync, count)| (sync, count.get())).collect()
    };
    assert_eq!(counts(&[first, second, empty]).await, BTreeMap::from([(first, 12), (second, 5), (empty, 0)]));
    assert_eq!(counts(&[empty]).await, BTreeMap::from([(empty, 0)]));
    assert_eq!(counts(&[]).await, BTreeMap::new());
    let many: Vec<SyncId> = (1..MOST_COUNTED).map(|_| SyncId::random()).chain([first]).collect();
    assert_eq!(counts(&many).await.values().sum::<u64>(), 12);
    let too_many: Vec<SyncId> = many.into_iter().chain([second]).collect();
    assert!(matches!(standin.client.counts(&too_many, TIMEOUT).await, Err(VespaError::Setup(_))));
}

#[tokio::test]
async fn slices_of_a_sync_hold_each_document_with_a_purge_key_once() {
    let standin = Standin::start().await;
    let (sync, other) = (SyncId::random(), SyncId::random());
    fill(&standin, sync, 300).await;
    fill(&standin, other, 20).await;
    let old = Document { purge_key: None, ..document(sync, "old", "x") };
    standin.client.put(&id(DocumentType::Web, sync, "old"), &old, TIMEOUT).await.unwrap();
    let (width, mut next, mut seen) = (NonZeroU32::new(5_000).unwrap(), 0, HashSet::new());
    while let Some(slots) = SlotRange::starting_at(next, width) {
        let page = standin.client.page_of_ids(sync, Part::Slots(slots), 10_000, TIMEOUT).await.unwrap();
        assert!(page.is_complete && page.ids.len() < 100, "{}", page.ids.len());
        assert!(page.ids.into_iter().all(|id| seen.insert(id)), "no document is in two slices");
        next = slots.end();
    }
    assert_eq!(seen.len(), 300);
    let whole = standin.client.page_of_ids(sync, Part::Whole, 10_000, TIMEOUT).await.unwrap();
    assert_eq!(whole.ids.iter().filter(|id| !seen.contains(*id)).count(), 1, "the rest is found by its sync alone");
}

#[tokio::test]
async fn a_purge_by_pages_removes_one_sync_and_no_other() {
    let standin = Standin::start().await;
    let (sync, other) = (SyncId::random(), SyncId::random());
    fill(&standin, sync, 250).await;
    fill(&standin, other, 20).await;
    let mut seen: HashSet<StoredId> = HashSet::new();
    let mut removed = 0;
    loop {
        let IdPage { ids: page, is_complete } =
            standin.client.page_of_ids(sync, Part::Whole, 100, TIMEOUT).await.unwrap();
        assert_eq!(page.len(), usize::try_from(250 - removed).unwrap().min(100));
        assert_eq!(is_complete, removed >= 150);
        if page.is_empty() {
            break;
        }
        let outcome = standin.client.remove_many(&page, RemoveLimits::default()).await;
        assert!(outcome.first_error.is_none());
        removed += outcome.removed;
        assert!(page.iter().all(|id| seen.insert(id.clone())), "what is removed isn't listed again");
        let again = standin.client.remove_many(&page, RemoveLimits::default()).await;
        assert_eq!(again.failed, 0, "removing twice is no error");
    }
    assert_eq!(removed, 250);
    assert!(standin.client.count(sync, TIMEOUT).await.unwrap().is_zero());
    assert_eq!(standin.client.count(other, TIMEOUT).await.unwrap().get(), 20);
}

#[tokio::test]
async fn documents_of_other_systems_are_purged_whatever_their_ids() {
    let standin = Standin::start().await;
    let sync = SyncId::random();
    let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    let specifics = [
        "docid/web_entity_http%3A%2F%2Fx%3A80%2Fa%20b%3Fc__chunk_0",
        "docid/%C3%A4%25",
        "docid/a'b%22c",
        "docid/a%2Fb",
    ];
    for rest in specifics {
        let url = standin.url.join(&format!("document/v1/airweave/web_entity/{rest}")).unwrap();
        let fields = serde_json::json!({"fields": {"airweave_system_metadata_sync_id": sync.to_string()}});
        assert_eq!(http.post(url).body(fields.to_string()).send().await.unwrap().status(), 200, "{rest}");
    }
    let page = standin.client.page_of_ids(sync, Part::Whole, 100, TIMEOUT).await.unwrap().ids;
    assert_eq!(page.len(), specifics.len());
    let outcome = standin.client.remove_many(&page, RemoveLimits::default()).await;
    assert!(outcome.first_error.is_none());
    assert!(standin.client.count(sync, TIMEOUT).await.unwrap().is_zero());
}

#[tokio::test]
async fn a_document_that_passed_to_another_sync_after_it_was_listed_is_kept() {
    let standin = Standin::start().await;
    let (sync, live) = (SyncId::random(), SyncId::random());
    let shared = DocumentId { document_type: DocumentType::Email, specific: "email_entity_1__chunk_0".to_owned() };
    standin.client.put(&shared, &document(sync, "a", "x"), TIMEOUT).await.unwrap();
    standin.client.put(&id(DocumentType::Web, sync, "b"), &document(sync, "b", "x"), TIMEOUT).await.unwrap();
    let page = standin.client.page_of_ids(sync, Part::Whole, 10, TIMEOUT).await.unwrap().ids;
    assert_eq!(page.len(), 2);
    standin.client.put(&shared, &document(live, "a", "x"), TIMEOUT).await.unwrap();

    let outcome = standin.client.remove_many(&page, RemoveLimits::default()).await;
    assert_eq!((outcome.removed, outcome.kept, outcome.failed), (1, 1, 0));
    assert!(standin.client.count(sync, TIMEOUT).await.unwrap().is_zero());
    assert_eq!(standin.client.count(live, TIMEOUT).await.unwrap().get(), 1);
}

#[tokio::test]
async fn a_search_finds_the_named_syncs_only_and_returns_what_was_written() {
    let standin = Standin::start().await;
    let (sync, other) = (SyncId::random(), SyncId::random());
    let written = document(sync, "a", "A treatise on marmalade\u{0} and \u{201c}toast\u{201d}");
    let doc = id(DocumentType::File, sync, "a");
    standin.client.put(&doc, &written, TIMEOUT).await.unwrap();
    standin.client.put(&id(DocumentType::Web, other, "b"), &document(other, "b", "marmalade"), TIMEOUT).await.unwrap();
    fill(&standin, sync, 10).await;

    let request = |syncs: Vec<SyncId>| SearchRequest {
        ranking: Ranking::Keywords("marmalade".to_owned()),
        sync_ids: syncs,
        filter: None,
        limit: 10,
        offset: 0,
        most_bytes: 1 << 24,
    };
    let found = standin.client.search(&request(vec![sync]), TIMEOUT).await.unwrap();
    assert!(!found.is_degraded);
    let [hit] = &found.hits[..] else { panic!("{found:?}") };
    assert_eq!(hit.id, StoredId::from(&doc));
    assert!(hit.relevance > 0.0);
    let mut expected = written.clone();
    expected.textual_representation = written.textual_representation.replace('\0', "");
    expected.purge_key = None;
    assert_eq!(hit.document, expected);

    // Thousands of syncs are a long list, and fine; quotes and operators in the words are just words.
    let mut many: Vec<_> = std::iter::repeat_with(SyncId::random).take(5000).collect();
    many.extend([sync, other]);
    assert_eq!(standin.client.search(&request(many), TIMEOUT).await.unwrap().hits.len(), 2);
    let ranking = Ranking::Keywords("\"marmalade') or true; -x @q".to_owned());
    let odd = SearchRequest { ranking, ..request(vec![other]) };
    let hits = standin.client.search(&odd, TIMEOUT).await.unwrap().hits;
    assert!(hits.iter().all(|hit| hit.document.sync_id == other));
}

#[tokio::test]
async fn hits_come_in_pages() {
    let standin = Standin::start().await;
    let sync = SyncId::random();
    fill(&standin, sync, 30).await;
    let mut seen = HashSet::new();
    for offset in [0, 20] {
        let ranking = Ranking::Keywords("oranges".to_owned());
        let request =
            SearchRequest { ranking, sync_ids: vec![sync], filter: None, limit: 20, offset, most_bytes: 1 << 24 };
        let found = standin.client.search(&request, TIMEOUT).await.unwrap();
        seen.extend(found.hits.into_iter().map(|hit| hit.id));
    }
    assert_eq!(seen.len(), 30);
}

#[tokio::test]
async fn a_page_of_thousands_goes_well_within_one_slice() {
    let standin = Standin::start().await;
    let sync = SyncId::random();
    fill(&standin, sync, 3000).await;
    let page = standin.client.page_of_ids(sync, Part::Whole, 10_000, TIMEOUT).await.unwrap().ids;
    assert_eq!(page.len(), 3000);
    let outcome = standin.client.remove_many(&page, RemoveLimits { total: TIMEOUT, ..RemoveLimits::default() }).await;
    assert_eq!((outcome.removed, outcome.failed, outcome.not_started), (3000, 0, 0));
    assert!(standin.client.count(sync, TIMEOUT).await.unwrap().is_zero());
}
