//! What was answered is there after a stop, and after a kill.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{SYNC_A, Standin, h2};

#[tokio::test]
async fn a_stopped_server_comes_back_with_everything() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 5).await;
    standin.delete(&format!("/document/v1/airweave/base_entity/docid/{SYNC_A}.0.0")).await;
    let before = standin.checksum(SYNC_A).await;
    assert_eq!(before["documents"], 24);

    let again = Standin::start_in(standin.stop().await).await;
    assert_eq!(again.checksum(SYNC_A).await, before);
    assert_eq!(again.count(SYNC_A).await, 24);
    let yql = "select documentid from sources * where userInput(@q) limit 0";
    let (_, answer) = again.query(&[("yql", yql), ("q", "text")]).await;
    assert_eq!(answer["root"]["fields"]["totalCount"], 24);
    assert_eq!(answer["root"]["coverage"]["documents"], 24);
    // Numbers go on where they were: a document written now is found by its new words only.
    again.put("base_entity", &format!("{SYNC_A}.1.0"), json!({"textual_representation": "renewed"})).await;
    let (_, answer) = again.query(&[("yql", yql), ("q", "renewed")]).await;
    assert_eq!(answer["root"]["fields"]["totalCount"], 1);
}

#[tokio::test]
async fn words_of_what_was_overwritten_leave_the_index() {
    let standin = Standin::start().await;
    // All at once, so that several land in one batch of the writer.
    let puts = (0..60)
        .map(|number| standin.put("base_entity", "same", json!({"textual_representation": format!("secret{number}")})));
    futures::future::join_all(puts).await;
    standin.delete("/document/v1/airweave/base_entity/docid/same").await;
    let folder = standin.stop().await;
    let index = rusqlite::Connection::open(folder.path().join("documents.sqlite")).unwrap();
    let left: i64 =
        index.query_row("SELECT count(*) FROM words WHERE words MATCH 'secret*'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

/// The program itself, on a free port; killed when dropped.
struct Program {
    child: Child,
    port: u16,
}

impl Program {
    fn start(data: &Path) -> Self {
        let port_file = data.join("port");
        let _ = std::fs::remove_file(&port_file);
        let child = Command::new(env!("CARGO_BIN_EXE_vespa-standin"))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--port-file")
            .arg(&port_file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Self { child, port: 0 };
        let deadline = Instant::now() + Duration::from_secs(30);
        program.port = loop {
            match std::fs::read_to_string(&port_file) {
                Ok(port) => break port.parse().unwrap(),
                Err(_) => assert!(Instant::now() < deadline, "no port within 30 s"),
            }
            assert_eq!(program.child.try_wait().unwrap(), None, "ended while starting");
            std::thread::sleep(Duration::from_millis(10));
        };
        program
    }

    fn kill(&mut self) {
        // SIGKILL: no handler runs.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered() {
    let folder = TempDir::new().unwrap();
    let mut program = Program::start(folder.path());
    let client = h2();
    // Keeps writing until the server dies under it; what was answered counts.
    let port = program.port;
    let writers = (0..8).map(|writer| {
        let client = client.clone();
        async move {
            let mut answered = Vec::new();
            for number in 0.. {
                let path = format!("/document/v1/airweave/base_entity/docid/{writer}-{number}");
                let body = json!({"fields": {"name": "x", "textual_representation": format!("some text {number}")}});
                let put = client.post(format!("http://127.0.0.1:{port}{path}")).json(&body).send().await;
                match put {
                    Ok(response) if response.status() == 200 => answered.push(path),
                    _ => break,
                }
            }
            answered
        }
    });
    let killer = async {
        // Long enough for many commits: wait until documents are visible, then kill in the middle of the stream.
        let url = format!("http://127.0.0.1:{port}/standin/v1/counters");
        loop {
            let counters: serde_json::Value = client.get(&url).send().await.unwrap().json().await.unwrap();
            if counters["put"]["operations"].as_u64().unwrap() > 300 {
                break;
            }
        }
        program.kill();
    };
    let (answered, ()) = futures::future::join(futures::future::join_all(writers), killer).await;
    let answered: Vec<String> = answered.into_iter().flatten().collect();
    assert!(answered.len() > 200, "{}", answered.len());

    let program = Program::start(folder.path());
    let client = h2();
    for path in &answered {
        let status = client.get(format!("http://127.0.0.1:{}{path}", program.port)).send().await.unwrap().status();
        assert_eq!(status, 200, "{path} was answered and is lost");
    }
}

#[tokio::test]
async fn a_termination_ends_the_program_in_good_order() {
    let folder = TempDir::new().unwrap();
    let mut program = Program::start(folder.path());
    let path = "/document/v1/airweave/base_entity/docid/x";
    let url = format!("http://127.0.0.1:{}{path}", program.port);
    // The connection stays open: the program has to close it.
    let client = h2();
    assert_eq!(client.post(url).body("{\"fields\":{}}").send().await.unwrap().status(), 200);
    let signalled = Command::new("kill").arg(program.child.id().to_string()).status().unwrap();
    assert!(signalled.success());
    let ended = tokio::task::spawn_blocking(move || program.child.wait().unwrap());
    let status = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));

    let standin = Standin::start_in(folder).await;
    assert_eq!(standin.get(path).await.0, 200);
}
