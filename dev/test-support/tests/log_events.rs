//! The table of warnings and errors is true, and tests are held to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use test_support::{Expectations, Fault, Service, log_events};

/// Where the services' code is.
const CRATES: [&str; 3] = ["api-gateway", "sync-worker", "cleanup-worker"];

#[test]
fn the_table_names_every_warning_and_error_of_the_services_and_no_other() {
    let mut in_code = BTreeSet::new();
    for file in sources() {
        let code = std::fs::read_to_string(&file).unwrap();
        // Tests log what they want.
        let code = code.split("#[cfg(test)]\nmod ").next().unwrap();
        for (call, level) in [("warn!(", "WARN"), ("error!(", "ERROR")] {
            for (start, _) in code.match_indices(call) {
                let arguments = &code[start + call.len()..];
                let text = last_text(arguments).unwrap_or_else(|| panic!("{}: a {call} without text", file.display()));
                in_code.insert(format!("`{text}` | {level}"));
            }
        }
    }
    let in_table: BTreeSet<String> =
        log_events().iter().map(|event| format!("`{}` | {}", event.text, event.level)).collect();
    let missing: Vec<&String> = in_code.difference(&in_table).collect();
    let gone: Vec<&String> = in_table.difference(&in_code).collect();
    assert!(missing.is_empty() && gone.is_empty(), "docs/log-events.md lacks {missing:#?}, and is to lose {gone:#?}");
    assert_eq!(log_events().len(), in_table.len(), "docs/log-events.md has an event twice");
}

#[test]
fn every_fault_of_the_table_can_be_expected_and_the_other_way_round() {
    for fault in Fault::ALL {
        let expects = Expectations::default();
        expects.fault(fault);
        assert_ne!(format!("{expects:?}"), format!("{:?}", Expectations::default()), "{}", fault.name());
    }
    let named = Fault::ALL.map(Fault::name);
    for event in log_events() {
        assert!(event.faults().iter().all(|fault| named.contains(fault)), "{event:?}");
    }
}

#[test]
#[should_panic(expected = "docs/log-events.md has no event \"it is late\"")]
fn what_the_table_doesnt_have_cant_be_expected() {
    Expectations::default().event("it is late");
}

/// A gateway that can't do its work: it says so, again and again.
async fn gateway_without_postgres() -> Service {
    let environment = [
        ("DATABASE_URL", "postgres://nobody:nothing@127.0.0.1:9/nothing"),
        ("AMQP_URL", "amqp://127.0.0.1:9"),
        ("VESPA_URL", "http://127.0.0.1:9"),
        ("CREDENTIALS_KEYS", "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("LISTEN", "127.0.0.1:0"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let service = Service::spawn("api-gateway", environment);
    service.wait_until_logged("isn't ready; trying again", Duration::from_secs(20)).await;
    service
}

#[tokio::test]
#[should_panic(expected = "what the service needs isn't ready; trying again")]
async fn a_warning_that_its_test_doesnt_expect_fails_the_test() {
    drop(gateway_without_postgres().await);
}

#[tokio::test]
async fn a_warning_that_its_test_expects_doesnt() {
    let service = gateway_without_postgres().await;
    service.expects.fault(Fault::PostgresAway);
    drop(service);
    let service = gateway_without_postgres().await;
    service.expects.event("what the service needs isn't ready; trying again");
}

#[tokio::test]
#[should_panic(expected = "the test's own reason")]
async fn a_test_that_fails_anyway_fails_for_its_own_reason() {
    let _service = gateway_without_postgres().await;
    panic!("the test's own reason");
}

/// The files of the services and of what they share.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(&root).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        if CRATES.contains(&name.as_str()) || name.starts_with("shared-") {
            collect(&root.join(name).join("src"), &mut files);
        }
    }
    assert!(files.len() > CRATES.len(), "{files:?}");
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The last string among a macro's arguments, which begin here: tracing's text comes last.
fn last_text(arguments: &str) -> Option<String> {
    let (mut depth, mut texts, mut chars) = (1, Vec::new(), arguments.chars());
    while depth > 0 {
        match chars.next()? {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => texts.push(string(&mut chars)?),
            _ => {}
        }
    }
    texts.pop()
}

/// The rest of a string, its opening quote read. A line that ends in a backslash goes on at the next one's first word.
fn string(chars: &mut std::str::Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => match chars.next()? {
                '\n' => *chars = chars.as_str().trim_start().chars(),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}
