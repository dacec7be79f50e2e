//! DEL-7: no error, partial answer or garbage becomes a number.

use serde_json::{Value, json};
use shared_models::SyncId;
use shared_stores::VespaError;
use shared_stores::vespa::{CensusPlace, Part, Ranking, SearchRequest, Unreachable};

use crate::canned::{Canned, CannedServer};
use crate::support::{TIMEOUT, client};

fn healthy(total: u64) -> Value {
    json!({"root": {"id": "toplevel", "relevance": 1.0, "fields": {"totalCount": total},
        "coverage": {"coverage": 100, "documents": 9, "full": true, "nodes": 5, "results": 5, "resultsFull": 5}}})
}

/// A healthy answer in which one part was replaced, or removed where the value is null.
fn healthy_but(pointer: &str, value: Value) -> Value {
    let mut answer = healthy(0);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = answer.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key);
    } else {
        parent.insert(key.to_owned(), value);
    }
    answer
}

async fn count_of(status: u16, body: impl ToString) -> Result<u64, VespaError> {
    let server = CannedServer::always(status, body).await;
    client(&server.url).count(SyncId::random(), TIMEOUT).await.map(|count| count.get())
}

#[tokio::test]
async fn a_complete_answer_is_a_number() {
    assert_eq!(count_of(200, healthy(0)).await.unwrap(), 0);
    assert_eq!(count_of(200, healthy(12)).await.unwrap(), 12);
}

#[tokio::test]
async fn a_zero_from_a_partial_answer_is_untrustworthy() {
    for (pointer, value) in [
        ("/root/coverage", Value::Null),
        ("/root/coverage/full", json!(false)),
        ("/root/coverage/degraded", json!({"timeout": true, "match-phase": false})),
        ("/root/coverage/results", json!(4)),
        ("/root/coverage/resultsFull", json!(4)),
        ("/root/coverage/resultsFull", json!(0)),
        ("/root/errors", json!([{"code": 12, "summary": "Timed out", "message": "…"}])),
    ] {
        let result = count_of(200, healthy_but(pointer, value)).await;
        assert!(matches!(result, Err(VespaError::Untrustworthy(_))), "{pointer}: {result:?}");
        assert!(result.unwrap_err().is_retryable());
    }
}

#[tokio::test]
async fn four_types_out_of_four_are_not_the_five_asked_for() {
    let mut answer = healthy(0);
    answer["root"]["coverage"]["results"] = json!(4);
    answer["root"]["coverage"]["resultsFull"] = json!(4);
    assert!(matches!(count_of(200, answer).await, Err(VespaError::Untrustworthy(_))));
}

