//! What operators do by hand, on a real PostgreSQL and a real RabbitMQ.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use shared_messaging::Broker;
use test_support::{TestBroker, TestDatabase, wait_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::support::{Ended, unweave_with};

const SOON: Duration = Duration::from_secs(20);

/// An installation without services.
struct Installation {
    database: TestDatabase,
}

impl Installation {
    async fn new() -> Self {
        Self { database: TestDatabase::create().await }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        unweave_with(&[("DATABASE_URL", &self.database.url)], arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--output", "json"]].concat()).json(0)
    }

    /// A cleanup with these columns.
    async fn cleanup(&self, more: &[(&str, &str)]) -> Uuid {
        let id = Uuid::new_v4();
        let (names, values): (Vec<_>, Vec<_>) = more.iter().copied().unzip();
        let list = |parts: Vec<&str>| parts.iter().map(|part| format!(", {part}")).collect::<String>();
        self.database
            .arrange(&format!(
                "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id,
                                      deletion_requested_at, entity_rows_deleted, writer_end, targets{})
                 SELECT '{id}', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
                        '2026-03-01T10:00:00Z', 0, 'acknowledged', '{{vespa,arf}}'{}",
                list(names),
                list(values)
            ))
            .await;
        id
    }

    async fn is(&self, id: Uuid, what: &str) -> bool {
        self.database.count(&format!("SELECT count(*) FROM cleanup WHERE id = '{id}' AND {what}")).await == 1
    }
}

const FAILING: &[(&str, &str)] = &[
    ("attempts", "7"),
    ("error_code", "'vespa_unavailable'"),
    ("error_text", "'Vespa can''t be reached'"),
    ("failing_since", "now() - interval '1 hour'"),
    ("next_attempt_at", "now() + interval '1 hour'"),
    ("deletion_reference", "'DSAR-2026-042'"),
    ("deletion_reference_salt", "decode(repeat('00', 16), 'hex')"),
];

#[tokio::test]
async fn organizations_and_their_keys_are_made_listed_changed_and_revoked() {
    let world = Installation::new().await;
    let made = world.json(&["organizations", "create", "--name", "Acme, \u{1b}[2Jsupport", "--plan", "team"]);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["api_key"].as_str().unwrap().len(), 43);
    let listed = world.run(&["organizations", "list"]).well();
    assert!(listed.contains(id) && listed.contains("Acme, \\u{1b}[2Jsupport"), "{listed}");
    world.run(&["organizations", "set-plan", id, "pro"]).well();
    let shown = world.json(&["organizations", "show", id]);
    assert_eq!((&shown["plan"], &shown["api_keys"], &shown["open_cleanups"]), (&json!("pro"), &json!(1), &json!(0)));

    let key = world.json(&["api-keys", "create", "--organization", id, "--name", "the CRM's"]);
    let key_id = key["id"].as_str().unwrap();
    let keys = world.json(&["api-keys", "list", "--organization", id]);
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["name"]), (2, &json!("the CRM's")));
    assert!(keys[0].get("api_key").is_none(), "it is shown once");
    let revoke = ["api-keys", "revoke", key_id, "--organization", id];
    assert!(world.run(&revoke).failed(2).contains("--yes"));
    world.run(&[&revoke[..], &["--yes"]].concat()).well();
    world.run(&[&revoke[..], &["--yes"]].concat()).refused("not_found");
    let keys = world.json(&["api-keys", "list", "--organization", id]);
    assert!(keys[1]["deleted_at"].is_string() && keys[1]["name"] == "the CRM's", "{keys}");

    let told = world.json(&["audit", "--organization", id]);
    let told: Vec<_> = told.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = ["api_key.deleted", "api_key.created", "organization.plan_changed", "organization.created"];
    assert_eq!(told, expected);
    assert_eq!(world.json(&["audit", "--action", "api_key.", "--until", "2020-01-01T00:00:00Z"]), json!([]));
    let of_keys = world.json(&["audit", "--action", "api_key.", "--limit", "1"]);
    assert_eq!((&of_keys[0]["object_id"], &of_keys[0]["actor"]), (&json!(key_id), &json!("operator")));
}

#[tokio::test]
async fn what_is_not_there_or_not_understood_is_said() {
    let world = Installation::new().await;
    let nobody = "0f0e0d0c-0b0a-4908-8706-050403020100";
    for arguments in [
        &["organizations", "show", nobody][..],
        &["organizations", "set-plan", nobody, "pro"],
        &["api-keys", "list", "--organization", nobody],
        &["api-keys", "create", "--organization", nobody],
        &["cleanups", "show", nobody],
        &["cleanups", "watch", nobody],
        &["cleanups", "pause", "--organization", nobody],
        &["cleanups", "resume"],
    ] {
        world.run(arguments).refused("not_found");
    }
    for arguments in [
        &["organizations", "create", "--name", "  "][..],
        &["organizations", "set-plan", nobody, "golden"],
        &["api-keys", "create", "--organization", "acme"],
        &["cleanups", "list", "--since", "yesterday"],
        &["cleanups", "list", "--state", "lost"],
        &["cleanups", "retry"],
        &["dead", "drop"],
    ] {
        world.run(arguments).failed(2);
    }
    let away = [("DATABASE_URL", "postgres://nobody:secret@127.0.0.1:1/none")];
    let said = unweave_with(&away, &["cleanups", "list"]).failed(3);
    assert!(said.contains("PostgreSQL") && !said.contains("secret"), "{said}");
}

