//! The README's examples can be pasted as they stand: a shell runs its part "Use it" against a whole system.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::Regex;
use system_tests::{System, write_file};
use tokio::process::Command;

/// The longest that the examples may take: several times what they take on a busy machine.
const BOUND: Duration = Duration::from_secs(120);

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn readme() -> String {
    std::fs::read_to_string(repository().join("README.md")).unwrap()
}

/// The shell examples below a heading, up to the next one.
fn examples(readme: &str, heading: &str) -> Vec<String> {
    let below = readme.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    let part = below.split("\n##").next().unwrap();
    let blocks = part.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// Runs commands in this folder, as in a fresh clone beside `make up`; answers what they print.
async fn run(folder: &Path, commands: &str) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-eu", "-c", commands]).current_dir(folder).env("HOME", folder).kill_on_drop(true);
    let ended = tokio::time::timeout(BOUND, shell.output()).await.expect("the examples end").unwrap();
    let (said, complaint) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && complaint.is_empty(), "{}\n{said}\n{complaint}", ended.status);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_examples_run_as_they_stand() {
    let (folder, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_file(root.path(), "serde/README.md", "serde reads and writes json");
    write_file(root.path(), "other/README.md", "nothing of that kind");
    let roots = format!("cargo={}", root.path().display());
    let system = System::new(&[("SETTLE_DELAY", "1s"), ("CLEANUP_POLL_INTERVAL", "1s"), ("FILES_ROOTS", &roots)]).await;
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let known = format!("UNWEAVE_URL='{}'\nUNWEAVE_API_KEY='{}'\n", gateway.api.url, gateway.api.key);
    write_file(folder.path(), ".local/stack.env", &known);

    let readme = readme();
    // What starts the stack: this test has its own.
    let use_it: Vec<_> =
        examples(&readme, "## Use it").into_iter().filter(|block| !block.starts_with("make ")).collect();
    assert_eq!(use_it.len(), 5, "{use_it:#?}");
    let said = run(folder.path(), &use_it.concat()).await;
    let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines[0].contains(r#""readable_id":"my-docs""#), "{said}");
    assert_eq!(lines[1], "serde/README.md", "the hit\n{said}");
    assert!(said.contains("HTTP/1.1 200 OK") && said.contains("\nx-cleanup-id: "), "{said}");
    assert!(said.contains("\nevent: done\n"), "{said}");
    let _verified = system_tests::verified(&serde_json::from_str(lines.last().unwrap()).unwrap());

    std::os::unix::fs::symlink(repository().join(".local/venv"), folder.path().join("airweave")).unwrap();
    let clients = examples(&readme, "### With Airweave's own clients").concat();
    let (install, commands) = clients.split_once('\n').unwrap();
    assert!(install.starts_with("python3 -m venv ~/airweave && "), "{install}");
    let said = run(folder.path(), &format!("set -a; source .local/stack.env; set +a\n{commands}")).await;
    assert!(said.contains("my-docs"), "{said}");
}

#[test]
fn every_target_that_the_readme_names_is_in_the_makefile() {
    let makefile = std::fs::read_to_string(repository().join("Makefile")).unwrap();
    let named = |pattern: &str, text: &str| -> BTreeSet<String> {
        Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let targets = named(r"(?m)^([a-z-]+):.*##", &makefile);
    let used = named(r"(?m)(?:^|`|=\S+ )make ([a-z-]+)", &readme());
    assert!(used.len() > 4 && used.is_subset(&targets), "{used:?}, but there is {targets:?}");
}