#[tokio::test]
async fn an_answer_of_another_shape_is_malformed() {
    for body in ["", "{", "[]", "{}", "<html>", r#"{"root": 1}"#] {
        let result = count_of(200, body).await;
        assert!(matches!(result, Err(VespaError::Malformed(_))), "{body}: {result:?}");
    }
    for pointer in ["/root/fields", "/root/fields/totalCount", "/root/coverage/full", "/root/coverage/results"] {
        let result = count_of(200, healthy_but(pointer, Value::Null)).await;
        assert!(matches!(result, Err(VespaError::Malformed(_))), "{pointer}: {result:?}");
    }
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    assert!(matches!(count_of(429, "{}").await, Err(VespaError::Overloaded)));
    assert!(matches!(count_of(507, "{}").await, Err(VespaError::FeedBlocked)));
    for status in [408, 500, 502, 503, 504] {
        // A body that looks healthy changes nothing.
        let error = count_of(status, healthy(0)).await.unwrap_err();
        assert!(
            matches!(&error, VespaError::Unavailable { how: Unreachable::Status(s), .. } if *s == status),
            "{error}"
        );
        assert!(error.is_retryable());
    }
    for status in [204, 302, 400, 401, 404, 405, 412] {
        let error = count_of(status, healthy(0)).await.unwrap_err();
        assert!(matches!(&error, VespaError::Rejected { status: s, .. } if *s == status), "{error}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable_and_the_request_was_never_sent() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}").parse().unwrap();
    let error = client(&url).count(SyncId::random(), TIMEOUT).await.unwrap_err();
    assert!(matches!(error, VespaError::Unavailable { how: Unreachable::Connect, .. }), "{error}");
    assert!(!error.may_still_apply());
}

/// An answer to a count of many: groups of these syncs, out of `total`.
fn groups(total: u64, groups: &[(String, u64)]) -> Value {
    let group = |(value, count): &(String, u64)| {
        json!({"id": format!("group:string:{value}"), "relevance": 1.0,
        "value": value, "fields": {"count()": count}})
    };
    let list: Vec<Value> = groups.iter().map(group).collect();
    let mut answer = healthy(total);
    answer["root"]["children"] = json!([{"id": "group:root:0", "relevance": 1.0, "children": [
        {"id": "grouplist:airweave_system_metadata_sync_id", "children": list}]}]);
    answer
}

/// The counts of two syncs, of which the first two groups may be.
async fn counts_of(answer: impl Fn(&str, &str) -> Value) -> Result<[u64; 2], VespaError> {
    let syncs = [SyncId::random(), SyncId::random()];
    let server = CannedServer::always(200, answer(&syncs[0].to_string(), &syncs[1].to_string())).await;
    let counts = client(&server.url).counts(&syncs, TIMEOUT).await?;
    Ok(syncs.map(|sync| counts[&sync].get()))
}

#[tokio::test]
async fn counts_of_many_are_believed_only_if_their_groups_add_up() {
    let owned = |value: &str| value.to_owned();
    let both = counts_of(|one, two| groups(7, &[(owned(one), 3), (owned(two), 4)])).await;
    assert_eq!(both.unwrap(), [3, 4]);
    let one_is_empty = counts_of(|one, _| groups(3, &[(owned(one), 3)])).await;
    assert_eq!(one_is_empty.unwrap(), [3, 0]);
    assert_eq!(counts_of(|_, _| healthy(0)).await.unwrap(), [0, 0]);
    let upper = counts_of(|one, two| groups(7, &[(one.to_uppercase(), 3), (owned(two), 4)])).await;
    assert_eq!(upper.unwrap(), [3, 4], "Vespa's match ignores case, its groups don't");

    let a_group_is_missing = counts_of(|one, _| groups(7, &[(owned(one), 3)])).await;
    let all_are_missing = counts_of(|_, _| healthy(7)).await;
    let too_many = counts_of(|one, two| groups(7, &[(owned(one), 3), (owned(two), 5)])).await;
    let foreign = counts_of(|one, _| groups(7, &[(owned(one), 3), (SyncId::random().to_string(), 4)])).await;
    let degraded = counts_of(|one, two| {
        let mut answer = groups(7, &[(owned(one), 3), (owned(two), 4)]);
        answer["root"]["coverage"]["degraded"] = json!({"non-ideal-state": true});
        answer
    })
    .await;
    for untrustworthy in [a_group_is_missing, all_are_missing, too_many, foreign, degraded] {
        assert!(matches!(untrustworthy, Err(VespaError::Untrustworthy(_))), "{untrustworthy:?}");
    }
}

fn hit(documentid: &str) -> Value {
    json!({"id": documentid, "relevance": 0.0, "fields": {"sddocname": "web_entity", "documentid": documentid}})
}

/// The ids of a page, and whether they are all.
async fn page_of(answer: Value) -> Result<(Vec<String>, bool), VespaError> {
    let server = CannedServer::always(200, answer).await;
    let page = client(&server.url).page_of_ids(SyncId::random(), Part::Whole, 2, TIMEOUT).await?;
    Ok((page.ids.iter().map(ToString::to_string).collect(), page.is_complete))
}

#[tokio::test]
async fn a_page_is_complete_only_if_it_holds_every_match_and_everything_was_looked_at() {
    let mut answer = healthy(2);
    answer["root"]["children"] = json!([hit("id:airweave:web_entity::a"), hit("id:airweave:web_entity::b")]);
    assert!(page_of(answer.clone()).await.unwrap().1);
    assert!(page_of(healthy(0)).await.unwrap().1, "nothing, and that is all");
    for (pointer, value) in [
        ("/root/fields/totalCount", json!(3)),
        ("/root/coverage/full", json!(false)),
        ("/root/coverage/results", json!(4)),
        ("/root/coverage/resultsFull", json!(4)),
        ("/root/coverage", json!(null)),
    ] {
        let mut part = answer.clone();
        *part.pointer_mut(pointer).unwrap() = value;
        assert!(!page_of(part).await.unwrap().1, "{pointer}");
    }
    let mut degraded = answer;
    degraded["root"]["coverage"]["degraded"] = json!({"timeout": true});
    assert!(!page_of(degraded).await.unwrap().1);
}

#[tokio::test]
async fn a_page_may_be_used_though_vespa_did_not_look_everywhere_or_left_out_hits() {
    let mut answer = healthy(5);
    answer["root"]["children"] = json!([hit("id:airweave:web_entity::a"), hit("id:airweave:web_entity:g=x:b")]);
    let (page, _) = page_of(answer.clone()).await.unwrap();
    assert_eq!(page, ["id:airweave:web_entity::a", "id:airweave:web_entity:g=x:b"]);

    answer["root"]["coverage"]["full"] = json!(false);
    assert_eq!(page_of(answer).await.unwrap().0, page);

    let mut short = healthy(5);
    short["root"]["children"] = json!([hit("id:airweave:web_entity::a")]);
    assert_eq!(page_of(short).await.unwrap().0, page[..1], "one hit of two is missing");
}

#[tokio::test]
async fn a_page_without_its_hits_or_with_foreign_ids_is_an_error() {
    assert!(matches!(page_of(healthy(5)).await, Err(VespaError::Untrustworthy(_))), "hits are missing");
    for strange in ["id:airweave:music::a", "index:airweave/0/abc", ""] {
        let mut answer = healthy(1);
        answer["root"]["children"] = json!([hit(strange)]);
        assert!(matches!(page_of(answer).await, Err(VespaError::Malformed(_))), "{strange}");
    }
    let mut answer = healthy(1);
    answer["root"]["children"] = json!([{"id": "x", "relevance": 0.0, "fields": {}}]);
    assert!(matches!(page_of(answer).await, Err(VespaError::Malformed(_))));
    let mut answer = healthy(1);
    answer["root"]["children"] = json!([hit("id:airweave:web_entity::a")]);
    answer["root"]["errors"] = json!([{"code": 10, "summary": "Backend communication error"}]);
    assert!(matches!(page_of(answer).await, Err(VespaError::Untrustworthy(_))));
    assert!(page_of(healthy(0)).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn groups_that_do_not_add_up_are_untrustworthy() {
    let sync = SyncId::random();
    let mut answer = groups(7, &[(sync.to_string(), 4), ("old".to_owned(), 1), (sync.0.simple().to_string(), 2)]);
    let server = CannedServer::always(200, &answer).await;
    let page = client(&server.url).census_page(CensusPlace::default(), TIMEOUT).await.unwrap();
    assert_eq!(page.syncs.into_iter().collect::<Vec<_>>(), [(sync, 4)]);
    assert_eq!((page.unreadable, page.is_cut), (3, false));

    answer["root"]["fields"]["totalCount"] = json!(8);
    let server = CannedServer::always(200, answer).await;
    let page = client(&server.url).census_page(CensusPlace::default(), TIMEOUT).await;
    assert!(matches!(page, Err(VespaError::Untrustworthy(_))), "{page:?}");
}

#[tokio::test]
async fn a_search_with_errors_is_no_result_and_one_without_syncs_asks_nothing() {
    let server =
        CannedServer::always(200, healthy_but("/root/errors", json!([{"code": 12, "summary": "Timed out"}]))).await;
    let client = client(&server.url);
    let ranking = Ranking::Keywords("x".to_owned());
    let mut request = SearchRequest {
        ranking,
        sync_ids: vec![SyncId::random()],
        filter: None,
        limit: 10,
        offset: 0,
        most_bytes: 1 << 24,
    };
    assert!(matches!(client.search(&request, TIMEOUT).await, Err(VespaError::Untrustworthy(_))));
    request.sync_ids.clear();
    assert_eq!(client.search(&request, TIMEOUT).await.unwrap().hits, []);
    assert_eq!(server.asked().len(), 1);
}

/// Vespa says 400 to a question without words and to a request that is wrong: only its text tells which.
#[tokio::test]
async fn a_question_without_words_finds_nothing_and_any_other_refusal_is_one() {
    let refusal = |message: &str| json!({"root": {"errors": [{"code": 4, "summary": "Invalid query parameter", "message": message}]}});
    let search = async |message: &str, question: &str| {
        let server = CannedServer::always(400, refusal(message)).await;
        let ranking = Ranking::Keywords(question.to_owned());
        let sync_ids = vec![SyncId::random()];
        let request = SearchRequest { ranking, sync_ids, filter: None, limit: 10, offset: 0, most_bytes: 1 << 24 };
        client(&server.url).search(&request, TIMEOUT).await
    };
    let empty = "Could not create query from YQL: Empty composite operator (WEAKAND) inside nonEmpty()";
    for question in ["½", "!?", "word"] {
        assert_eq!(search(empty, question).await.unwrap().hits, [], "{question}");
    }
    let wrong = search("Could not create query from YQL: Field 'x' does not exist.", "!?").await;
    assert!(matches!(wrong, Err(VespaError::Rejected { status: 400, .. })), "{wrong:?}");
}

#[tokio::test]
async fn the_last_page_of_a_census_is_cut_only_where_the_query_profile_says_so() {
    let limit = json!({"root": {"errors": [{"code": 4, "message":
        "The theoretical total number of groups and summaries in grouping query exceeds 'grouping.globalMaxGroups' ( 1 > 2 )"}]}});
    let last = groups(1, &[(SyncId::random().to_string(), 1)]);
    let answers = [(200, healthy(0)), (400, limit), (200, last)];
    let server = CannedServer::start(answers.map(|(status, body)| Canned::new(status, body)).to_vec()).await;
    let first = client(&server.url).census_page(CensusPlace::default(), TIMEOUT).await.unwrap();
    let page = client(&server.url).census_page(first.next.unwrap(), TIMEOUT).await.unwrap();
    assert_eq!((page.syncs.len(), page.is_cut, page.next), (1, false, None));
    let asked: Vec<String> =
        server.asked().iter().map(|asked| String::from_utf8(asked.body.clone()).unwrap()).collect();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].contains("where range(airweave_system_metadata_purge_key, 0L, 9223372036854775807L) limit 0"));
    assert!(asked[1].contains("max(100000)") && asked[2].contains("max(10000)"), "{asked:?}");
    assert!(asked[2].contains("where true and !(range(airweave_system_metadata_purge_key, 0L, 9223372036854775807L))"));
}
