//! Rows of many long columns, which make the largest answers that a search can have; and what those cost the gateway.

use std::fs;

use serde_json::{Value, json};
use test_support::TestDatabase;
use tokio::task::JoinSet;

use crate::api::{Api, id_of};
use crate::{Gateway, System};

const COLUMNS: usize = 15;
/// The word that is in all of them.
pub const WORD: &str = "widezebra";

/// A collection with rows of fifteen texts of some 7 KiB each.
pub struct WideRows {
    /// The collection's readable id.
    pub collection: String,
    /// Bytes of all texts.
    pub source_bytes: u64,
    // Dropped with this value.
    _database: TestDatabase,
}

impl WideRows {
    /// Makes `rows` of them and syncs them: a sync-worker must run.
    pub async fn sync(system: &System, api: &Api, rows: u32) -> Self {
        let database = TestDatabase::create().await;
        let columns: Vec<String> = (0..COLUMNS).map(|column| format!("c{column} text")).collect();
        let texts: Vec<String> = (0..COLUMNS).map(|column| format!("repeat('{WORD} {column} ', 600)")).collect();
        let (columns, texts) = (columns.join(", "), texts.join(", "));
        database.execute(&format!("CREATE SCHEMA wide; CREATE TABLE wide.w (id int PRIMARY KEY, {columns})")).await;
        database.execute(&format!("INSERT INTO wide.w SELECT g, {texts} FROM generate_series(1, {rows}) g")).await;
        let lengths: Vec<String> = (0..COLUMNS).map(|column| format!("length(c{column})")).collect();
        let bytes = database.count(&format!("SELECT sum({})::bigint FROM wide.w", lengths.join(" + "))).await;
        let url = url::Url::parse(&database.url).unwrap();
        let credentials = json!({
            "host": url.host_str(), "port": url.port(), "database": database.name(), "user": url.username(),
            "password": url.password(),
        });
        let collection = api.create_collection().await;
        let connection = api.create_connection(&collection, "postgresql", credentials, json!({"schema": "wide"})).await;
        system.wait_for_job(api, &id_of(&connection), "completed").await;
        Self { collection, source_bytes: u64::try_from(bytes).unwrap(), _database: database }
    }

    /// The largest answer that may be asked for, so many times at once: the bytes of each, and the gateway's peak in
    /// MiB.
    pub async fn ask(&self, gateway: &Gateway, strategy: &str, at_once: usize) -> (Vec<usize>, u64) {
        let mut asked = JoinSet::new();
        for _ in 0..at_once {
            let (api, path) = (gateway.api.clone(), format!("/collections/{}/search/instant", self.collection));
            let body = json!({"query": WORD, "retrieval_strategy": strategy, "limit": 1000});
            asked.spawn(async move {
                let answer = api.post(&path, body).await;
                assert_eq!(answer.headers["x-search-incomplete"], "fields");
                let answer = answer.ok();
                assert_eq!(answer["results"].as_array().map(Vec::len), Some(1000));
                answer.to_string().len()
            });
        }
        (asked.join_all().await, peak_mib(gateway))
    }
}

/// The bytes of the fields that the stand-in holds, vectors aside: as they were put.
pub async fn index_bytes(system: &System) -> u64 {
    let (mut bytes, mut continuation) = (0, String::new());
    loop {
        let url = format!("{}/document/v1/?cluster=airweave&wantedDocumentCount=500{continuation}", system.vespa.url);
        let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        for document in answer["documents"].as_array().unwrap() {
            let mut fields = document["fields"].clone();
            fields.as_object_mut().unwrap().remove("dense_embedding");
            bytes += u64::try_from(fields.to_string().len()).unwrap();
        }
        let Some(next) = answer["continuation"].as_str() else { return bytes };
        continuation = format!("&continuation={next}");
    }
}

/// The most memory that the gateway has ever had.
fn peak_mib(gateway: &Gateway) -> u64 {
    let pid = gateway.service.pid().as_raw_nonzero().get();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
