//! How hits are found: by keywords, by meaning, or by both.
//!
//! What can't be done is replaced by keywords where the client left the choice to us (hybrid), and always said: the
//! answer names the strategy that was really used. A client that asked for meaning alone gets an error instead of
//! something else, unless this installation has no embedder at all.

use std::collections::HashMap;
use std::time::Duration;

use shared_models::SyncId;
use shared_models::wire::search::RetrievalStrategy;
use shared_stores::embedder::{Embedder, EmbedderError, Embedding, Patience};
use shared_stores::vespa::{Filter, Hit, Hits, Ranking, SearchRequest, VespaClient, VespaError};

use super::fusion::{depth_of, fuse};
use crate::input::SearchInput;
use crate::problem::Problem;

const VESPA_TIMEOUT: Duration = Duration::from_secs(8);
/// A person waits for the answer.
const PATIENCE: Patience = Patience { request: Duration::from_secs(3), total: Duration::from_secs(4) };

/// What was found, and how.
pub struct Retrieved {
    /// The hits of the page, best first.
    pub hits: Vec<Hit>,
    /// The strategy that was really used.
    pub ranked_by: RetrievalStrategy,
}

/// Searches in Vespa.
pub struct Retrieval<'a> {
    /// Vespa.
    pub vespa: &'a VespaClient,
    /// Makes vectors of questions, if there is one.
    pub embedder: Option<&'a Embedder>,
    /// What is searched for.
    pub input: &'a SearchInput,
    /// Where: live syncs only (DEL-3).
    pub syncs: Vec<SyncId>,
}

/// Why there are no hits by meaning.
#[derive(Debug, thiserror::Error)]
enum NoMeaning {
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
    #[error("the question has no vector")]
    NoVector,
    #[error(transparent)]
    Vespa(#[from] VespaError),
}

impl Retrieval<'_> {
    /// The hits of the page that was asked for.
    ///
    /// # Errors
    /// 503 if Vespa, or for a search by meaning alone the embedder, can't be asked.
    pub async fn run(self) -> Result<Retrieved, Problem> {
        match (strategy(self.input.strategy, self.embedder), self.embedder) {
            (RetrievalStrategy::Semantic, Some(embedder)) => self.by_meaning(embedder).await,
            (RetrievalStrategy::Hybrid, Some(embedder)) => self.by_both(embedder).await,
            (RetrievalStrategy::Keyword, _) | (_, None) => self.by_keywords().await,
        }
    }

    async fn by_keywords(self) -> Result<Retrieved, Problem> {
        let hits = self.ask(self.words(), self.input.limit, self.input.offset).await.map_err(Problem::Search)?;
        Ok(Retrieved { hits: whole(hits), ranked_by: RetrievalStrategy::Keyword })
    }

    async fn by_meaning(self, embedder: &Embedder) -> Result<Retrieved, Problem> {
        let hits = match self.near(embedder, self.input.limit, self.input.offset).await {
            Ok(hits) => whole(hits),
            // A question without a direction is near to nothing.
            Err(NoMeaning::NoVector) => Vec::new(),
            Err(NoMeaning::Embedder(error)) => return Err(Problem::Embedder(error)),
            Err(NoMeaning::Vespa(error)) => return Err(Problem::Search(error)),
        };
        Ok(Retrieved { hits, ranked_by: RetrievalStrategy::Semantic })
    }

    async fn by_both(self, embedder: &Embedder) -> Result<Retrieved, Problem> {
        let (limit, offset) = (self.input.limit, self.input.offset);
        let wanted = limit.saturating_add(offset);
        let depth = depth_of(wanted);
        let (words, meaning) = tokio::join!(self.ask(self.words(), depth, 0), self.near(embedder, depth, 0));
        let words = words.map_err(Problem::Search)?;
        let meaning = match meaning {
            Ok(meaning) => meaning,
            Err(error) => {
                note_fallback(&error);
                if wanted > depth {
                    return self.by_keywords().await;
                }
                let hits = page(whole(words).into_iter(), limit, offset);
                return Ok(Retrieved { hits, ranked_by: RetrievalStrategy::Keyword });
            }
        };
        let hits = fuse_hits(whole(words), whole(meaning), limit, offset);
        Ok(Retrieved { hits, ranked_by: RetrievalStrategy::Hybrid })
    }

    fn words(&self) -> Ranking {
        Ranking::Keywords(self.input.text.clone())
    }

    async fn near(&self, embedder: &Embedder, limit: u32, offset: u32) -> Result<Hits, NoMeaning> {
        let question = [&self.input.text];
        let embedding = embedder.embed(&question, PATIENCE);
        // Waiting for a turn counts as well.
        let embedded = tokio::time::timeout(PATIENCE.total, embedding).await;
        let embedded = embedded.map_err(|_| EmbedderError::Unanswered(PATIENCE.total))??;
        let vector = embedded.into_iter().next().flatten();
        let vector: Embedding = vector.ok_or(NoMeaning::NoVector)?;
        Ok(self.ask(Ranking::Meaning(vector), limit, offset).await?)
    }

    async fn ask(&self, ranking: Ranking, limit: u32, offset: u32) -> Result<Hits, VespaError> {
        let filter: Option<Filter> = self.input.filter.clone();
        let request = SearchRequest { ranking, sync_ids: self.syncs.clone(), filter, limit, offset };
        self.vespa.search(&request, VESPA_TIMEOUT).await
    }
}

/// What is done for this strategy here: without an embedder everything is ranked by keywords.
pub fn strategy(wanted: RetrievalStrategy, embedder: Option<&Embedder>) -> RetrievalStrategy {
    if embedder.is_some() { wanted } else { RetrievalStrategy::Keyword }
}

/// A question without a vector is no fault of anybody's.
fn note_fallback(error: &NoMeaning) {
    match error {
        NoMeaning::NoVector => tracing::debug!("the question has no vector; the search goes by keywords alone"),
        NoMeaning::Embedder(_) | NoMeaning::Vespa(_) => {
            metrics::counter!("unweave_search_fallbacks_total").increment(1);
            tracing::warn!(%error, "a hybrid search is answered by keywords alone");
        }
    }
}

fn fuse_hits(words: Vec<Hit>, meaning: Vec<Hit>, limit: u32, offset: u32) -> Vec<Hit> {
    let ids = |hits: &[Hit]| hits.iter().map(|hit| hit.id.to_string()).collect::<Vec<String>>();
    let (by_words, by_meaning) = (ids(&words), ids(&meaning));
    let mut hits: HashMap<String, Hit> =
        by_words.iter().chain(&by_meaning).cloned().zip(words.into_iter().chain(meaning)).collect();
    let order = fuse([&by_words, &by_meaning]).into_iter();
    page(order, limit, offset)
        .into_iter()
        .filter_map(|(id, score)| hits.remove(id).map(|hit| Hit { relevance: score, ..hit }))
        .collect()
}

fn page<T>(order: impl Iterator<Item = T>, limit: u32, offset: u32) -> Vec<T> {
    order.skip(index(offset)).take(index(limit)).collect()
}

fn whole(found: Hits) -> Vec<Hit> {
    if found.is_degraded {
        tracing::warn!("Vespa answered a search without looking everywhere");
    }
    found.hits
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
