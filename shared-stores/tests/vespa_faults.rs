//! The client while Vespa misbehaves, each way by itself and mixed: an error or the truth, never a wrong zero and never
//! a removal that wasn't one. The faults are the stand-in's: there is nothing to test here against a real Vespa.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use shared_models::{DocumentType, SyncId};
use shared_stores::VespaError;
use shared_stores::vespa::{CensusPlace, IdPage, Part, RemoveLimits, RemoveOutcome, StoredId, Unreachable};

use crate::standin::Standin;
use crate::support::{TIMEOUT, document, id, install_tls};

const DOCUMENTS: u64 = 60;

/// A stand-in that holds documents of one sync, and some of another.
struct Faulty {
    standin: Standin,
    sync: SyncId,
    http: reqwest::Client,
}

impl Faulty {
    async fn start() -> Option<Self> {
        if std::env::var_os("TEST_VESPA_URL").is_some() {
            return None;
        }
        install_tls();
        let standin = Standin::start().await;
        let sync = SyncId::random();
        let http = reqwest::Client::builder().http1_only().tls_certs_only([]).no_proxy().build().unwrap();
        let faulty = Self { standin, sync, http };
        faulty.fill(sync, DOCUMENTS).await;
        faulty.fill(SyncId::random(), 10).await;
        Some(faulty)
    }

    async fn fill(&self, sync: SyncId, count: u64) {
        let kinds = DocumentType::ALL.iter().cycle();
        stream::iter((0..count).zip(kinds))
            .for_each_concurrent(64, |(n, kind)| async move {
                let fields = document(sync, &format!("entity-{n}"), "text");
                let id = id(*kind, sync, &format!("entity-{n}"));
                self.standin.client.put(&id, &fields, TIMEOUT).await.unwrap();
            })
            .await;
    }

