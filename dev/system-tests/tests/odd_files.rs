//! Files as people have them, through the whole system: odd bytes, odd times, odd names. One odd file costs at most
//! itself, and what is shown of it clients can read.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use system_tests::api::id_of;
use system_tests::{Api, Gateway, System, Worker, fast_times};

/// A system with a connection to its folder.
struct Folder {
    // In the order in which they are dropped: the services before what they use.
    _worker: Worker,
    gateway: Gateway,
    system: System,
    collection: String,
    connection: String,
}

impl Folder {
    /// Syncs a folder with these files.
    async fn with(files: &[(&str, &[u8])], config: Value) -> Self {
        let system = System::new(&fast_times()).await;
        let (gateway, worker) = (system.gateway().await, system.sync_worker().await);
        for (name, content) in files {
            let path = system.files.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let collection = gateway.api.create_collection().await;
        let made = gateway.api.create_connection(&collection, "files", json!({"root": "test"}), config).await;
        let folder = Self { system, gateway, collection, connection: id_of(&made), _worker: worker };
        folder.system.wait_for_job(folder.api(), &folder.connection, "completed").await;
        folder
    }

    fn api(&self) -> &Api {
        &self.gateway.api
    }

    /// Runs once more and waits for the end.
    async fn run(&self) -> Value {
        let run = self.api().post(&format!("/source-connections/{}/run", self.connection), json!({})).await.ok();
        self.system.wait_for_job(self.api(), &self.connection, "completed").await;
        let job = self.api().last_job(&self.connection).await;
        assert_eq!(job["id"], run["id"]);
        job
    }

    /// The same with this pattern of what to include.
    async fn run_with(&self, include: &str) -> Value {
        let path = format!("/source-connections/{}", self.connection);
        let config = json!({"config": {"include": [include]}});
        let changed = self.api().send(reqwest::Method::PATCH, &path, Some(config)).await.unwrap().ok();
        assert_eq!(changed["config"]["include"], json!([include]));
        self.run().await
    }

    async fn found(&self, question: &str) -> BTreeSet<String> {
        let hits = self.api().search(&self.collection, question).await;
        hits.iter().map(|hit| hit["entity_id"].as_str().unwrap().to_owned()).collect()
    }
}

fn set<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_read_whatever_bytes_are_in_them() {
    let log = ["2024-01-01 Straße gesperrt\n".repeat(200).as_bytes(), b"\x80raw\n", "Größe\n".as_bytes()].concat();
    let utf16: Vec<u8> = "\u{feff}Überweisung".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let folder = Folder::with(
        &[
            ("app.log", &log),
            ("bmw.txt", b"BMW f\xe4hrt, sagt Latin"),
            ("mz.txt", b"MZ ist f\xfcr Latin auch ein Motorrad"),
            ("id3.txt", b"ID3: M\xfcller, Latin"),
            ("pk.txt", b"PK\xf6ln, Latin"),
            ("windows.txt", &utf16),
            ("real.exe", b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0 Latin"),
        ],
        json!({}),
    )
    .await;
    assert_eq!(folder.found("Straße").await, set(["app.log"]), "one stray byte costs one letter");
    assert_eq!(folder.found("Größe").await, set(["app.log"]));
    assert_eq!(folder.found("Latin").await, set(["bmw.txt", "id3.txt", "mz.txt", "pk.txt"]));
    assert_eq!(folder.found("fährt").await, set(["bmw.txt"]));
    assert_eq!(folder.found("Überweisung").await, set(["windows.txt"]));
    let job = folder.api().last_job(&folder.connection).await;
    assert_eq!((&job["entities_failed"], &job["entities_inserted"]), (&json!(1), &json!(6)), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_change_that_nobody_can_say_is_none() {
    let folder = Folder::with(&[("now.txt", b"timezebra"), ("early.txt", b"timezebra")], json!({})).await;
    // Far beyond the years that RFC 3339 has; what file systems keep of it differs.
    for (name, seconds) in [("y10001.txt", 253_402_300_800 + 86_400 * 400), ("far.txt", 9_000_000_000_000)] {
        let path = folder.system.files.path().join(name);
        fs::write(&path, "timezebra").unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(86_400 * 365 * 60);
    let early = folder.system.files.path().join("early.txt");
    File::options().write(true).open(early).unwrap().set_modified(before_1970).unwrap();
    folder.run().await;
    let hits = folder.api().search(&folder.collection, "timezebra").await;
    assert_eq!(hits.len(), 4, "{hits:?}");
    for hit in &hits {
        let time = hit["updated_at"].as_str();
        let readable = time.is_none_or(|time| time.len() <= 32 && time.parse::<DateTime<Utc>>().is_ok());
        assert!(readable, "{hit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_shown_and_found_as_they_are() {
    let files: [(&str, &[u8]); 4] = [
        ("My%20File.txt", b"namezebra"),
        ("100%.md", b"namezebra"),
        ("a+b&c?.txt", b"namezebra"),
        ("50%25.txt", b"namezebra"),
    ];
    let folder = Folder::with(&files, json!({})).await;
    for (name, _) in files {
        let filter = json!([{"conditions": [{"field": "name", "operator": "equals", "value": name}]}]);
        let body = json!({"query": "namezebra", "retrieval_strategy": "keyword", "filter": filter});
        let path = format!("/collections/{}/search/instant", folder.collection);
        let answer = folder.api().post(&path, body).await.ok();
        let found: Vec<&str> =
            answer["results"].as_array().unwrap().iter().filter_map(|hit| hit["entity_id"].as_str()).collect();
        assert_eq!(found, [name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_takes_what_its_author_means_and_says_when_it_takes_nothing() {
    let files: [(&str, &[u8]); 4] = [
        ("docs/a.md", b"patzebra"),
        ("docs/deep/b.md", b"patzebra"),
        ("src/c.rs", b"patzebra"),
        ("docs.md", b"patzebra"),
    ];
    let folder = Folder::with(&files, json!({})).await;
    for (include, expected) in [
        ("docs/", set(["docs/a.md", "docs/deep/b.md"])),
        ("docs", set(["docs/a.md", "docs/deep/b.md"])),
        ("./docs/**", set(["docs/a.md", "docs/deep/b.md"])),
        ("/docs/*", set(["docs/a.md"])),
        ("**/deep/", set(["docs/deep/b.md"])),
        ("*.md", set(["docs.md", "docs/a.md", "docs/deep/b.md"])),
    ] {
        let job = folder.run_with(include).await;
        assert_eq!(folder.found("patzebra").await, expected, "{include}");
        assert_eq!(job["error_details"], Value::Null, "{include}");
    }
    let job = folder.run_with("dosc/").await;
    let warnings = job["error_details"]["warnings"].to_string();
    assert!(warnings.contains("dosc/") && warnings.contains("nothing was found"), "{job}");
}