#[tokio::test]
async fn a_stuck_cleanup_is_found_shown_and_tried_again() {
    let world = Installation::new().await;
    let stuck = world.cleanup(FAILING).await;
    let waits = world.cleanup(&[]).await;
    let listed = world.json(&["cleanups", "list", "--status", "failing"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["id"], &listed[0]["attempts"]), (&json!(stuck), &json!(7)));
    for found in [&["--reference", "DSAR-2026-042"][..], &["--since", "2026-01-01T00:00:00Z", "--limit", "2"]] {
        let listed = world.run(&[&["cleanups", "list"], found].concat()).well();
        assert!(listed.contains(&stuck.to_string()) && listed.contains("vespa_unavailable"), "{listed}");
    }
    let cut = world.run(&["cleanups", "list", "--limit", "1"]).well();
    assert!(cut.contains(&waits.to_string()) && cut.ends_with("show others\n"), "{cut}");
    let shown = world.run(&["cleanups", "show", &stuck.to_string()]).well();
    assert!(shown.contains("vespa_unavailable: Vespa can't be reached; 7 attempts, failing since"), "{shown}");

    let said = world.run(&["cleanups", "retry", &stuck.to_string(), &waits.to_string()]).well();
    assert_eq!(said.lines().count(), 2);
    assert!(
        world.is(stuck, "attempts = 7 AND failing_since IS NOT NULL AND next_attempt_at <= clock_timestamp()").await
    );
    let rung = format!("SELECT count(*) FROM outbox WHERE message->>'cleanup_id' = '{stuck}'");
    assert_eq!(world.database.count(&rung).await, 1, "the workers are told");
    let told = world.json(&["audit", "--action", "cleanup.retried"]);
    assert_eq!(told.as_array().unwrap().len(), 2);
    let failing = world.json(&["cleanups", "retry", "--failing"]);
    assert_eq!(failing, json!([{ "id": stuck, "outcome": "due" }]), "it fails until there is headway");
}

#[tokio::test]
async fn a_retry_skips_no_wait_that_is_part_of_the_proof_and_purges_nothing_that_lives() {
    let world = Installation::new().await;
    let settling = world.cleanup(&[("state", "'settling'"), ("next_attempt_at", "now() + interval '1 minute'")]).await;
    let held = world
        .cleanup(&[("state", "'purging'"), ("claim", "3"), ("claim_expires_at", "now() + interval '1 minute'")])
        .await;
    let done = world.cleanup(&[("state", "'done'"), ("completed_at", "now()")]).await;
    for (id, outcome) in [(settling, "under_way"), (held, "under_way"), (done, "done")] {
        assert_eq!(world.json(&["cleanups", "retry", &id.to_string()])[0]["outcome"], outcome);
    }
    assert!(world.is(settling, "state = 'settling' AND next_attempt_at > now()").await);
    let refused = world.cleanup(&[("state", "'refused'")]).await;
    let sync = format!("(SELECT sync_id FROM cleanup WHERE id = '{refused}')");
    let live = format!(
        "INSERT INTO organization (id, name) VALUES ('{refused}', 'o');
         INSERT INTO collection (id, organization_id, name, readable_id) VALUES ('{refused}', '{refused}', 'c', 'c');
         INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config, auth_method,
                                        is_authenticated)
         VALUES ('{refused}', '{refused}', '{refused}', 'stub', 's', '{{}}', 'direct', true);
         INSERT INTO sync (id, source_connection_id) SELECT {sync}, '{refused}'"
    );
    world.database.execute(&live).await;
    let nobody = Uuid::new_v4().to_string();
    let waits = world.cleanup(&[]).await.to_string();
    let told = world.run(&["cleanups", "retry", &refused.to_string(), &nobody, &waits]);
    assert_eq!(told.code, Some(1));
    let lines: Vec<_> = told.out.lines().collect();
    assert!(lines[0].contains("its sync is live") && lines[1].ends_with("isn't there"), "{lines:?}");
    assert!(lines[2].ends_with("is due now") && lines[3].starts_with("refused (live)"), "{lines:?}");
    world.database.execute(&format!("DELETE FROM source_connection WHERE id = '{refused}'")).await;
    assert_eq!(world.json(&["cleanups", "retry", &refused.to_string()])[0]["outcome"], "due");
    assert!(world.is(refused, "state = 'scheduled'").await);
    world.run(&["cleanups", "watch", &done.to_string()]).well();
}

