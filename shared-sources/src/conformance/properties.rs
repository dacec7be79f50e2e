//! What every source keeps to, one function for each property.

use std::time::Duration;

use tokio::time::Instant;

use super::logs::Logs;
use super::run::{Run, read, read_beside, read_until};
use super::stand::Stand;
use crate::{ReadSummary, Seen, SourceEntity, SourceError};

/// A second run yields the same, down to the last byte; what has a version isn't even read again.
pub(super) async fn a_second_run_yields_the_same<S: Stand>() {
    let stand = S::start().await;
    let (first, summary) = read(&stand).await.all();
    assert!(!first.is_empty());
    let (second, again) = read(&stand).await.all();
    assert_eq!((format!("{first:?}"), &summary), (format!("{second:?}"), &again));
    let (changed, again) = read_beside(&stand, &first).await.all();
    let unversioned: Vec<&SourceEntity> = first.iter().filter(|entity| entity.version.is_none()).collect();
    assert_eq!((format!("{unversioned:?}"), &summary), (format!("{:?}", changed.iter().collect::<Vec<_>>()), &again));
}

/// When nobody takes entities any more after the first one, the run ends within a second.
pub(super) async fn a_cancel_stops_reading_within_a_second<S: Stand>() {
    let mut stand = S::start().await;
    stand.fill(2_000).await;
    let run = read_until(&stand, async |entities| drop(entities.recv().await.unwrap())).await;
    assert_stopped_within_a_second(run, "");
}

/// The same while the server has taken a question and doesn't answer, at whatever step of a run.
pub(super) async fn a_cancel_does_not_wait_for_a_silent_server<S: Stand>() {
    for step in 0.. {
        let mut stand = S::start().await;
        let Some(silence) = stand.fall_silent(step).await else { return };
        let run = read_until(&stand, async |entities| {
            let taking = async { while entities.recv().await.is_some() {} };
            tokio::select! {
                () = silence.heard() => {}
                () = taking => panic!("step {step}: the run ended before the server fell silent"),
            }
        });
        assert_stopped_within_a_second(run.await, &format!("step {step}: "));
    }
}

fn assert_stopped_within_a_second((outcome, stopped): (Result<ReadSummary, SourceError>, Instant), when: &str) {
    assert!(matches!(outcome, Err(SourceError::Stopped)), "{when}{outcome:?}");
    assert!(stopped.elapsed() < Duration::from_secs(1), "{when}{:?}", stopped.elapsed());
}

/// What can't be read is a gap: nothing of it is yielded, it isn't taken for gone, and it is told by name.
pub(super) async fn what_cannot_be_read_is_a_gap_and_never_a_removal<S: Stand>() {
    let mut stand = S::start().await;
    let (before, _) = read(&stand).await.all();
    let Some(hidden) = stand.hide().await else { return };
    let (after, summary) = read(&stand).await.all();
    assert!(after.iter().all(|entity| entity.id != hidden), "{hidden}");
    assert!(!summary.seen.means_gone(&hidden), "{hidden}");
    let is_told = |told: &crate::SkippedEntity| hidden.starts_with(told.entity_id.trim_end_matches('…'));
    assert!(summary.skipped.told().iter().any(is_told), "{summary:?}");
    // It costs nothing but itself and what is in it.
    for entity in before.iter().filter(|entity| !after.iter().any(|kept| kept.id == entity.id)) {
        assert!(entity.id.starts_with(&hidden), "{}", entity.id);
    }
}

/// One odd entity costs itself, and is told by name to its owner alone.
pub(super) async fn one_odd_entity_costs_one_entity_and_is_told_by_name<S: Stand>(logs: Logs) {
    let mut stand = S::start().await;
    let (before, summary) = read(&stand).await.all();
    let Some(odd) = stand.add_odd().await else { return };
    logs.forget();
    let (after, with_odd) = read(&stand).await.all();
    let ids = |entities: &[SourceEntity]| entities.iter().map(|entity| entity.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
    assert_eq!(with_odd.skipped.count(), summary.skipped.count() + 1);
    let told = with_odd.skipped.told().iter().find(|told| told.entity_id == odd);
    assert!(told.is_some_and(|told| !told.reason.is_empty()), "{odd}: {with_odd:?}");
    assert!(!logs.text().contains(&odd), "its name is the owner's: {}", logs.text());
}

/// Nothing that a run says holds a secret, whether it goes well or not.
pub(super) async fn credentials_never_show<S: Stand>(logs: Logs) {
    let mut stand = S::start().await;
    let Some(secret) = stand.secret() else { return };
    assert!(stand.asked().credentials.to_string().contains(&secret));
    logs.forget();
    let mut said = format!("{:?}", read(&stand).await.outcome);
    if stand.fail().await.is_some() {
        let failed = read(&stand).await.outcome.unwrap_err();
        said.push_str(&format!("{failed:?}{failed}"));
    }
    said.push_str(&logs.text());
    assert!(!said.contains(&secret), "{said}");
}

/// A server that fails, fails the run with its reason.
pub(super) async fn a_failing_server_fails_the_run_with_its_reason<S: Stand>() {
    let mut stand = S::start().await;
    let Some(reason) = stand.fail().await else { return };
    let Run { outcome, .. } = read(&stand).await;
    let error = outcome.unwrap_err();
    assert!(!matches!(error, SourceError::Stopped), "{error:?}");
    assert!(error.to_string().contains(reason), "{error}");
}

/// An empty source says that it saw everything, and that this is nothing.
pub(super) async fn an_empty_source_says_so<S: Stand>() {
    let mut stand = S::start().await;
    let Some(containers) = stand.empty().await else { return };
    let (entities, summary) = read(&stand).await.all();
    assert_eq!(entities.len(), containers);
    assert_eq!((summary.seen, summary.skipped.count()), (Seen::Everything, 0));
}
