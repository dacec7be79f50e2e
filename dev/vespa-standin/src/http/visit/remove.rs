//! `DELETE` of a selection: what a bucket holds of it is removed, bucket after bucket, until the time is used up.
//!
//! A document that is rewritten between match and remove survives, as in Vespa. `documentCount` counts matches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;

use super::plan::{Plan, failed};
use crate::counters::Kind;
use crate::http::State;
use crate::http::params::Params;
use crate::http::path::Target;
use crate::http::reply::{Reply, Tail, quoted};
use crate::store::{Operation, Outcome, Scan, StoreError};

const DEFAULT_TIME_CHUNK: Duration = Duration::from_secs(60);
/// Removals per operation, so that other writes get in between.
const REMOVES: usize = 500;

pub(super) async fn remove(state: &Arc<State>, path: &str, target: &Target, params: &Params) -> Result<Reply, Reply> {
    state.counters.of(Kind::BulkDelete).request();
    let plan = Plan::bulk(path, target, params)?;
    let chunk = params
        .duration("timeChunk")
        .map_err(|message| Reply::failure(StatusCode::BAD_REQUEST, path, &message))?
        .unwrap_or(DEFAULT_TIME_CHUNK)
        .min(plan.session);
    let mut tail = Tail::default();
    let walked = state.blocking(move |state| Ok(walk(state, plan, chunk, &mut tail).map(|()| tail))).await;
    match walked {
        Ok(Ok(tail)) => Ok(Reply::json(StatusCode::OK, format!("{{\"pathId\":{},{}", quoted(path), tail.json()))),
        Ok(Err((count, error))) => Err(failed(path, count, error.to_string())),
        Err(error) => Err(failed(path, 0, error.to_string())),
    }
}

fn walk(state: &State, mut plan: Plan, chunk: Duration, tail: &mut Tail) -> Result<(), (u64, StoreError)> {
    let scan = Scan::new(&plan.types, &plan.selection, false);
    let counter = state.counters.of(Kind::BulkDelete);
    let started = Instant::now();
    let mut pending = Vec::new();
    while let Some(bucket) = plan.cursor.bucket() {
        let (found, examined) = state.store.walk(bucket, &scan).map_err(|error| (tail.count, error))?;
        counter.examined(examined.documents, examined.bytes);
        tail.count += u64::try_from(found.len()).unwrap_or(u64::MAX);
        let mut found = found.into_iter().map(|found| (found.id, found.serial)).peekable();
        while found.peek().is_some() {
            let batch = Operation::RemoveSelected(found.by_ref().take(REMOVES).collect());
            // The next bucket is walked while these are removed: a commit each would be most of the time.
            pending.push(state.store.begin(batch).map_err(|error| (tail.count, error))?);
        }
        plan.cursor.advance();
        if started.elapsed() >= chunk {
            break;
        }
    }
    for removal in pending {
        match removal.wait().map_err(|error| (tail.count, error))? {
            Outcome::Done { changed, .. } => counter.operations(changed),
            Outcome::ConditionFailed => {}
        }
    }
    tail.continuation = plan.cursor.token();
    Ok(())
}
