//! Ranges of the purge key: exact to the last of 63 bits, found through an index, and counted as what the smaller of
//! two sets holds.

use serde_json::{Value, json};

use crate::support::{SYNC_A, SYNC_B, Standin, TYPES, specifics};

const KEY: &str = "airweave_system_metadata_purge_key";
const SYNC: &str = "airweave_system_metadata_sync_id";
/// 48 bits of a sync, then its first slot.
const FIRST: i64 = 0x1111_1111_1111 << 15;

/// A document of the sync with this key.
async fn put(standin: &Standin, doc_type: &str, sync: &str, key: i64, number: usize) {
    let fields = json!({ SYNC: sync, KEY: key });
    standin.put(doc_type, &format!("{sync}.{number}.{key}"), fields).await;
}

/// The answer, and how many documents were examined for it.
async fn ask(standin: &Standin, parameters: &[(&str, &str)]) -> (Value, u64) {
    let examined = async || standin.counters().await["query"]["documents_examined"].as_u64().unwrap();
    let before = examined().await;
    let (status, answer) = standin.query(parameters).await;
    assert_eq!(status, 200, "{answer}");
    (answer, examined().await - before)
}

async fn find(standin: &Standin, condition: &str) -> (u64, u64) {
    let yql = format!("select documentid from sources * where {condition} limit 0");
    let (answer, examined) = ask(standin, &[("yql", &yql)]).await;
    (answer["root"]["fields"]["totalCount"].as_u64().unwrap(), examined)
}

#[tokio::test]
async fn a_range_is_exact_at_every_edge() {
    let standin = Standin::start().await;
    let slot = (1_i64 << 62) + 1;
    let keys =
        [0, 1, FIRST, FIRST + 1, slot, slot + 1, slot + 2, i64::MAX - 512, i64::MAX - 1, i64::MAX, -1, i64::MIN + 1];
    for (number, key) in keys.into_iter().enumerate() {
        put(&standin, "file_entity", SYNC_A, key, number).await;
    }
    standin.put("file_entity", "none", json!({ SYNC: SYNC_A })).await;
    for (low, high) in
        [(0, 0), (1, FIRST), (FIRST + 1, FIRST + 1), (slot + 1, slot + 1), (slot, i64::MAX - 512), (-1, 0)]
    {
        let expected = keys.iter().map(|key| u64::from((low..=high).contains(key))).sum::<u64>();
        for suffix in ["L", "l", ""] {
            let condition = format!("range({KEY}, {low}{suffix}, {high}{suffix})");
            assert_eq!(find(&standin, &condition).await.0, expected, "{condition}");
            let joined = format!("{SYNC} contains \"{SYNC_A}\" and {condition}");
            assert_eq!(find(&standin, &joined).await.0, expected, "{joined}");
        }
    }
    // An open end, or one that no double holds, takes the other's last bits along.
    assert_eq!(find(&standin, &format!("range({KEY}, {}L, Infinity)", slot + 1)).await.0, 6);
    assert_eq!(find(&standin, &format!("range({KEY}, {}L, {}L)", slot + 1, i64::MAX)).await.0, 6);
    assert_eq!(find(&standin, &format!("range({KEY}, {}L, 0L)", FIRST)).await.0, 3, "turned round, as Vespa does");

    let (_, stored) = standin.get(&format!("/document/v1/airweave/file_entity/docid/{SYNC_A}.5.{}", slot + 1)).await;
    assert_eq!(stored["fields"][KEY].as_i64(), Some(slot + 1));
    let selection = crate::support::encoded(&format!("file_entity.{KEY} == {}", slot + 1));
    let visit = format!("/document/v1/?cluster=airweave&wantedDocumentCount=100&selection={selection}");
    assert_eq!(standin.get(&visit).await.1["documentCount"], 1);
    let everything = format!("select * from sources * where range({KEY}, {slot}L, {slot}L)");
    let (answer, _) = ask(&standin, &[("yql", &everything)]).await;
    assert!(answer["root"]["children"][0]["fields"].get(KEY).is_none(), "it is in no summary: {answer}");
}

