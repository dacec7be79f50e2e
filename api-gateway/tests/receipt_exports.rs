//! All receipts of a period, as lines, as a table and as an archive.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::receipt::{Opening, Salt};
use shared_models::wire::cleanup::Cleanup;
use test_support::service_binary;
use zip::ZipArchive;

use crate::gateway::{Answer, Api, Gateway, answer};
use crate::receipts::{Worker, deleted, signer, verified};

async fn export(api: &Api, query: &str) -> Answer {
    api.get(&format!("/receipts{query}")).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(answer: &Answer) -> Vec<String> {
    lines(answer).iter().map(|line| line["receipt_id"].as_str().unwrap().to_owned()).collect()
}

async fn bytes(api: &Api, query: &str) -> Vec<u8> {
    let request = api.request(Method::GET, &format!("/receipts{query}")).header("x-api-key", &api.key);
    let answered = request.send().await.unwrap();
    assert_eq!(answered.status(), 200);
    answered.bytes().await.unwrap().to_vec()
}

fn unpacked(archive: Vec<u8>) -> BTreeMap<String, String> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        files.insert(file.name().unwrap().into_owned(), content);
    }
    files
}

/// What a spreadsheet reads.
fn rows(table: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(table.as_bytes()).deserialize().map(Result::unwrap).collect()
}

/// Three deletions: one under a reference that is a formula, one without, and one whose first receipt was superseded.
struct Three {
    gateway: Gateway,
    worker: Worker,
    cleanups: Vec<Cleanup>,
    /// The receipts in the order in which they were issued; the third was superseded by the fourth.
    receipts: Vec<String>,
}

const REFERENCE: &str = "=HYPERLINK(\"https://evil.test\",\"DSAR,42\")";

impl Three {
    async fn new() -> Self {
        let gateway = Gateway::start().await;
        let worker = Worker::of(&gateway);
        worker.database.use_ledger_key(&signer().verifier().to_string(), "2026").await.unwrap();
        let collection = gateway.api.collection().await;
        let (mut cleanups, mut receipts) = (Vec::new(), Vec::new());
        for reference in [Some(REFERENCE), None, None] {
            let (_, cleanup) = deleted(&gateway, &collection, reference).await;
            let opening = match reference {
                Some(reference) => Some(opening(&gateway, &cleanup, reference).await),
                None => None,
            };
            receipts.push(worker.finish(&gateway, &cleanup, opening.as_ref()).await.to_string());
            cleanups.push(cleanup);
        }
        assert!(worker.database.reopen_cleanup(cleanups[2].sync_id).await.unwrap());
        receipts.push(worker.finish(&gateway, &cleanups[2], None).await.to_string());
        worker.publish().await;
        Self { gateway, worker, cleanups, receipts }
    }
}

async fn opening(gateway: &Gateway, cleanup: &Cleanup, reference: &str) -> Opening {
    let salt = "SELECT deletion_reference_salt FROM cleanup WHERE id = $1";
    let salt: Vec<u8> = gateway.database.client().await.query_one(salt, &[&cleanup.id.0]).await.unwrap().get(0);
    Opening { salt: Salt(salt.try_into().unwrap()), reference: reference.to_owned() }
}

#[tokio::test]
async fn receipts_are_found_by_reference_connection_collection_and_time_and_each_is_evidence() {
    let three = Three::new().await;
    let (api, receipts) = (&three.gateway.api, &three.receipts);
    let all = export(api, "").await;
    assert_eq!(all.headers["content-type"], "application/x-ndjson");
    assert_eq!(&ids(&all), receipts);
    let holds: Vec<_> = lines(&all).iter().map(|line| line["holds"].as_bool().unwrap()).collect();
    assert_eq!(holds, [true, true, false, true]);
    for (line, cleanup) in lines(&all).iter().zip([0, 1, 2, 2]) {
        let proved = verified(&line["file"], &three.cleanups[cleanup]).unwrap();
        assert!(proved.in_ledger.is_some(), "{line}");
    }
    let reference: String = url::form_urlencoded::byte_serialize(REFERENCE.as_bytes()).collect();
    let one = &three.cleanups[1];
    for (query, expected) in [
        (format!("?deletion_reference={reference}"), &receipts[..1]),
        (format!("?source_connection_id={}", one.source_connection_id), &receipts[1..2]),
        (format!("?collection_id={}", one.collection_id), &receipts[..]),
        ("?collection_id=00000000-0000-4000-8000-000000000000".to_owned(), &[]),
        (format!("?since={}", lines(&all)[1]["issued_at"].as_str().unwrap()), &receipts[1..]),
        (format!("?until={}", lines(&all)[1]["issued_at"].as_str().unwrap()), &receipts[..1]),
        ("?since=2100-01-01".to_owned(), &[]),
    ] {
        let found = export(api, &query).await;
        assert_eq!(ids(&found), expected, "{query}");
    }
    for (query, place) in [("?format=xlsx", "format"), ("?since=soon", "since"), ("?limit=1", "limit")] {
        let refused = export(api, query).await;
        assert_eq!((refused.status.as_u16(), refused.text.contains(place)), (422, true), "{query}: {}", refused.text);
    }
}