#[tokio::test]
async fn dead_messages_are_shown_replayed_and_dropped() {
    let broker = TestBroker::create().await;
    let run = |arguments: &[&str]| unweave_with(&[("AMQP_URL", &broker.amqp_url)], arguments);
    assert_eq!(run(&["dead", "list", "--output", "json"]).json(0), json!([]), "there is no queue yet");
    // Whoever publishes makes the queues.
    let url = SecretString::from(broker.amqp_url.clone());
    let service = Broker::new(&url, "cli-test", &TaskTracker::new(), &CancellationToken::new()).unwrap();
    assert!(service.publisher().connected_within(SOON).await);
    wait_until("the queue is there", SOON, async || broker.queue_depth("cleanup.requests").await == Some(0)).await;
    for (reason, body) in [("the handler panicked", "one"), ("not JSON", "two"), ("not JSON", "three")] {
        let headers = [("x-dead-reason", reason), ("x-dead-queue", "cleanup.requests")];
        assert!(broker.publish_raw("", "dead", body.as_bytes(), &headers).await);
    }
    let listed = run(&["dead", "list"]).well();
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.contains("cleanup.requests") && listed.contains("the handler panicked"), "{listed}");
    assert_eq!(broker.queue_depth("dead").await, Some(3), "they stay");
    assert!(run(&["dead", "drop", "--oldest", "1"]).failed(2).contains("--yes"));
    assert_eq!(run(&["dead", "replay", "--oldest", "1", "--yes", "--output", "json"]).json(0), json!({"replayed": 1}));
    assert_eq!(broker.queue_depth("cleanup.requests").await, Some(1));
    run(&["dead", "show", "nothing"]).refused("not_found");
    run(&["dead", "drop", "nothing", "--yes"]).refused("not_found");
    assert_eq!(run(&["dead", "drop", "--all", "--yes", "--output", "json"]).json(0), json!({"dropped": 2}));
    assert_eq!(broker.queue_depth("dead").await, Some(0));
}

#[test]
fn every_command_has_examples_a_completion_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    crate::support::unweave(&["man", folder.path().to_str().unwrap()]).well();
    let pages: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(pages.len() > 25, "{pages:?}");
    for page in pages {
        let name = page.file_stem().unwrap().to_str().unwrap().replace("unweave-", "");
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.contains(".SH SYNOPSIS") && text.contains(".SH DESCRIPTION"), "{name}: {text}");
        let is_group = text.contains(".SH SUBCOMMANDS");
        assert!(is_group || text.contains("Example"), "{name} has no example");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(crate::support::unweave(&["completion", shell]).code == Some(0), "{shell}");
    }
}

#[tokio::test]
async fn the_key_ring_is_looked_at_and_old_keys_are_told_apart() {
    let world = Installation::new().await;
    let key = |byte: u8| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [byte; 32]);
    let ring = format!("new:{},old:{}", key(2), key(1));
    world
        .database
        .arrange(
            "WITH o AS (INSERT INTO organization (id, name) VALUES (gen_random_uuid(), 'o') RETURNING id),
                  c AS (INSERT INTO collection (id, organization_id, readable_id, name)
                        SELECT gen_random_uuid(), id, 'c', 'c' FROM o RETURNING id, organization_id),
                  s AS (INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config,
                                                       auth_method, is_authenticated)
                        SELECT gen_random_uuid(), organization_id, id, 'stub', 's', '{}', 'direct', true FROM c
                        RETURNING id)
             INSERT INTO credential (id, source_connection_id, key_id, nonce, ciphertext)
             SELECT gen_random_uuid(), id, 'lost', decode(repeat('00', 12), 'hex'), decode('00', 'hex') FROM s",
        )
        .await;
    let run = |arguments: &[&str]| {
        let settings = [("DATABASE_URL", world.database.url.as_str()), ("CREDENTIALS_KEYS", &ring)];
        unweave_with(&settings, arguments)
    };
    let told = run(&["keys", "status", "--output", "json"]).json(0);
    let standing = |id: &str| told.as_array().unwrap().iter().find(|key| key["id"] == id).unwrap().clone();
    assert_eq!((&standing("new")["is_first"], &standing("old")["credentials"]), (&json!(true), &json!(0)));
    assert_eq!((&standing("lost")["is_in_ring"], &standing("lost")["credentials"]), (&json!(false), &json!(1)));
    let shown = run(&["keys", "status"]).well();
    assert!(shown.contains("it may be taken away") && shown.contains("missing in the ring"), "{shown}");
    let asked = run(&["keys", "rewrap"]).failed(2);
    assert!(asked.contains("--yes"), "{asked}");
    let refused = run(&["keys", "rewrap", "--yes"]).refused("undecryptable");
    assert!(refused.contains("1 can't be decrypted"), "{refused}");
    let bad =
        unweave_with(&[("DATABASE_URL", &world.database.url), ("CREDENTIALS_KEYS", "hunter2")], &["keys", "status"]);
    assert!(!bad.failed(2).contains("hunter2"));
}
