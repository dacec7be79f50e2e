//! What the services show at `/metrics`: as Prometheus wants it, and all that docs/operations.md names an alarm for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use system_tests::{Gateway, System, Worker, api::ids_of, fast_times, metrics};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

mod alarms;
mod exposition;

use alarms::{Alarm, Values, alarms, tasks};
use exposition::Exposition;

const SERVICES: [&str; 3] = ["gateway", "sync-worker", "cleanup-worker"];

/// One of each service, and what they show.
struct Everything {
    gateway: Gateway,
    workers: [Worker; 2],
    system: System,
}

impl Everything {
    async fn start() -> Self {
        let system = System::new(&fast_times()).await;
        let gateway = system.gateway().await;
        let workers = [system.sync_worker().await, system.cleanup_worker().await];
        Self { gateway, workers, system }
    }

    /// What each shows, by its name.
    async fn shown(&self) -> BTreeMap<&'static str, String> {
        let [sync_worker, cleanup_worker] = &self.workers;
        let admins = [&self.gateway.admin_url, &sync_worker.admin_url, &cleanup_worker.admin_url];
        let mut shown = BTreeMap::new();
        for (service, admin) in SERVICES.into_iter().zip(admins) {
            shown.insert(service, metrics(admin).await);
        }
        shown
    }

    /// Deletes a connection in mid-sync, so that as much as possible is counted.
    async fn delete_in_mid_sync(&self) {
        let api = &self.gateway.api;
        let collection = api.create_collection().await;
        let (id, sync) = ids_of(&api.create_timed(&collection, 5000, 60.0).await);
        self.system.wait_until_writing(api, &id, &sync).await;
        assert_eq!(api.delete(&format!("/source-connections/{id}")).await.status, 200);
        self.system.wait_for_cleanups(1).await;
    }
}

/// `PROMTOOL`, or the one that `local-stack promtool` downloads, or one of the machine's.
fn promtool() -> PathBuf {
    let given = std::env::var_os("PROMTOOL").map(PathBuf::from).filter(|given| given.is_file());
    let downloaded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/opt/prometheus/usr/bin/promtool");
    given.or_else(|| downloaded.is_file().then_some(downloaded)).unwrap_or_else(|| "promtool".into())
}

/// What promtool finds wrong; empty if nothing is.
async fn lint(text: &str) -> String {
    let mut command = Command::new(promtool());
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = command.spawn().unwrap_or_else(|error| {
        panic!("promtool: {error}; run the tests with `make test`, or `target/debug/local-stack promtool` before")
    });
    check.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let answer = check.wait_with_output().await.unwrap();
    let said = [answer.stdout, answer.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if answer.status.success() { said } else { format!("{}\n{said}", answer.status) }
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_no_fault_with_any_service() {
    // It does find some.
    assert!(lint("# TYPE bad counter\nbad 1\n").await.contains("bad"));
    let everything = Everything::start().await;
    everything.delete_in_mid_sync().await;
    for (service, text) in everything.shown().await {
        assert_eq!(lint(&text).await, "", "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_means_one_thing_in_all_services_and_says_whose_it_is() {
    let everything = Everything::start().await;
    everything.delete_in_mid_sync().await;
    let mut meanings: BTreeMap<String, String> = BTreeMap::new();
    for (service, text) in everything.shown().await {
        let shown = Exposition::read(&text);
        for (name, meaning) in &shown.help {
            assert!(name.starts_with("unweave_") || name.starts_with("process_"), "{service}: {name}");
            let first = meanings.entry(name.clone()).or_insert_with(|| meaning.clone());
            assert_eq!(first, meaning, "{service}: {name}");
        }
        let build = shown.labels("unweave_build_info");
        let version = env!("CARGO_PKG_VERSION");
        assert!(build.iter().any(|labels| labels["version"] == version), "{service}: {build:?}");
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            assert_eq!(shown.labels(name).len(), 1, "{service}: {name}");
        }
        assert!(shown.labels("process_start_time_seconds").len() == 1, "{service}");
    }
    let both = everything.shown().await;
    let has = |service: &str, name: &str| !Exposition::read(&both[service]).labels(name).is_empty();
    for (service, name) in [
        ("gateway", "unweave_deletion_wait_seconds_count"),
        ("sync-worker", "unweave_stop_acknowledgement_seconds_count"),
    ] {
        for other in SERVICES {
            assert_eq!(has(other, name), other == service, "{other}: {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_series_that_an_alarm_names_is_there_before_its_first_event() {
    let (alarms, tasks) = (alarms(), tasks());
    assert!(alarms.len() > 20 && SERVICES.iter().all(|service| !tasks[*service].is_empty()), "{alarms:?} {tasks:?}");
    let everything = Everything::start().await;
    for (service, text) in everything.shown().await {
        let shown = Exposition::read(&text);
        for alarm in alarms.iter().filter(|alarm| alarm.services.contains(service)) {
            if let Err(wrong) = is_there(alarm, &shown, &tasks[service]) {
                panic!("docs/operations.md says of {service} what isn't so: {wrong}\n{text}");
            }
        }
        let watched = alarms.iter().filter(|alarm| !alarm.services.contains(service));
        let elsewhere: Vec<&Alarm> = watched.filter(|alarm| !shown.of(&alarm.name).is_empty()).collect();
        assert!(elsewhere.is_empty(), "{service} shows these too, which docs/operations.md doesn't say: {elsewhere:?}");
    }
}

fn is_there(alarm: &Alarm, shown: &Exposition, tasks: &BTreeSet<String>) -> Result<(), String> {
    let series = shown.of(&alarm.name);
    if series.is_empty() {
        return Err(format!("no {}", alarm.name));
    }
    let labels: BTreeSet<&String> = series.iter().flat_map(|labels| labels.keys()).collect();
    let named: BTreeSet<&String> = alarm.labels.keys().collect();
    if labels != named {
        return Err(format!("{} has the labels {labels:?}, not {named:?}", alarm.name));
    }
    for (label, values) in &alarm.labels {
        let found: BTreeSet<String> = series.iter().filter_map(|labels| labels.get(label)).cloned().collect();
        let expected = match values {
            Values::These(values) => values,
            Values::EachTask => tasks,
            Values::Some => continue,
        };
        if found != *expected {
            return Err(format!("{}{{{label}}} has {found:?}, not {expected:?}", alarm.name));
        }
    }
    Ok(())
}
