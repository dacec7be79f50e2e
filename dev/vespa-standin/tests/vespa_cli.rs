//! The official `vespa` command against the stand-in; it runs if `VESPA_CLI` names the binary.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{SYNC_A, Standin, specifics};

struct Vespa<'a> {
    binary: &'a str,
    target: String,
    home: &'a Path,
}

impl Vespa<'_> {
    async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.binary);
        command.args(arguments).args(["--target", &self.target]).env("VESPA_CLI_HOME", self.home).env("NO_COLOR", "1");
        let described = format!("{command:?}");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{described}\n{text}\n{errors}");
        text
    }
}

/// The command, if there is one; says so if not.
fn binary() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings struct")]
    let binary = std::env::var("VESPA_CLI").ok();
    if binary.is_none() {
        #[expect(clippy::print_stderr, reason = "whoever reads the test's output shall know")]
        let () = eprintln!("skipped: VESPA_CLI doesn't name the vespa command (PyPI: vespacli)");
    }
    binary
}

#[tokio::test]
async fn the_vespa_command_works() {
    let Some(binary) = binary() else { return };
    let standin = Standin::start().await;
    let folder = tempfile::tempdir().unwrap();
    let vespa = Vespa { binary: &binary, target: standin.url(""), home: folder.path() };
    vespa.run(&["status"]).await;

    let document = folder.path().join("document.json");
    std::fs::write(&document, r#"{"fields": {"name": "By hand", "textual_representation": "quick brown fox"}}"#)
        .unwrap();
    let id = "id:airweave:base_entity::a/b c";
    vespa.run(&["document", "put", id, document.to_str().unwrap()]).await;
    assert!(vespa.run(&["document", "get", id]).await.contains("By hand"));
    std::fs::write(&document, r#"{"fields": {"name": {"assign": "Renamed"}}}"#).unwrap();
    vespa.run(&["document", "update", id, document.to_str().unwrap()]).await;
    assert!(vespa.run(&["document", "get", id]).await.contains("Renamed"));

    let feed = folder.path().join("feed.jsonl");
    let long = "a long text that is worth packing ".repeat(40);
    let mut lines: Vec<String> = (0..300)
        .map(|number| {
            format!(
                r#"{{"put": "id:airweave:file_entity::f{number}", "fields": {{"name": "f{number}", "textual_representation": "{long}", "airweave_system_metadata_sync_id": "{SYNC_A}"}}}}"#
            )
        })
        .collect();
    lines.push(r#"{"update": "id:airweave:file_entity::f0", "fields": {"name": {"assign": "first"}}}"#.to_owned());
    lines.push(r#"{"remove": "id:airweave:file_entity::f1"}"#.to_owned());
    std::fs::write(&feed, lines.join("\n")).unwrap();
    let fed = vespa.run(&["feed", feed.to_str().unwrap()]).await;
    assert!(fed.contains("\"feeder.ok.count\": 302"), "{fed}");
    assert_eq!(standin.count(SYNC_A).await, 299);

    for how in ["--stream=true", "--stream=false"] {
        let visited = vespa.run(&["visit", how]).await;
        assert_eq!(visited.matches("id:airweave:").count(), 300, "{how}");
    }
    let selection = "file_entity.name == 'first'";
    let visited = vespa.run(&["visit", "--selection", selection, "--field-set", "[id]"]).await;
    assert_eq!(visited.matches("id:airweave:").count(), 1, "{visited}");
    let mut sliced = 0;
    for slice in ["0", "1"] {
        sliced += vespa.run(&["visit", "--slices", "2", "--slice-id", slice]).await.matches("id:airweave:").count();
    }
    assert_eq!(sliced, 300);
    let found = vespa.run(&["query", "select * from sources * where userInput(@q)", "q=fox"]).await;
    assert!(found.contains("Renamed"), "{found}");

    vespa.run(&["document", "remove", id]).await;
    assert!(!vespa.run(&["visit"]).await.contains(id));
}

#[tokio::test]
async fn the_vespa_command_moves_vectors_and_asks_for_the_nearest() {
    let Some(binary) = binary() else { return };
    let (from, to) = (Standin::start().await, Standin::start().await);
    let folder = tempfile::tempdir().unwrap();
    let vespa = |standin: &Standin| Vespa { binary: &binary, target: standin.url(""), home: folder.path() };
    let feed = folder.path().join("feed.jsonl");
    // Each points a little further away from the first.
    let vector = |number: usize| (0..1536).map(|at| if at < number { 0.1 } else { 0.7 }).collect::<Vec<f64>>();
    let puts = (0..20).map(|number| {
        let fields = json!({"name": format!("n{number}"), "dense_embedding": vector(number * 9),
            "airweave_system_metadata_sync_id": SYNC_A});
        json!({"put": format!("id:airweave:base_entity::{number}"), "fields": fields}).to_string()
    });
    std::fs::write(&feed, puts.collect::<Vec<_>>().join("\n")).unwrap();
    vespa(&from).run(&["feed", feed.to_str().unwrap()]).await;

    let visited = vespa(&from).run(&["visit", "--make-feed"]).await;
    std::fs::write(&feed, visited).unwrap();
    vespa(&to).run(&["feed", feed.to_str().unwrap()]).await;
    let checksum = to.checksum(SYNC_A).await;
    assert_eq!((&checksum["documents"], &checksum), (&json!(20), &from.checksum(SYNC_A).await));

    let query = folder.path().join("query.json");
    let yql = "select * from sources * where ({targetHits:2}nearestNeighbor(dense_embedding, q_embedding))";
    let asked = json!({"yql": yql, "ranking.profile": "semantic", "input.query(q_embedding)": vector(0)});
    std::fs::write(&query, asked.to_string()).unwrap();
    let found = vespa(&to).run(&["query", "--file", query.to_str().unwrap()]).await;
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(specifics(&found), ["0", "1"]);
}
