//! `DELETE` of a selection: what a bucket holds of it is removed, bucket after bucket, until the time is used up.
//!
//! A document that is rewritten between match and remove survives, as in Vespa. `documentCount` counts matches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;

use super::plan::{Plan, failed};
use super::{BROKEN, breaks_after};
use crate::counters::Kind;
use crate::faults::Fault;
use crate::http::State;
use crate::http::params::Params;
use crate::http::path::Target;
use crate::http::reply::{Reply, Tail, quoted};
use crate::store::{Operation, Outcome, Pending, Scan, StoreError};

const DEFAULT_TIME_CHUNK: Duration = Duration::from_secs(60);
/// Removals per operation, so that other writes get in between.
const REMOVES: usize = 500;

pub(super) async fn remove(
    state: &Arc<State>,
    path: &str,
    target: &Target,
    params: &Params,
    fault: Option<Fault>,
) -> Result<Reply, Reply> {
    let plan = Plan::bulk(path, target, params)?;
    let chunk = params
        .duration("timeChunk")
        .map_err(|message| Reply::failure(StatusCode::BAD_REQUEST, path, &message))?
        .unwrap_or(DEFAULT_TIME_CHUNK)
        .min(plan.session);
    let mut tail = Tail::default();
    if fault == Some(Fault::UnchangedToken) {
        tail.continuation = plan.cursor.token();
        return Ok(finished(path, &tail));
    }
    let walked =
        state.blocking(move |state| Ok(walk(state, plan, chunk, fault.as_ref(), &mut tail).map(|()| tail))).await;
    match walked {
        Ok(Ok(tail)) => Ok(finished(path, &tail)),
        Ok(Err((count, error))) => Err(failed(path, count, error)),
        Err(error) => Err(failed(path, 0, error.to_string())),
    }
}

fn finished(path: &str, tail: &Tail) -> Reply {
    Reply::json(StatusCode::OK, format!("{{\"pathId\":{},{}", quoted(path), tail.json()))
}

fn walk(
    state: &State,
    mut plan: Plan,
    chunk: Duration,
    fault: Option<&Fault>,
    tail: &mut Tail,
) -> Result<(), (u64, String)> {
    let failed = |count: u64| move |error: StoreError| (count, error.to_string());
    let mut left_before_break = breaks_after(fault);
    let mut leftover = match fault {
        Some(Fault::Leftover { documents }) => *documents,
        _ => 0,
    };
    let scan = Scan::new(&plan.types, &plan.selection, false);
    let counter = state.counters.of(Kind::BulkDelete);
    let started = Instant::now();
    let mut pending = Vec::new();
    while let Some(bucket) = plan.cursor.bucket() {
        left_before_break = match left_before_break {
            Some(0) => {
                // What was found so far has been removed, or will be.
                counter.operations(wait_for(pending).map_err(failed(tail.count))?);
                return Err((tail.count, BROKEN.to_owned()));
            }
            left => left.map(|left| left - 1),
        };
        let (found, examined) = state.store.walk(bucket, &scan).map_err(failed(tail.count))?;
        counter.examined(examined.documents, examined.bytes);
        tail.count += u64::try_from(found.len()).unwrap_or(u64::MAX);
        let kept = found.len().min(usize::try_from(leftover).unwrap_or(usize::MAX));
        leftover -= u64::try_from(kept).unwrap_or(leftover);
        let mut found = found.into_iter().skip(kept).map(|found| (found.id, found.serial)).peekable();
        while found.peek().is_some() {
            let batch = Operation::RemoveSelected(found.by_ref().take(REMOVES).collect());
            // The next bucket is walked while these are removed: a commit each would be most of the time.
            pending.push(state.store.begin(batch).map_err(failed(tail.count))?);
        }
        plan.cursor.advance();
        if started.elapsed() >= chunk {
            break;
        }
    }
    counter.operations(wait_for(pending).map_err(failed(tail.count))?);
    tail.continuation = plan.cursor.token();
    Ok(())
}

/// How many documents they have removed.
fn wait_for(removals: Vec<Pending>) -> Result<u64, StoreError> {
    let mut removed = 0;
    for removal in removals {
        if let Outcome::Done { changed, .. } = removal.wait()? {
            removed += changed;
        }
    }
    Ok(removed)
}
