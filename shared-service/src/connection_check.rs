//! `--check-connections`: whether everything that a service talks to can be reached and used as it is set.

use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};

/// Longest time for one check.
const BOUND: Duration = Duration::from_secs(30);

/// One thing that a service talks to.
pub struct ConnectionCheck {
    what: &'static str,
    check: BoxFuture<'static, Result<String, String>>,
}

impl ConnectionCheck {
    /// `check` looks whether it can be used; `known` is what is true of it then, in a few words. An error must hold no
    /// secret.
    pub fn new<E: std::fmt::Display>(
        what: &'static str,
        known: &'static str,
        check: impl Future<Output = Result<(), E>> + Send + 'static,
    ) -> Self {
        Self::telling(what, check.map(|outcome| outcome.map(|()| known.to_owned())))
    }

    /// The same where the check itself finds out what there is to tell.
    pub fn telling<E: std::fmt::Display>(
        what: &'static str,
        check: impl Future<Output = Result<String, E>> + Send + 'static,
    ) -> Self {
        Self { what, check: check.map(|outcome| outcome.map_err(|error| error.to_string())).boxed() }
    }
}

/// What came of all checks, a line for each.
pub(crate) struct Report {
    pub(crate) lines: Vec<String>,
    pub(crate) are_all_well: bool,
}

/// Runs all checks at the same time.
pub(crate) async fn run(checks: Vec<ConnectionCheck>) -> Report {
    let width = checks.iter().map(|check| check.what.len()).max().unwrap_or_default();
    let outcomes = join_all(checks.into_iter().map(|ConnectionCheck { what, check }| async move {
        let started = Instant::now();
        let outcome = tokio::time::timeout(BOUND, check).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer within {} s", BOUND.as_secs())));
        (what, outcome, started.elapsed())
    }))
    .await;
    let are_all_well = outcomes.iter().all(|(_, outcome, _)| outcome.is_ok());
    let lines = outcomes.into_iter().map(|(what, outcome, took)| match outcome {
        Ok(known) => format!("ok      {what:width$}  {known} ({} ms)", took.as_millis()),
        Err(why) => format!("FAILED  {what:width$}  {why}"),
    });
    Report { lines: lines.collect(), are_all_well }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_check_has_a_line_and_one_failure_is_told_beside_the_others() {
        let report = run(vec![
            ConnectionCheck::telling("PostgreSQL", async { Ok::<_, String>("version 15.14".to_owned()) }),
            ConnectionCheck::new("Vespa", "fine", async { Err("cannot connect") }),
            ConnectionCheck::new("RabbitMQ", "fine", std::future::pending::<Result<(), String>>()),
        ])
        .await;
        assert!(!report.are_all_well);
        assert!(report.lines[0].starts_with("ok      PostgreSQL  version 15.14 ("), "{}", report.lines[0]);
        assert_eq!(report.lines[1], "FAILED  Vespa       cannot connect");
        assert_eq!(report.lines[2], "FAILED  RabbitMQ    no answer within 30 s");
        let report = run(vec![ConnectionCheck::new("x", "fine", async { Ok::<_, String>(()) })]).await;
        assert!(report.are_all_well && report.lines[0].starts_with("ok      x  fine ("));
    }
}