#[tokio::test]
async fn what_is_examined_is_the_smaller_side() {
    let standin = Standin::start().await;
    for number in 0..8 {
        for doc_type in ["file_entity", "email_entity"] {
            put(&standin, doc_type, SYNC_A, FIRST + number, 0).await;
        }
        // Another sync that shares the 48 bits.
        put(&standin, "file_entity", SYNC_B, FIRST + number, 1).await;
    }
    let range = |low: i64, high: i64| format!("range({KEY}, {}L, {}L)", FIRST + low, FIRST + high);
    let of = |sync: &str| format!("{SYNC} contains \"{sync}\"");
    for (condition, total, examined) in [
        (of(SYNC_A), 16, 16),
        (range(0, 1), 6, 6),
        (format!("{} and {}", of(SYNC_A), range(0, 1)), 4, 6),
        (format!("{} and {}", range(2, 3), of(SYNC_B)), 2, 4),
        (format!("{} and {}", of(SYNC_A), range(0, 7)), 16, 16),
        (format!("{} and {}", of(SYNC_A), range(9, 20)), 0, 0),
        (format!("{} and {}", of("none"), range(0, 7)), 0, 0),
        (format!("{SYNC} in (\"{SYNC_A}\", \"{SYNC_B}\") and {}", range(1, 1)), 3, 3),
        (format!("{} and !({})", of(SYNC_A), range(0, 1)), 12, 16),
        (format!("true and !({})", range(0, 1)), 18, 24),
        (format!("!({})", range(0, 6)), 3, 24),
    ] {
        assert_eq!(find(&standin, &condition).await, (total, examined), "{condition}");
        // Nor does a limit save anything.
        let yql = format!("select documentid from sources * where {condition} limit 1");
        let (answer, of_page) = ask(&standin, &[("yql", &yql)]).await;
        assert_eq!((specifics(&answer).is_empty(), of_page), (total == 0, examined), "{condition}");
    }
}

/// Value and number of documents of each group.
fn groups(answer: &Value) -> Vec<(String, u64)> {
    let list = &answer["root"]["children"][0]["children"][0]["children"];
    let group = |it: &Value| (it["value"].as_str().unwrap().to_owned(), it["fields"]["count()"].as_u64().unwrap());
    list.as_array().map(|list| list.iter().map(group).collect()).unwrap_or_default()
}

#[tokio::test]
async fn a_thousand_syncs_are_looked_at_in_one_query() {
    let standin = Standin::start().await;
    let sync = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
    let fed: [(usize, usize); 3] = [(3, 2), (500, 4), (1007, 1)];
    for (number, documents) in fed {
        for doc_type in &TYPES[..documents] {
            put(&standin, doc_type, &sync(number), 7, 0).await;
        }
    }
    let listed = (0..1000).map(|number| format!("\"{}\"", sync(number))).collect::<Vec<_>>().join(", ");
    let yql = format!(
        "select documentid from sources * where {SYNC} in ({listed}) limit 0 \
         | all(group({SYNC}) max(1000) each(output(count())))"
    );
    let examined = async || standin.counters().await["query"]["documents_examined"].as_u64().unwrap();
    let (status, answer) = standin.send(reqwest::Method::POST, "/search/", Some(json!({ "yql": yql }))).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(groups(&answer), [(sync(500), 4), (sync(3), 2)]);
    assert_eq!(answer["root"]["fields"]["totalCount"], 6);
    assert_eq!(answer["root"]["coverage"]["resultsFull"], 5);
    assert_eq!(examined().await, 6);
    // Written otherwise than it is compared, an id is shown as it is written.
    let shouted = "AAAAAAAA-0000-4000-8000-000000000000";
    put(&standin, "web_entity", shouted, 7, 0).await;
    let yql = yql.replacen("in (", &format!("in (\"{shouted}\", "), 1);
    let (_, answer) = standin.send(reqwest::Method::POST, "/search/", Some(json!({ "yql": yql }))).await;
    assert_eq!(groups(&answer), [(sync(500), 4), (sync(3), 2), (shouted.to_owned(), 1)]);
    assert_eq!(examined().await, 6 + 7);
}

