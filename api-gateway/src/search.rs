//! Search over a collection's live syncs, ranked by keywords.
//!
//! Keeps DEL-3: which syncs are live is read from PostgreSQL before Vespa is asked, and once more for those that were
//! hit. A purge may be at any point: what PostgreSQL doesn't call live isn't shown.

use std::collections::BTreeSet;
use std::time::Duration;

use shared_database::collections::CollectionRow;
use shared_models::SyncId;
use shared_models::wire::search::SearchResults;
use shared_stores::vespa::{Hit, Ranking, SearchRequest};

use crate::auth::Caller;
use crate::input::SearchInput;
use crate::present;
use crate::problem::Problem;
use crate::state::AppState;

const TIMEOUT: Duration = Duration::from_secs(8);

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
/// 503 if Vespa can't be asked.
pub async fn search(
    state: &AppState,
    collection: &CollectionRow,
    input: SearchInput,
) -> Result<SearchResults, Problem> {
    let live = state.database.live_syncs(collection.id, input.connections.as_deref()).await?;
    if live.is_empty() {
        return Ok(SearchResults { results: Vec::new() });
    }
    let asked: BTreeSet<SyncId> = live.iter().copied().collect();
    let ranking = Ranking::Keywords(input.text);
    let request =
        SearchRequest { ranking, sync_ids: live, filter: None, limit: input.limit, offset: input.offset };
    let found = state.vespa.search(&request, TIMEOUT).await.map_err(Problem::Search)?;
    if found.is_degraded {
        tracing::warn!("Vespa answered a search without looking everywhere");
    }
    let hit: BTreeSet<SyncId> =
        found.hits.iter().map(|hit| hit.document.sync_id).filter(|sync| asked.contains(sync)).collect();
    let hit: Vec<SyncId> = hit.into_iter().collect();
    let still_live: BTreeSet<SyncId> = state.database.still_live(&hit).await?.into_iter().collect();
    let shown = |hit: &Hit| still_live.contains(&hit.document.sync_id);
    Ok(SearchResults { results: found.hits.into_iter().filter(shown).map(present::search_result).collect() })
}
