//! Several batches at a time, each one way through the stages. Batches that share no entity overlap, so the order of
//! each entity's writes is that of the source.

use std::collections::HashSet;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use shared_models::EntityKey;

use super::batch::{Batch, Batches};
use super::compare::compare;
use super::error::JobError;
use super::make_way::make_way;
use super::mark::mark;
use super::retire::retire;
use super::run::Run;
use super::settle::settle;
use super::write::write;

/// Batches under way at once.
const BATCHES_IN_FLIGHT: usize = 3;

/// Brings one batch into rows and stores.
async fn bring(run: &Run, batch: Batch) -> Result<(), JobError> {
    let compared = compare(run, batch).await?;
    let cleared = make_way(run, compared).await?;
    let changes = mark(run, cleared).await?;
    let written = write(run, changes).await?;
    let retired = retire(run, written).await?;
    settle(run, retired).await
}

/// Brings every batch into rows and stores.
///
/// # Errors
/// [`JobError`]; no write of any batch is under way then.
pub async fn bring_all(run: &Run, mut batches: Batches) -> Result<(), JobError> {
    type Brought = (HashSet<EntityKey>, Result<(), JobError>);
    let mut under_way: FuturesUnordered<BoxFuture<'_, Brought>> = FuturesUnordered::new();
    let mut busy: HashSet<EntityKey> = HashSet::new();
    let mut waiting: Option<Batch> = None;
    let mut is_at_end = false;
    let mut failure: Option<JobError> = None;
    loop {
        if let Some(batch) = waiting.take_if(|batch| failure.is_none() && batch.keys().all(|key| !busy.contains(key))) {
            let keys: HashSet<EntityKey> = batch.keys().copied().collect();
            busy.extend(&keys);
            under_way.push(async move { (keys, bring(run, batch).await) }.boxed());
        }
        let is_reading = !is_at_end && failure.is_none() && waiting.is_none() && under_way.len() < BATCHES_IN_FLIGHT;
        if under_way.is_empty() && !is_reading {
            return failure.map_or(Ok(()), Err);
        }
        tokio::select! {
            Some((keys, brought)) = under_way.next() => {
                busy.retain(|key| !keys.contains(key));
                // After the first error the others are waited for: a batch that is dropped would leave writes open.
                if let (Err(error), None | Some(JobError::GivenUp)) = (brought, &failure) {
                    failure = Some(run.writer.give_up(error));
                }
            }
            batch = batches.next(), if is_reading => match batch {
                Some(batch) => waiting = Some(batch),
                None => is_at_end = true,
            },
        }
    }
}