#[tokio::test]
async fn a_census_goes_through_the_keys_page_by_page() {
    let standin = Standin::start().await;
    for number in 0..3 {
        put(&standin, "file_entity", SYNC_A, FIRST + number, 0).await;
        put(&standin, "web_entity", SYNC_B, (0x2222_2222_2222 << 15) + number, 0).await;
    }
    standin.put("base_entity", "old", json!({ SYNC: "of an older version" })).await;
    let page = async |condition: &str| {
        let yql = format!(
            "select documentid from sources * where {condition} limit 0 \
             | all(group({SYNC}) max(1000) each(output(count())))"
        );
        let (answer, examined) = ask(&standin, &[("yql", &yql)]).await;
        (groups(&answer), answer["root"]["fields"]["totalCount"].as_u64().unwrap(), examined)
    };
    let middle = 0x2000_0000_0000_i64 << 15;
    let first = page(&format!("range({KEY}, 0L, {}L)", middle - 1)).await;
    assert_eq!(first, (vec![(SYNC_A.to_owned(), 3)], 3, 3));
    let second = page(&format!("range({KEY}, {middle}L, {}L)", i64::MAX)).await;
    assert_eq!(second, (vec![(SYNC_B.to_owned(), 3)], 3, 3));
    // What has no key is found by what it hasn't, at the price of the corpus.
    let rest = page(&format!("true and !(range({KEY}, 0L, {}L))", i64::MAX)).await;
    assert_eq!(rest, (vec![("of an older version".to_owned(), 1)], 1, 7));
}

#[tokio::test]
async fn a_folder_without_keys_is_brought_up_to_date() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 2).await;
    let before = standin.checksum(SYNC_A).await;
    let folder = standin.stop().await;
    let tables = rusqlite::Connection::open(folder.path().join("documents.sqlite")).unwrap();
    let indexes = |tables: &rusqlite::Connection| {
        let mut statement = tables.prepare("SELECT sql FROM sqlite_master WHERE type = 'index' ORDER BY name").unwrap();
        let indexes = statement.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        indexes.map(Result::unwrap).collect::<Vec<_>>()
    };
    let of_this_version = indexes(&tables);
    tables
        .execute_batch(&format!(
            "DROP INDEX document_by_purge_key; DROP INDEX document_by_cased_sync;
             ALTER TABLE document DROP COLUMN {KEY}; PRAGMA user_version = 3;"
        ))
        .unwrap();
    drop(tables);
    let again = Standin::start_in(folder).await;
    assert_eq!(again.checksum(SYNC_A).await, before);
    let all = format!("range({KEY}, 0L, {}L)", i64::MAX);
    assert_eq!(find(&again, &all).await, (0, 0));
    assert_eq!(find(&again, &format!("{SYNC} contains \"{SYNC_A}\"")).await, (10, 10));
    put(&again, "file_entity", SYNC_A, FIRST, 0).await;
    assert_eq!(find(&again, &all).await, (1, 1));
    let folder = again.stop().await;
    let tables = rusqlite::Connection::open(folder.path().join("documents.sqlite")).unwrap();
    assert_eq!(indexes(&tables), of_this_version);
    let again = Standin::start_in(folder).await;
    assert_eq!(find(&again, &all).await, (1, 1));
}

#[tokio::test]
async fn a_summary_that_no_schema_declares_is_refused_where_hits_are_filled() {
    let standin = Standin::start().await;
    put(&standin, "file_entity", SYNC_A, FIRST, 0).await;
    let yql = format!("select documentid from sources * where {SYNC} contains \"{SYNC_A}\"");
    assert_eq!(standin.query(&[("yql", &yql), ("summary", "default")]).await.0, 200);
    let (status, answer) = standin.query(&[("yql", &yql), ("presentation.summary", "ids")]).await;
    assert_eq!((status.as_u16(), crate::support::message(&answer)), (400, "Summary 'ids' does not exist"));
    assert_eq!(standin.query(&[("yql", &yql), ("summary", "ids"), ("hits", "0")]).await.0, 200);
}
