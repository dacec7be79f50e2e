//! Search over a collection's live syncs.
//!
//! Keeps DEL-3, whatever the strategy and the filter: which syncs are live is read from PostgreSQL before Vespa is
//! asked, and once more for those that were hit. A purge may be at any point: what PostgreSQL doesn't call live isn't
//! shown. The client's filter is joined to the list of live syncs by `and`, so it can name a sync but never add one.

use std::collections::BTreeSet;

use shared_database::collections::CollectionRow;
use shared_models::SyncId;
use shared_models::invariant::facts::Invisible;
use shared_models::wire::search::{RetrievalStrategy, SearchResults};
use shared_service::invariants;
use shared_stores::vespa::Hit;

use crate::auth::Caller;
use crate::input::SearchInput;
use crate::present;
use crate::problem::Problem;
use crate::search_memory::{Reserved, ReservedFields};
use crate::state::AppState;

mod fusion;
mod incomplete;
mod large_fields;
mod retrieve;

pub use incomplete::Incomplete;
use large_fields::LargeFields;
use retrieve::{Retrieval, Retrieved};

/// What a search found.
pub struct Found {
    /// The hits.
    pub results: SearchResults,
    /// How they were really found and ranked.
    pub ranked_by: RetrievalStrategy,
    /// What the answer leaves out.
    pub incomplete: Incomplete,
    /// The memory that the hits take, if there are any.
    pub reserved: Option<Reserved>,
    /// The memory that their fields take until they are written, if they have any.
    pub reserved_fields: Option<ReservedFields>,
}

/// The collection to search in; `None` if there is none, for the caller to say so in its own words.
///
/// # Errors
/// PostgreSQL's only.
pub async fn collection(
    state: &AppState,
    caller: &Caller,
    readable_id: &str,
) -> Result<Option<CollectionRow>, Problem> {
    Ok(state.database.collection(caller.organization, readable_id).await?)
}

/// Searches.
///
/// # Errors
/// 503 if Vespa, or for a search by meaning alone the embedder, can't be asked.
pub async fn search(state: &AppState, collection: &CollectionRow, input: SearchInput) -> Result<Found, Problem> {
    let embedder = state.embedder.as_ref();
    let live = state.database.live_syncs(collection.id, input.connections.as_deref()).await?;
    if live.is_empty() {
        let ranked_by = retrieve::strategy(input.strategy, embedder);
        let incomplete = Incomplete { strategy: ranked_by != input.strategy, ..Incomplete::default() };
        let results = SearchResults { results: Vec::new() };
        return Ok(Found { results, ranked_by, incomplete, reserved: None, reserved_fields: None });
    }
    let asked: BTreeSet<SyncId> = live.iter().copied().collect();
    let retrieval = Retrieval {
        vespa: &state.vespa,
        embedder,
        memory: &state.search_memory,
        organization: collection.organization_id,
        input: &input,
        syncs: live,
    };
    let Retrieved { mut hits, ranked_by, incomplete, reserved } = retrieval.run().await?;
    let fields = large_fields::add(&state.vespa, &state.search_memory, &mut hits).await?;
    let found: Vec<SyncId> = hits.iter().map(|hit| hit.document.sync_id).collect();
    // Vespa was asked for live syncs alone. One that has died since is no violation: the second look is for it.
    invariants::judge(&Invisible { live: &asked, hits: &found });
    let hit: BTreeSet<SyncId> = found.into_iter().filter(|sync| asked.contains(sync)).collect();
    let hit: Vec<SyncId> = hit.into_iter().collect();
    let still_live: BTreeSet<SyncId> = state.database.still_live(&hit).await?.into_iter().collect();
    let shown = |hit: &Hit| still_live.contains(&hit.document.sync_id);
    let results = hits.into_iter().filter(shown).map(present::search_result).collect();
    let LargeFields { is_incomplete, reserved: of_fields } = fields;
    let incomplete = incomplete.or(Incomplete { fields: is_incomplete, ..Incomplete::default() });
    let results = SearchResults { results };
    Ok(Found { results, ranked_by, incomplete, reserved: Some(reserved), reserved_fields: of_fields })
}
