//! RabbitMQ stopped, and its data wiped, in the middle of deletions. The broker is one of the test's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use system_tests::{
    System,
    api::{id_of, ids_of},
    fast_times,
};
use tempfile::TempDir;
use test_support::{Fault, service_binary, wait_until};

/// A RabbitMQ that this test starts and stops; its ports and data outlast a stop.
struct OwnBroker {
    home: TempDir,
}

impl OwnBroker {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        // What the outer stack has unpacked serves here too.
        if let Some(opt) = unpacked().filter(|opt| opt.is_dir()) {
            std::os::unix::fs::symlink(opt, home.path().join("opt")).unwrap();
        }
        let broker = Self { home };
        broker.up().await;
        broker
    }

    fn local_stack(&self) -> Command {
        let mut command = Command::new(service_binary("local-stack"));
        // DATABASE_URL stays: only the broker is started.
        command.arg("--home").arg(self.home.path()).env_remove("AMQP_URL").env_remove("RABBITMQ_MANAGEMENT_URL");
        command
    }

    async fn up(&self) {
        let mut command = self.local_stack();
        command.args(["up", "--servers-only"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    async fn down(&self) {
        let mut command = self.local_stack();
        command.arg("down");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Throws everything away that the broker had on disk.
    fn wipe(&self) {
        std::fs::remove_dir_all(self.home.path().join("rabbitmq")).unwrap();
    }

    fn amqp_url(&self) -> String {
        let text = std::fs::read_to_string(self.home.path().join("stack.env")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("AMQP_URL=")).unwrap();
        line.trim_matches('\'').to_owned()
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        let _stopped = self.local_stack().arg("down").output();
    }
}

fn unpacked() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    Some(root.join(".local/opt"))
}

#[tokio::test(flavor = "multi_thread")]
async fn del_5_twenty_deletes_without_a_broker_answer_200_and_are_purged_when_it_is_back() {
    let broker = OwnBroker::start().await;
    // The cleanup-worker's own timer would do the work too: without it only the relay's messages can.
    let mut settings = fast_times();
    settings.retain(|(name, _)| *name != "CLEANUP_POLL_INTERVAL");
    settings.push(("CLEANUP_POLL_INTERVAL", "1h"));
    let system = System::on_broker(&broker.amqp_url(), &settings).await;
    system.expects.fault(Fault::RabbitMqAway);
    let gateway = system.gateway().await;
    let _sync_worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let mut connections = Vec::new();
    for seed in 0..20 {
        let connection = api.create_stub(&collection, 5, seed).await;
        connections.push(ids_of(&connection));
    }
    for (id, _) in &connections {
        system.wait_for_job(api, id, "completed").await;
    }
    let _cleanup_worker = system.cleanup_worker().await;
    broker.down().await;
    for (id, _) in &connections {
        let deleted = api.delete(&format!("/source-connections/{id}")).await;
        assert_eq!(deleted.status, 200, "{}", deleted.body);
        assert!(deleted.took < Duration::from_secs(5), "the answer doesn't wait for the broker: {:?}", deleted.took);
    }
    assert_eq!(api.search(&collection, "stub").await.len(), 0);
    assert_eq!(system.count("outbox WHERE published_at IS NULL AND message->>'type' = 'CleanupRequested'").await, 20);
    broker.up().await;
    system.wait_for_cleanups(20).await;
    for (_, sync) in &connections {
        system.assert_gone(sync).await;
    }
    wait_until("the outbox is empty", Duration::from_secs(60), async || {
        system.count("outbox WHERE published_at IS NULL").await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn del_5_with_the_brokers_data_wiped_every_open_cleanup_and_every_pending_job_still_ends() {
    let broker = OwnBroker::start().await;
    let system = System::on_broker(&broker.amqp_url(), &fast_times()).await;
    system.expects.fault(Fault::RabbitMqAway);
    let gateway = system.gateway().await;
    let sync_worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let mut connections = Vec::new();
    for seed in 0..10 {
        let connection = api.create_stub(&collection, 5, seed).await;
        connections.push(ids_of(&connection));
    }
    for (id, _) in &connections {
        system.wait_for_job(api, id, "completed").await;
    }
    drop(sync_worker);
    for (id, _) in &connections {
        assert_eq!(api.delete(&format!("/source-connections/{id}")).await.status, 200);
    }
    let pending = api.create_stub(&collection, 5, 99).await;
    wait_until("every message is with the broker", Duration::from_secs(60), async || {
        system.count("outbox WHERE published_at IS NULL").await == 0
    })
    .await;
    broker.down().await;
    broker.wipe();
    broker.up().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    system.wait_for_cleanups(10).await;
    system.wait_for_job(api, &id_of(&pending), "completed").await;
    for (_, sync) in &connections {
        system.assert_gone(sync).await;
    }
}
