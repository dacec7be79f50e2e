//! Triggers that only the databases of tests have: they refuse every move of a job or a cleanup that the vocabulary
//! doesn't know. So `may_become` is the truth, and a statement that moves a row otherwise fails the test that runs it.

use shared_models::{CleanupState, JobStatus};

/// SQL that makes a migrated database refuse unknown moves.
pub fn refuse_unknown() -> String {
    let jobs = JobStatus::ALL.iter().flat_map(|from| {
        let next = JobStatus::ALL.iter().filter(|to| from.may_become(**to));
        next.map(|to| (from.as_str(), to.as_str()))
    });
    let cleanups = CleanupState::ALL.iter().flat_map(|from| {
        let next = CleanupState::ALL.iter().filter(|to| from.may_become(**to));
        next.map(|to| (from.as_str(), to.as_str()))
    });
    trigger("sync_job", "status", jobs) + &trigger("cleanup", "state", cleanups)
}

fn trigger(table: &str, column: &str, moves: impl Iterator<Item = (&'static str, &'static str)>) -> String {
    let known: Vec<String> = moves.map(|(from, to)| format!("('{from}', '{to}')")).collect();
    format!(
        "CREATE FUNCTION refuse_unknown_move_of_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF (OLD.{column}, NEW.{column}) NOT IN ({known}) THEN
                 RAISE 'no move of the protocol: {table} from % to %', OLD.{column}, NEW.{column};
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse_unknown_move BEFORE UPDATE OF {column} ON {table} FOR EACH ROW
             WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION refuse_unknown_move_of_{table}();
",
        known = known.join(", ")
    )
}
