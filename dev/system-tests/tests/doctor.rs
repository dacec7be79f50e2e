//! `unweave doctor` finds what isn't well, says what to do, and finds nothing where all is well.

use std::time::Duration;

use serde_json::Value;
use system_tests::{System, api::ids_of, fast_times};
use test_support::{Fault, Leftover, wait_until};

const SOON: Duration = Duration::from_secs(60);

/// The exit code, and each finding as verdict, subject and text.
async fn doctor(system: &System, more: &[&str]) -> (Option<i32>, Vec<(String, String, String)>) {
    let arf = url::Url::from_file_path(system.arf()).unwrap();
    let stores = ["doctor", "--output", "json", "--vespa-url", &system.vespa.url, "--arf-url", arf.as_str()];
    let (code, said) = system.unweave(&[&stores, more].concat()).await;
    let answer: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let findings = answer["findings"].as_array().unwrap().iter();
    (code, findings.map(|f| (text(f, "verdict"), text(f, "what"), text(f, "found") + &text(f, "advice"))).collect())
}

fn not_well(findings: &[(String, String, String)]) -> Vec<(&str, &str)> {
    let odd = findings.iter().filter(|(verdict, ..)| verdict == "failed" || verdict == "look");
    // How full this machine's disk is, is not ours to say.
    let odd = odd.filter(|(.., found)| !found.contains("of its disk are free"));
    odd.map(|(verdict, what, _)| (verdict.as_str(), what.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_well_is_found_and_named_with_what_to_do() {
    let mut system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let (sync_worker, cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let services = [&gateway.admin_url, &sync_worker.admin_url, &cleanup_worker.admin_url];
    let services: Vec<&str> = services.into_iter().flat_map(|url| ["--service", url.as_str()]).collect();
    let (code, findings) = doctor(&system, &services).await;
    assert_eq!((code, not_well(&findings)), (Some(0), vec![]), "{findings:?}");
    for what in ["times", "PostgreSQL", "clock", "RabbitMQ", "cleanups", "ledger", "Vespa", "ARF store", "ledger store"]
    {
        let told = findings.iter().find(|(_, told, _)| told == what);
        assert!(told.is_some_and(|(verdict, ..)| verdict == "ok"), "{what}: {findings:?}");
    }
    let ready = findings.iter().filter(|(_, what, found)| what == "services" && found.contains("is ready"));
    assert_eq!(ready.count(), 3, "{findings:?}");

    // A pause, a store that is away, a service that doesn't run, times that don't fit.
    assert_eq!(system.unweave(&["cleanups", "pause", "--reason", "on purpose"]).await.0, Some(0));
    system.expects.fault(Fault::VespaAway);
    system.vespa.service().kill();
    let away = [&services[..], &["--service", "http://127.0.0.1:1", "--lease-renewal", "9s"]].concat();
    let (code, findings) = doctor(&system, &away).await;
    assert_eq!(code, Some(1));
    let odd = not_well(&findings);
    for expected in [("failed", "times"), ("look", "pauses"), ("failed", "Vespa"), ("failed", "services")] {
        assert!(odd.contains(&expected), "{expected:?}: {findings:?}");
    }
    let secret = system.database.url.rsplit_once('@').unwrap().0;
    assert!(!format!("{findings:?}").contains(secret), "no password is told");
    system.vespa.restart().await;
    assert_eq!(system.unweave(&["cleanups", "resume"]).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_lost_history_is_a_failure_with_the_way_out() {
    let system = System::new(&fast_times()).await;
    // At its end no gateway runs; and while a copy is made, PostgreSQL refuses sessions.
    system.rest.may_leave([Leftover::Outbox]);
    system.expects.fault(Fault::PostgresAway);
    let gateway = system.gateway().await;
    let (sync_worker, cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let collection = gateway.api.create_collection().await;
    let (id, _) = ids_of(&gateway.api.create_stub(&collection, 5, 1).await);
    system.wait_for_job(&gateway.api, &id, "completed").await;
    let kept = system.database.keep().await;
    assert_eq!(gateway.api.delete(&format!("/source-connections/{id}")).await.status, 200);
    system.wait_for_cleanups(1).await;
    let published = "ledger_checkpoint WHERE published_at IS NOT NULL AND size >= 2";
    wait_until("the receipt is published", SOON, async || system.count(published).await > 0).await;
    drop((gateway, sync_worker, cleanup_worker));
    system.database.go_back(&kept).await;
    let (code, findings) = doctor(&system, &[]).await;
    let lost = findings.iter().find(|(_, what, _)| what == "ledger store").unwrap();
    assert_eq!((code, lost.0.as_str()), (Some(1), "failed"), "{findings:?}");
    assert!(lost.2.contains("lost history") && lost.2.contains("unweave ledger recover --dry-run"), "{lost:?}");
    let (code, said) = system.unweave(&["ledger", "recover", "--yes"]).await;
    assert_eq!(code, Some(0), "{said}");
    let _cleanup_worker = system.cleanup_worker().await;
    system.wait_for_cleanups(1).await;
    let (code, findings) = doctor(&system, &[]).await;
    assert_eq!(code, Some(0), "{findings:?}");
}
