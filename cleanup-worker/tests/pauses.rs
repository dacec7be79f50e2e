//! Pauses, as an operator sets and ends them.

use std::process::{Command, Output};

use shared_models::SyncId;
use test_support::{service_binary, wait_until};

use crate::support::{SOON, World};

fn operate(world: &World, words: &[&str]) -> Output {
    let unweave = service_binary("unweave");
    Command::new(unweave).arg("cleanups").args(words).env("DATABASE_URL", &world.rows.test.url).output().unwrap()
}

/// What it says, having succeeded.
fn done(world: &World, words: &[&str]) -> String {
    let output = operate(world, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_pause_stops_a_purge_within_its_slice_and_a_resume_lets_it_go_on() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 3_000).await;
    let id = world.rows.cleanup_of(sync).await;
    let worker = world.worker(&[("CLEANUP_DOCUMENTS_PER_SECOND", "300"), ("CLEANUP_DEADLINE", "30s")]);
    wait_until("the purge has begun", SOON, async || world.documents(sync).await < 3_000).await;
    let organization = world.rows.column(id, "organization_id").await;
    done(&world, &["pause", "--organization", &organization, "--reason", "their\tmigration"]);
    worker.wait_until_logged("paused", SOON).await;
    let left = world.documents(sync).await;
    let row =
        world.rows.column(id, "state || ' ' || attempts || ' ' || coalesce(claim_expires_at::text, 'free')").await;
    assert_eq!(row, "scheduled 0 free");

    // Another organization's goes on; it is done when the worker has looked at everything that it may.
    let other = world.rows.cleanup_of(SyncId::random()).await;
    world.rows.wait_for_state(other, "done").await;
    assert_eq!(world.documents(sync).await, left, "nothing is removed meanwhile");
    let pauses = done(&world, &["pauses"]);
    let pause = pauses.lines().nth(1).unwrap();
    assert!(pause.trim().starts_with(&organization) && pause.ends_with("their\\u{9}migration"), "{pauses}");

    done(&world, &["pause"]);
    let said = done(&world, &["resume", "--organization", &organization]);
    assert!(said.contains("still paused: all cleanups"), "{said}");
    done(&world, &["resume"]);
    assert_eq!(done(&world, &["pauses", "--output", "json"]), "[]\n");
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.documents(sync).await, 0);
}

#[tokio::test]
async fn what_can_not_be_paused_or_resumed_is_said() {
    let world = World::new().await;
    let nobody = uuid::Uuid::new_v4().to_string();
    for (words, says) in [
        (vec!["pause", "--organization", &nobody], "there is no organization"),
        (vec!["pause", "--organization", "acme"], "--organization"),
        (vec!["resume", "--organization", &nobody], "aren't paused"),
        (vec!["resume"], "aren't paused"),
    ] {
        let output = operate(&world, &words);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success() && said.contains(says), "{words:?}: {said}");
    }
}