#[tokio::test]
async fn a_table_is_read_by_spreadsheets_and_starts_no_formula() {
    let three = Three::new().await;
    let api = &three.gateway.api;
    let by_header = |accept: &'static str| {
        let request = api.request(Method::GET, "/receipts").header("x-api-key", &api.key);
        answer(request.header("Accept", accept))
    };
    let table = by_header("application/json;q=0.1, text/csv").await;
    assert_eq!(table.headers["content-type"], "text/csv");
    assert_eq!(table.headers["content-disposition"], "attachment; filename=\"receipts.csv\"");
    let rows = rows(&table.text);
    let told: Vec<&String> = rows.iter().map(|row| &row["receipt_id"]).collect();
    assert_eq!(told, three.receipts.iter().collect::<Vec<_>>());
    assert_eq!(rows[0]["deletion_reference"], format!("'{REFERENCE}"));
    assert_eq!((rows[2]["holds"].as_str(), rows[2]["superseded_reason"].as_str()), ("false", "late_write"));
    assert_eq!((rows[3]["holds"].as_str(), rows[3]["superseded_at"].as_str()), ("true", ""));
    assert_eq!((rows[0]["vespa_removed"].as_str(), rows[0]["arf_removed"].as_str()), ("3", "3"));
    for anything in ["*/*", "application/json", "text/csv;q=0"] {
        assert_eq!(by_header(anything).await.headers["content-type"], "application/x-ndjson", "{anything}");
    }
}

#[tokio::test]
async fn an_archive_has_all_that_a_verifier_needs() {
    let three = Three::new().await;
    let files = unpacked(bytes(&three.gateway.api, "?format=zip").await);
    let file = |at: usize, folder: &str| format!("{folder}/{}.json", three.receipts[at]);
    let mut expected = vec![file(0, "receipts"), file(1, "receipts"), file(2, "superseded"), file(3, "receipts")];
    expected.extend(["README.txt", "checkpoint.txt", "keys.txt", "receipts.csv"].map(str::to_owned));
    expected.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(files["README.txt"].contains("3 receipts hold, 1 don't any more."), "{}", files["README.txt"]);
    assert_eq!(rows(&files["receipts.csv"]).len(), 4);
    // The command that anybody has, with nothing but the archive.
    let folder = tempfile::TempDir::new().unwrap();
    for (name, content) in &files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    for (at, cleanup) in [(0, 0), (1, 1), (3, 2)] {
        let mut verify = Command::new(service_binary("unweave"));
        verify.args(["receipt", "verify", &file(at, "receipts"), "--keys", "keys.txt", "--cleanup"]);
        let verified = verify.arg(three.cleanups[cleanup].id.to_string()).current_dir(&folder).output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}

#[tokio::test]
async fn many_receipts_come_page_by_page_and_whole_under_one_checkpoint() {
    let gateway = Gateway::start().await;
    let worker = Worker::of(&gateway);
    let collection = gateway.api.collection().await;
    let (_, cleanup) = deleted(&gateway, &collection, None).await;
    worker.finish(&gateway, &cleanup, None).await;
    // More than two pages of 200, many of them issued at the same time.
    let copies = "INSERT INTO receipt (id, cleanup_id, signed, issued_at, superseded_at, superseded_reason)
                  SELECT gen_random_uuid(), cleanup_id, signed, issued_at + (n / 100) * interval '1 microsecond',
                         issued_at + interval '1 second', 'late_write'
                  FROM receipt, generate_series(1, 599) n";
    gateway.database.arrange(copies).await;
    let mut told = ids(&export(&gateway.api, "").await);
    assert_eq!(told.len(), 600);
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 600, "none twice");
    assert_eq!(unpacked(bytes(&gateway.api, "?format=zip").await).len(), 600 + 3);
}

#[tokio::test]
async fn del_9_an_export_has_the_caller_s_receipts_alone_and_operators_see_all() {
    let three = Three::new().await;
    let other = three.gateway.other_organization().await;
    assert_eq!(export(&other, "").await.text, "");
    assert_eq!(rows(&export(&other, "?format=csv").await.text), Vec::<BTreeMap<_, _>>::new());
    let collection = other.collection().await;
    let id = crate::gateway::text(&other.stub(&collection, json!({})).await, "id");
    let gone = other.delete(&format!("/source-connections/{id}")).await;
    let path = format!("/cleanups/{}", gone.headers["x-cleanup-id"].to_str().unwrap());
    let cleanup: Cleanup = serde_json::from_value(other.get(&path).await.ok()).unwrap();
    let theirs = three.worker.finish(&three.gateway, &cleanup, None).await.to_string();
    assert_eq!(ids(&export(&other, "").await), std::slice::from_ref(&theirs));
    assert_eq!(ids(&export(&three.gateway.api, "").await), three.receipts);

    let folder = tempfile::TempDir::new().unwrap();
    let by_operator = |arguments: &[&str]| {
        let mut unweave = Command::new(service_binary("unweave"));
        unweave.args(["receipt", "export"]).args(arguments).current_dir(&folder);
        unweave.env("DATABASE_URL", &three.gateway.database.url).output().unwrap()
    };
    let all = by_operator(&[]);
    let all = String::from_utf8(all.stdout).unwrap();
    assert_eq!(all.lines().count(), 5, "of all organizations");
    let organization = cleanup.organization_id.to_string();
    let written = by_operator(&["--organization", &organization, "--format", "csv", "--to", "theirs.csv"]);
    assert!(written.status.success(), "{written:?}");
    let table = std::fs::read_to_string(folder.path().join("theirs.csv")).unwrap();
    assert_eq!(rows(&table).iter().map(|row| row["receipt_id"].clone()).collect::<Vec<_>>(), [theirs]);
    let again = by_operator(&["--to", "theirs.csv"]);
    assert_eq!(again.status.code(), Some(2), "what is there is left alone");
    assert_eq!(std::fs::read_to_string(folder.path().join("theirs.csv")).unwrap(), table);
}