    /// Puts these rules in the place of all others.
    async fn rules(&self, rules: Value) {
        self.heal().await;
        let answer = self.http.post(self.url()).json(&rules).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    async fn fault(&self, on: &str, fault: impl Into<Value>) {
        self.rules(json!([{"on": [on], "fault": fault.into()}])).await;
    }

    async fn heal(&self) {
        assert_eq!(self.http.delete(self.url()).send().await.unwrap().status(), 200);
    }

    async fn fired(&self) -> u64 {
        let rules: Value = self.http.get(self.url()).send().await.unwrap().json().await.unwrap();
        rules.as_array().unwrap().iter().map(|rule| rule["fired"].as_u64().unwrap()).sum()
    }

    fn url(&self) -> url::Url {
        self.standin.url.join("standin/v1/faults").unwrap()
    }

    /// How many documents of the sync are there, without any fault.
    async fn left(&self) -> u64 {
        self.heal().await;
        self.standin.client.count(self.sync, TIMEOUT).await.unwrap().get()
    }

    async fn count(&self) -> Result<u64, VespaError> {
        self.standin.client.count(self.sync, TIMEOUT).await.map(|count| count.get())
    }

    async fn page(&self) -> Result<Vec<StoredId>, VespaError> {
        self.whole_page().await.map(|page| page.ids)
    }

    async fn whole_page(&self) -> Result<IdPage, VespaError> {
        self.standin.client.page_of_ids(self.sync, Part::Whole, 10_000, TIMEOUT).await
    }

    async fn census(&self) -> Result<usize, VespaError> {
        self.standin.client.census_page(CensusPlace::default(), TIMEOUT).await.map(|page| page.syncs.len())
    }
}

type IsExpected = fn(&VespaError) -> bool;

/// What every request ends with that Vespa refuses.
fn refusals() -> [(&'static str, IsExpected); 4] {
    [
        ("overload", |error| matches!(error, VespaError::Overloaded)),
        ("unavailable", |error| is_status(error, 503)),
        ("timeout", |error| is_status(error, 504)),
        ("error", |error| is_status(error, 500)),
    ]
}

fn is_status(error: &VespaError, status: u16) -> bool {
    matches!(error, VespaError::Unavailable { how: Unreachable::Status(it), .. } if *it == status)
}

fn partial(hides: f64, looks: &str) -> Value {
    json!({"partial": {"hides": hides, "looks": looks}})
}

#[tokio::test]
async fn a_refused_query_is_an_error_of_its_kind_and_can_be_repeated() {
    let Some(faulty) = Faulty::start().await else { return };
    for (fault, is_expected) in refusals() {
        faulty.fault("query", fault).await;
        let errors =
            [faulty.count().await.unwrap_err(), faulty.page().await.unwrap_err(), faulty.census().await.unwrap_err()];
        for error in errors {
            assert!(is_expected(&error) && error.is_retryable(), "{fault}: {error:?}");
        }
        assert_eq!(faulty.fired().await, 3);
    }
    assert_eq!(faulty.left().await, DOCUMENTS);
}

#[tokio::test]
async fn what_a_query_that_left_documents_out_says_is_no_number() {
    let Some(faulty) = Faulty::start().await else { return };
    let all: HashSet<StoredId> = faulty.page().await.unwrap().into_iter().collect();
    let looks = ["timeout", "adaptive_timeout", "match_phase", "non_ideal_state"];
    let faults = looks.map(|looks| [partial(0.5, looks), partial(1.0, looks)]).into_iter().flatten();
    for fault in faults.chain([json!("missing_type")]) {
        faulty.fault("query", fault.clone()).await;
        let count = faulty.count().await;
        assert!(matches!(count, Err(VespaError::Untrustworthy(_))), "{fault}: {count:?}");
        let census = faulty.census().await;
        assert!(matches!(census, Err(VespaError::Untrustworthy(_))), "{fault}: {census:?}");
        // A page of ids may be short: removing what it lists is a step forward, and an empty one proves nothing.
        let IdPage { ids: page, is_complete } = faulty.whole_page().await.unwrap();
        assert!(!is_complete, "{fault}");
        assert!(page.len() < all.len() && page.iter().all(|id| all.contains(id)), "{fault}: {page:?}");
    }
    // Without hits the error is the whole answer; beside hits they aren't taken.
    faulty.fault("query", partial(0.5, "error")).await;
    assert!(is_status(&faulty.count().await.unwrap_err(), 504));
    let page = faulty.page().await;
    assert!(matches!(page, Err(VespaError::Untrustworthy(_))), "{page:?}");
}

/// The one fault that no single answer shows, so a zero is believed only when another one agrees later: the second look
/// of a cleanup after its settle delay, and the sweep after that.
#[tokio::test]
async fn a_zero_that_looks_full_deceives_one_count_and_no_later_one() {
    let Some(faulty) = Faulty::start().await else { return };
    faulty.rules(json!([{"on": ["query"], "fault": partial(1.0, "unnoticed"), "times": 3}])).await;
    assert_eq!(faulty.count().await.unwrap(), 0);
    assert_eq!(faulty.page().await.unwrap(), []);
    assert_eq!(faulty.census().await.unwrap(), 0);
    assert_eq!(faulty.count().await.unwrap(), DOCUMENTS);
    assert_eq!(faulty.census().await.unwrap(), 2);
}

#[tokio::test]
async fn a_query_without_an_answer_ends_with_its_time() {
    let Some(faulty) = Faulty::start().await else { return };
    faulty.fault("query", json!({"latency": {"millis": 60_000}})).await;
    let short = Duration::from_millis(50);
    let count = faulty.standin.client.count(faulty.sync, short).await;
    assert!(matches!(count, Err(VespaError::Unanswered(_))), "{count:?}");
    faulty.fault("query", json!({"latency": {"millis": 100}})).await;
    assert_eq!(faulty.count().await.unwrap(), DOCUMENTS, "late, and right");
}

#[tokio::test]
async fn a_query_whose_connection_ends_is_answered_or_fails() {
    let Some(faulty) = Faulty::start().await else { return };
    faulty.fault("query", json!({"go_away": "graceful"})).await;
    for _ in 0..3 {
        assert_eq!(faulty.count().await.unwrap(), DOCUMENTS);
        assert_eq!(faulty.page().await.unwrap().len(), 60);
    }
    faulty.rules(json!([{"on": ["query"], "fault": {"go_away": "abrupt"}, "every": 2}])).await;
    for _ in 0..3 {
        assert_eq!(faulty.count().await.unwrap(), DOCUMENTS, "on a new connection");
        let page = faulty.page().await;
        assert!(matches!(page, Err(VespaError::Unavailable { how: Unreachable::Io, .. })), "{page:?}");
    }
}

/// Removes the first documents, and holds what is claimed against what is there.
async fn remove(faulty: &Faulty, rules: Value, limits: RemoveLimits) -> (RemoveOutcome, u64) {
    let page = faulty.page().await.unwrap();
    faulty.rules(rules).await;
    let outcome = faulty.standin.client.remove_many(&page, limits).await;
    let given = outcome.removed + outcome.kept + outcome.failed + outcome.not_started;
    assert_eq!(given, u64::try_from(page.len()).unwrap(), "{outcome:?}");
    assert_eq!(outcome.failed == 0, outcome.first_error.is_none(), "{outcome:?}");
    let left = faulty.left().await;
    assert!(left + outcome.removed <= given, "claimed more than is gone: {left} left, {outcome:?}");
    (outcome, left)
}

#[tokio::test]
async fn a_refused_removal_is_never_counted_as_done() {
    let Some(faulty) = Faulty::start().await else { return };
    for (fault, is_expected) in refusals() {
        let limits = RemoveLimits { total: Duration::from_millis(200), ..RemoveLimits::default() };
        let (outcome, left) = remove(&faulty, json!([{"on": ["remove"], "fault": fault}]), limits).await;
        assert_eq!((outcome.removed, left), (0, DOCUMENTS), "{fault}");
        assert!(is_expected(outcome.first_error.as_ref().unwrap()), "{fault}: {outcome:?}");
    }
    let rules = json!([{"on": ["remove"], "fault": "unavailable", "every": 3}]);
    let (outcome, left) = remove(&faulty, rules, RemoveLimits::default()).await;
    assert_eq!((outcome.removed, outcome.failed, left), (40, 20, 20), "the others go through");
}

#[tokio::test]
async fn overload_is_waited_out() {
    let Some(faulty) = Faulty::start().await else { return };
    let rules = json!([{"on": ["remove"], "fault": "overload", "probability": 0.5, "seed": 11}]);
    let (outcome, left) = remove(&faulty, rules, RemoveLimits { total: TIMEOUT, ..RemoveLimits::default() }).await;
    assert_eq!((outcome.removed, outcome.failed, left), (DOCUMENTS, 0, 0));
}

#[tokio::test]
async fn a_removal_that_comes_late_has_failed_until_it_is_seen() {
    let Some(faulty) = Faulty::start().await else { return };
    let rules = json!([{"on": ["remove"], "fault": {"late_write": {"millis": 1500}}}]);
    let limits = RemoveLimits { request_timeout: Duration::from_millis(50), ..RemoveLimits::default() };
    let (outcome, left) = remove(&faulty, rules, limits).await;
    assert_eq!((outcome.removed, left), (0, DOCUMENTS));
    let error = outcome.first_error.unwrap();
    assert!(is_status(&error, 504) && error.may_still_apply(), "{error:?}");
    // All of them were under way at once, and all arrive.
    let deadline = std::time::Instant::now() + TIMEOUT;
    while faulty.count().await.unwrap() > 0 {
        assert!(std::time::Instant::now() < deadline, "the late ones never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_goaway_in_mid_batch_loses_nothing_that_is_counted() {
    let Some(faulty) = Faulty::start().await else { return };
    let rules = |ending: &str| json!([{"on": ["remove"], "fault": {"go_away": ending}, "every": 7}]);
    let (graceful, _) = remove(&faulty, rules("graceful"), RemoveLimits::default()).await;
    if let Some(error) = &graceful.first_error {
        assert!(matches!(error, VespaError::Unavailable { how: Unreachable::Io, .. }), "{error:?}");
    }
    faulty.fill(faulty.sync, DOCUMENTS).await;
    let limits = RemoveLimits { in_flight: 8, ..RemoveLimits::default() };
    let (abrupt, left) = remove(&faulty, rules("abrupt"), limits).await;
    assert!(abrupt.failed > 0, "{abrupt:?}");
    let error = abrupt.first_error.unwrap();
    assert!(matches!(error, VespaError::Unavailable { how: Unreachable::Io, .. }), "{error:?}");
    assert!(error.may_still_apply() && left < abrupt.failed + abrupt.not_started, "some were applied unseen");
}

/// Everything at once, as a purge goes about it: pages and removals until two counts in a row are zero.
#[tokio::test]
async fn page_after_page_ends_with_the_truth_whatever_happens_on_the_way() {
    let Some(faulty) = Faulty::start().await else { return };
    for seed in 1..=5 {
        faulty.fill(faulty.sync, DOCUMENTS).await;
        let rule = |on: &str, fault: Value, probability: f64, salt: u64| json!({"on": [on], "fault": fault, "probability": probability, "seed": seed * 100 + salt});
        let rules = json!([
            rule("remove", json!("overload"), 0.2, 1),
            rule("remove", json!("unavailable"), 0.1, 2),
            rule("remove", json!({"late_write": {"millis": 300}}), 0.05, 3),
            rule("remove", json!({"go_away": "abrupt"}), 0.02, 4),
            rule("remove", json!({"go_away": "graceful"}), 0.05, 5),
            rule("query", json!("timeout"), 0.2, 6),
            rule("query", partial(0.7, "timeout"), 0.2, 7),
            rule("query", partial(1.0, "non_ideal_state"), 0.2, 8),
            rule("query", json!("missing_type"), 0.1, 9),
            rule("query", json!({"go_away": "abrupt"}), 0.1, 10),
        ]);
        faulty.rules(rules).await;
        let limits =
            RemoveLimits { in_flight: 16, request_timeout: Duration::from_millis(100), total: Duration::from_secs(2) };
        let mut zeros = 0;
        for _ in 0..1000 {
            if let Ok(page) = faulty.page().await {
                faulty.standin.client.remove_many(&page, limits).await;
            }
            match faulty.count().await {
                Ok(0) => zeros += 1,
                Ok(_) => zeros = 0,
                Err(error) => assert!(error.is_retryable(), "{error:?}"),
            }
            if zeros == 2 {
                break;
            }
        }
        assert_eq!(zeros, 2, "seed {seed}: no end");
        assert_eq!(faulty.left().await, 0, "seed {seed}");
        assert_eq!(faulty.census().await.unwrap(), 1, "the other sync is untouched");
    }
}
