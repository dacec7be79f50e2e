//! Settings: valid ones start, contradictions are refused in one line, secrets are never shown.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use test_support::service_binary;

use crate::support::SIGNING_KEY;

fn check(settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut environment: BTreeMap<&str, &str> = BTreeMap::from([
        ("DATABASE_URL", "postgres://u:hidden@127.0.0.1/x"),
        ("AMQP_URL", "amqp://u:hidden@127.0.0.1/x"),
        ("VESPA_URL", "http://127.0.0.1:8081"),
        ("ARF_URL", "file:///tmp/nowhere"),
        ("LEDGER_KEYS", SIGNING_KEY),
    ]);
    environment.extend(settings.iter().copied());
    Command::new(service_binary("cleanup-worker")).args(arguments).env_clear().envs(environment).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_defaults_are_valid() {
    let output = check(&[], &["--check-config"]);
    assert!(output.status.success(), "{}", said(&output));
    let hours = [("CLEANUP_ALLOWED_HOURS", "22:00-06:00,12:00-13:00")];
    assert!(check(&hours, &["--check-config"]).status.success());
    let versions = [("ARF_PURGE_VERSIONS", "true"), ("ARF_URL", "s3://bucket/unweave")];
    assert!(check(&versions, &["--check-config"]).status.success());
}

#[test]
fn contradictions_are_refused_in_one_line_that_names_them() {
    for (settings, names) in [
        (vec![("CLAIM_RENEWAL", "30s")], "CLAIM_RENEWAL"),
        (vec![("CLEANUP_SLOTS", "0")], "CLEANUP_SLOTS"),
        (vec![("CLEANUP_SLOTS", "15")], "DATABASE_POOL_SIZE"),
        (vec![("TOKIO_WORKER_THREADS", "0")], "TOKIO_WORKER_THREADS"),
        (vec![("CLEANUP_ALLOWED_HOURS", "22-6")], "CLEANUP_ALLOWED_HOURS"),
        (vec![("CLEANUP_ALLOWED_HOURS", "22:00-6:00")], "in the window '22:00-6:00' '6:00' is no time of the day"),
        (vec![("CLEANUP_TIME_ZONE", "Europe/Atlantis")], "CLEANUP_TIME_ZONE"),
        (vec![("CLEANUP_DEADLINE", "soon")], "CLEANUP_DEADLINE"),
        (vec![("CLEANUP_DEADLINE", "30s")], "SETTLE_DELAY"),
        (vec![("CLEANUP_DEADLINE", "10000y")], "longer than 100 years"),
        (vec![("RETRY_BASE_DELAY", "10m")], "RETRY_MAX_DELAY"),
        (vec![("PURGE_SLICE", "1m")], "PURGE_SLICE"),
        (vec![("CLEANUP_POLL_INTERVAL", "0s")], "CLEANUP_POLL_INTERVAL"),
        (vec![("LEDGER_KEYS", "no-key")], "LEDGER_KEYS"),
        (vec![("ARF_PURGE_VERSIONS", "true")], "ARF_PURGE_VERSIONS needs an ARF_URL of S3, not of file"),
        (vec![("ARF_PURGE_VERSIONS", "true"), ("ARF_URL", "gs://b/p")], "ARF_PURGE_VERSIONS"),
        (vec![("ARF_PURGE_VERSIONS", "perhaps")], "ARF_PURGE_VERSIONS"),
    ] {
        let output = check(&settings, &["--check-config"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{settings:?}: {said}");
        assert!(said.contains(names) && said.trim().lines().count() == 1, "{settings:?}: {said}");
    }
}

#[test]
fn no_time_is_longer_than_100_years() {
    let times = [
        "CLEANUP_POLL_INTERVAL",
        "SETTLE_DELAY",
        "LATE_WRITE_CHECK",
        "CLAIM_TTL",
        "CLAIM_RENEWAL",
        "PURGE_SLICE",
        "RETRY_BASE_DELAY",
        "RETRY_MAX_DELAY",
        "ORPHAN_MIN_AGE",
        "ORPHAN_SWEEP_INTERVAL",
        "CLEANUP_DEADLINE",
    ];
    for name in times {
        for long in ["101y", "10000y", "18446744073709551615s", "99999999999999999999y"] {
            let output = check(&[(name, long)], &["--check-config"]);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{name} {long}: {said}");
            assert!(said.contains(&format!("{name} is {long:?}: longer than 100 years")), "{said}");
        }
    }
    let longest = times.into_iter().filter(|name| !matches!(*name, "PURGE_SLICE" | "CLEANUP_DEADLINE"));
    let mut longest: Vec<_> = longest.map(|name| (name, "100y")).collect();
    longest.extend([("CLEANUP_DEADLINE", "none"), ("CLAIM_RENEWAL", "40y")]);
    let output = check(&longest, &["--check-config"]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_store_that_no_start_would_open_is_refused_in_one_line_that_says_why() {
    for (url, why) in [
        ("s3://bucket/pre//", "its path has two slashes in a row, or at its end"),
        ("s3://bucket//pre", "its path has two slashes in a row, or at its end"),
        ("gs://bucket/%00", "its path has a control character"),
        ("file://host/arf", "a directory is on no host"),
        ("file:tmp/x", "the path of its directory begins with a slash"),
        ("s3://bucket:9000/pre", "a bucket has no port"),
    ] {
        let output = check(&[("ARF_URL", url)], &["--check-config"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{url}: {said}");
        assert!(said.contains(&format!("ARF_URL: {why}")) && said.trim().lines().count() == 1, "{url}: {said}");
    }
}

#[test]
fn the_help_shows_no_secret() {
    let said = said(&check(&[], &["--help"])).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("CLEANUP_SLOTS") && said.contains("CLEANUP_DEADLINE"));
    assert!(said.contains("and one for the cleanup-worker [env: TOKIO_WORKER_THREADS=]"), "{said}");
    assert!(!said.contains("hidden") && !said.contains("BwcHBwcH"));
}
