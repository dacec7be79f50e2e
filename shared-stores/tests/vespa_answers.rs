//! DEL-7: no error, partial answer or garbage becomes a number.

use serde_json::{Value, json};
use shared_models::{DocumentType, SyncId};
use shared_stores::VespaError;
use shared_stores::vespa::{Ranking, SearchRequest, Unreachable};

use crate::canned::CannedServer;
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

#[tokio::test]
async fn one_untrustworthy_type_spoils_the_counts_by_type() {
    let one = json!({"root": {"fields": {"totalCount": 2},
        "coverage": {"full": true, "results": 1, "resultsFull": 1}}});
    let server = CannedServer::always(200, &one).await;
    let sync = SyncId::random();
    let counts = client(&server.url).counts_by_type(sync, TIMEOUT).await.unwrap();
    assert_eq!(counts, DocumentType::ALL.iter().map(|kind| (*kind, 2)).collect());
    let asked: Vec<String> =
        server.asked().iter().map(|asked| String::from_utf8(asked.body.clone()).unwrap()).collect();
    for kind in DocumentType::ALL {
        assert_eq!(asked.iter().filter(|body| body.contains(&format!("from sources {kind} where"))).count(), 1);
    }

    let mut degraded = one.clone();
    degraded["root"]["coverage"]["degraded"] = json!({"timeout": true});
    let mut answers = vec![crate::canned::Canned::new(200, &one); 4];
    answers.push(crate::canned::Canned::new(200, degraded));
    let server = CannedServer::start(answers).await;
    let result = client(&server.url).counts_by_type(sync, TIMEOUT).await;
    assert!(matches!(result, Err(VespaError::Untrustworthy(_))), "{result:?}");
}

fn hit(documentid: &str) -> Value {
    json!({"id": documentid, "relevance": 0.0, "fields": {"sddocname": "web_entity", "documentid": documentid}})
}

async fn page_of(answer: Value) -> Result<Vec<String>, VespaError> {
    let server = CannedServer::always(200, answer).await;
    let page = client(&server.url).page_of_ids(SyncId::random(), 2, TIMEOUT).await?;
    Ok(page.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn a_page_may_be_used_though_vespa_did_not_look_everywhere_or_left_out_hits() {
    let mut answer = healthy(5);
    answer["root"]["children"] = json!([hit("id:airweave:web_entity::a"), hit("id:airweave:web_entity:g=x:b")]);
    let page = page_of(answer.clone()).await.unwrap();
    assert_eq!(page, ["id:airweave:web_entity::a", "id:airweave:web_entity:g=x:b"]);

    answer["root"]["coverage"]["full"] = json!(false);
    assert_eq!(page_of(answer).await.unwrap(), page);

    let mut short = healthy(5);
    short["root"]["children"] = json!([hit("id:airweave:web_entity::a")]);
    assert_eq!(page_of(short).await.unwrap(), page[..1], "one hit of two is missing");
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
    assert!(page_of(healthy(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn groups_that_do_not_add_up_are_untrustworthy() {
    let sync = SyncId::random();
    let group = |value: &str, count: u64| json!({"id": format!("group:string:{value}"), "value": value, "fields": {"count()": count}});
    let mut answer = healthy(7);
    answer["root"]["children"] = json!([{"id": "group:root:0", "children": [
        {"id": "grouplist:airweave_system_metadata_sync_id", "children": [group(&sync.to_string(), 4), group("old", 1), group(&sync.0.simple().to_string(), 2)]}]}]);
    let server = CannedServer::always(200, &answer).await;
    let census = client(&server.url).sync_ids(TIMEOUT).await.unwrap();
    assert_eq!(census.syncs.into_iter().collect::<Vec<_>>(), [(sync, 4)]);
    assert_eq!((census.unreadable, census.is_truncated), (3, false));

    answer["root"]["fields"]["totalCount"] = json!(8);
    let server = CannedServer::always(200, answer).await;
    assert!(matches!(client(&server.url).sync_ids(TIMEOUT).await, Err(VespaError::Untrustworthy(_))));
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
async fn a_census_is_cut_only_where_the_query_profile_says_so() {
    let limit = json!({"root": {"errors": [{"code": 4, "message":
        "The theoretical total number of groups and summaries in grouping query exceeds 'grouping.globalMaxGroups' ( 1 > 2 )"}]}});
    let mut answer = healthy(1);
    answer["root"]["children"] = json!([{"id": "group:root:0", "children": [
        {"children": [{"value": SyncId::random().to_string(), "fields": {"count()": 1}}]}]}]);
    let answers = vec![crate::canned::Canned::new(400, limit), crate::canned::Canned::new(200, answer)];
    let server = CannedServer::start(answers).await;
    assert_eq!(client(&server.url).sync_ids(TIMEOUT).await.unwrap().syncs.len(), 1);
    let asked: Vec<String> =
        server.asked().iter().map(|asked| String::from_utf8(asked.body.clone()).unwrap()).collect();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].contains("max(1000000)") && asked[1].contains("max(10000)"), "{asked:?}");
}
