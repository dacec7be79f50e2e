//! docker-compose.yml can't be run where these tests run. So: every reference in it resolves, and every service binary
//! accepts exactly the environment that the file gives it, and no environment with one variable misspelt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use test_support::service_binary;
use yaml_serde::Value;

const SERVICES: [&str; 3] = ["api-gateway", "sync-worker", "cleanup-worker"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn compose() -> Value {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let mut file: Value = yaml_serde::from_str(&text).unwrap();
    file.apply_merge().unwrap();
    file
}

fn keys(mapping: &Value) -> BTreeSet<String> {
    mapping.as_mapping().map(|m| m.keys().map(|k| k.as_str().unwrap().to_owned()).collect()).unwrap_or_default()
}

fn services(file: &Value) -> BTreeMap<String, Value> {
    let services = file["services"].as_mapping().unwrap();
    services.iter().map(|(name, service)| (name.as_str().unwrap().to_owned(), service.clone())).collect()
}

/// What a user must make: `.env.example` leaves it empty.
const SECRETS: [(&str, &str); 5] = [
    ("POSTGRES_PASSWORD", "p1"),
    ("RABBITMQ_PASSWORD", "p2"),
    ("CREDENTIALS_KEYS", "test:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="),
    ("LEDGER_KEYS", "test:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ="),
    ("INITIAL_API_KEY", "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU"),
];

/// What `.env.example` gives, with secrets filled in.
fn filled_in() -> BTreeMap<String, String> {
    let mut variables = example();
    for (name, value) in SECRETS {
        assert_eq!(variables.insert(name.to_owned(), value.to_owned()).as_deref(), Some(""), "{name} is published");
    }
    variables
}

/// What `.env.example` gives.
fn example() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join(".env.example")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Replaces `${NAME:?text}` and `${NAME:-default}`, as docker compose does with `.env`.
fn interpolate(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = start + rest[start..].find('}').expect("closed");
        let inner = &rest[start + 2..end];
        result.push_str(&rest[..start]);
        let name_end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, operator) = inner.split_at(name_end);
        let value = variables.get(name).filter(|value| !value.is_empty());
        match operator.get(..2) {
            Some(":-") => result.push_str(value.map_or(&operator[2..], String::as_str)),
            Some(":?") => result.push_str(value.unwrap_or_else(|| panic!("{name} isn't in .env.example"))),
            _ => panic!("{inner}: say what happens when it isn't set"),
        }
        rest = &rest[end + 1..];
    }
    result + rest
}

fn environment(service: &str) -> BTreeMap<String, String> {
    let example = filled_in();
    let file = compose();
    let given = file["services"][service]["environment"].as_mapping().unwrap().clone();
    given
        .iter()
        .map(|(name, value)| (name.as_str().unwrap().to_owned(), interpolate(value.as_str().unwrap(), &example)))
        .collect()
}

fn check_config(service: &str, environment: &BTreeMap<String, String>) -> Output {
    Command::new(service_binary(service)).arg("--check-config").env_clear().envs(environment).output().unwrap()
}

#[test]
fn every_reference_in_the_compose_file_resolves() {
    let file = compose();
    let (volumes, secrets) = (keys(&file["volumes"]), keys(&file["secrets"]));
    let all = services(&file);
    let dockerfile = std::fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    for (name, service) in &all {
        for dependency in keys(&service["depends_on"]) {
            assert!(all.contains_key(&dependency), "{name} depends on {dependency}");
        }
        for volume in service["volumes"].as_sequence().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            match source.strip_prefix("./") {
                Some(path) => assert!(root().join(path).exists(), "{name} mounts {path}"),
                None => assert!(volumes.contains(source), "{name} mounts the volume {source}"),
            }
        }
        for secret in service["secrets"].as_sequence().into_iter().flatten() {
            assert!(secrets.contains(secret.as_str().unwrap()), "{name} uses a secret");
        }
        if !service["build"].is_null() {
            let path = service["build"]["dockerfile"].as_str().unwrap();
            assert!(root().join(path).is_file(), "{path}");
            let target = service["build"]["target"].as_str().unwrap();
            assert!(dockerfile.contains(&format!(" AS {target}\n")), "{name}: no stage {target}");
        }
    }
}

#[test]
fn every_service_of_ours_has_a_health_check_limits_and_a_grace_period() {
    let file = compose();
    for name in SERVICES {
        let service = &file["services"][name];
        assert!(!service["healthcheck"]["test"].is_null(), "{name}: health check");
        assert!(!service["deploy"]["resources"]["limits"]["memory"].is_null(), "{name}: limits");
        let grace = service["stop_grace_period"].as_str().unwrap().trim_end_matches('s').parse::<u32>().unwrap();
        assert!(grace >= 20, "{name}: SIGTERM waits for open deletions");
        assert!(service["container_name"].is_null(), "{name}: can't be scaled with a fixed name");
    }
    for worker in ["sync-worker", "cleanup-worker"] {
        assert!(file["services"][worker]["ports"].is_null(), "{worker}: can't be scaled with a fixed port");
    }
}

#[test]
fn every_service_accepts_exactly_the_environment_that_the_file_gives_it() {
    for service in SERVICES {
        let output = check_config(service, &environment(service));
        assert!(output.status.success(), "{service}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The ways in which people misspell.
fn misspellings(name: &str) -> Vec<String> {
    let middle = name.len() / 2;
    let mut swapped: Vec<char> = name.chars().collect();
    swapped.swap(middle - 1, middle);
    vec![
        format!("{}{}", &name[..middle], &name[middle + 1..]),
        format!("{}{}{}", &name[..middle], &name[middle - 1..middle], &name[middle..]),
        swapped.into_iter().collect(),
        format!("{name}S"),
        format!("{name}_"),
        name.to_lowercase(),
        format!("UNWEAVE_{name}"),
        name.replace('_', ""),
    ]
}

#[test]
fn no_service_accepts_an_environment_with_one_variable_misspelt() {
    for service in SERVICES {
        let correct = environment(service);
        for name in correct.keys() {
            for misspelt in misspellings(name).into_iter().filter(|misspelt| !correct.contains_key(misspelt)) {
                let mut wrong = correct.clone();
                let value = wrong.remove(name).unwrap();
                wrong.insert(misspelt.clone(), value);
                let output = check_config(service, &wrong);
                assert!(!output.status.success(), "{service} accepted {misspelt} for {name}");
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                let text = text.trim_end();
                assert!(text.lines().count() == 1, "{service}, {misspelt}: one line, not {text}");
                assert!(text.contains(name.as_str()), "{service}, {misspelt}: the line names {name}: {text}");
            }
        }
    }
}
