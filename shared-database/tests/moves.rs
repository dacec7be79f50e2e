//! The vocabulary's moves are the truth: the databases of tests refuse every other one, and statements that move a row
//! stand in one place.

use std::path::{Path, PathBuf};

use shared_models::{CleanupState, JobStatus};
use tokio_postgres::Client;

use crate::fixture::Fixture;

/// Tries to move a row that was `arrange`d; whether it was let.
async fn is_let(client: &Client, arrange: &str, update: &str) -> bool {
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute(arrange).await.unwrap();
    let moved = client.batch_execute(update).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    if let Err(error) = &moved {
        let text = error.as_db_error().unwrap().message();
        assert!(text.starts_with("no move of the protocol"), "{update}: {text}");
    }
    moved.is_ok()
}

/// The columns that go with a job's state, by the table's checks.
fn columns_of(status: JobStatus) -> String {
    let owner = match status {
        JobStatus::Running | JobStatus::Cancelling => "gen_random_uuid()",
        JobStatus::Pending | JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => "NULL",
    };
    let end = if status.is_active() { "NULL" } else { "'acknowledged'" };
    format!("'{status}', {owner}, {end}")
}

#[tokio::test]
async fn a_job_makes_the_moves_of_the_vocabulary_and_no_others() {
    let fixture = Fixture::new().await;
    let (_, sync) = fixture.connection().await;
    let client = fixture.test_database.client().await;
    for &from in JobStatus::ALL {
        let arrange = format!(
            "INSERT INTO sync_job (id, sync_id, status, lease_owner, job_end)
             VALUES (gen_random_uuid(), '{sync}', {})",
            columns_of(from)
        );
        for &to in JobStatus::ALL {
            let update = format!("UPDATE sync_job SET (status, lease_owner, job_end) = ROW({})", columns_of(to));
            let expected = from == to || from.may_become(to);
            assert_eq!(is_let(&client, &arrange, &update).await, expected, "{from} to {to}");
        }
    }
}

#[tokio::test]
async fn a_cleanup_makes_the_moves_of_the_vocabulary_and_no_others() {
    let fixture = Fixture::new().await;
    let client = fixture.test_database.client().await;
    for &from in CleanupState::ALL {
        let arrange = format!(
            "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id,
                                  deletion_requested_at, entity_rows_deleted, writer_end, targets, state)
             SELECT id, id, id, id, id, now(), 0, 'acknowledged', '{{vespa,arf}}', '{from}'
             FROM (SELECT gen_random_uuid() AS id) AS random"
        );
        for &to in CleanupState::ALL {
            let update = format!("UPDATE cleanup SET state = '{to}'");
            let expected = from == to || from.may_become(to);
            assert_eq!(is_let(&client, &arrange, &update).await, expected, "{from} to {to}");
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

/// A job's or a cleanup's row is made and moved in these files, so that nobody has to look for another place.
#[test]
fn rows_are_made_and_moved_in_one_place_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rules = [
        ("INSERT INTO sync_job", &["jobs/moves.rs"][..]),
        ("INSERT INTO cleanup (", &["deletion/step.rs", "orphans.rs", "ledger/recover/deletions.rs"]),
        ("SET status =", &["jobs/moves.rs"]),
        ("state = '", &["cleanups/moves.rs", "cleanups/claim.rs"]),
        ("sync_job::status.eq(", &[]),
        ("update(cleanup::table", &[]),
    ];
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut misplaced, mut found) = (Vec::new(), vec![0; rules.len()]);
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        for (rule, (part, places)) in rules.iter().enumerate() {
            if text.contains(part) {
                found[rule] += 1;
                if !places.contains(&name.as_str()) {
                    misplaced.push(format!("{name}: {part}"));
                }
            }
        }
    }
    assert!(misplaced.is_empty(), "{misplaced:#?}");
    assert!(found[..4].iter().all(|files| *files > 0), "a rule looks for what is nowhere: {found:?}");
}
