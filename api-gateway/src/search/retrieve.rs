//! How hits are found: by keywords, by meaning, or by both.
//!
//! What can't be done is replaced by keywords where the client left the choice to us (hybrid), and always said: the
//! answer names the strategy that was really used. A client that asked for meaning alone gets an error instead of
//! something else, unless this installation has no embedder at all.

use std::collections::HashMap;
use std::time::Duration;

use shared_models::wire::search::RetrievalStrategy;
use shared_models::{OrganizationId, SyncId};
use shared_stores::embedder::{Embedder, EmbedderError, Embedding, MAX_INPUT_CHARS, Patience};
use shared_stores::vespa::{Filter, Hit, Hits, Ranking, SearchRequest, VespaClient, VespaError};

use super::fusion::{depth_of, fuse};
use super::incomplete::Incomplete;
use crate::input::SearchInput;
use crate::problem::Problem;
use crate::search_memory::{Reserved, SearchMemory};

const VESPA_TIMEOUT: Duration = Duration::from_secs(8);
/// A person waits for the answer.
const PATIENCE: Patience = Patience { request: Duration::from_secs(3), total: Duration::from_secs(4) };

/// One hit is never too large for an answer.
const LEAST_ANSWER_BYTES: usize = 1 << 20;

/// What was found, and how.
pub struct Retrieved {
    /// The hits of the page, best first.
    pub hits: Vec<Hit>,
    /// The strategy that was really used.
    pub ranked_by: RetrievalStrategy,
    /// What is left out.
    pub incomplete: Incomplete,
    /// What the hits may take.
    pub reserved: Reserved,
}

/// Searches in Vespa.
pub struct Retrieval<'a> {
    /// Vespa.
    pub vespa: &'a VespaClient,
    /// Makes vectors of questions, if there is one.
    pub embedder: Option<&'a Embedder>,
    /// What searches share.
    pub memory: &'a SearchMemory,
    /// Whose clients ask.
    pub organization: OrganizationId,
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

/// Hits, and what is left out of them.
struct Answered {
    hits: Vec<Hit>,
    incomplete: Incomplete,
}

impl Retrieval<'_> {
    /// The hits of the page that was asked for.
    ///
    /// # Errors
    /// 503 if Vespa, or for a search by meaning alone the embedder, can't be asked, or too many large searches run.
    pub async fn run(self) -> Result<Retrieved, Problem> {
        let ranked_by = strategy(self.input.strategy, self.embedder);
        let depth = match ranked_by {
            RetrievalStrategy::Hybrid => depth_of(self.wanted()).saturating_mul(2),
            RetrievalStrategy::Keyword | RetrievalStrategy::Semantic => self.input.limit,
        };
        // Before any memory is held: others need none of it while the embedder is asked.
        let question = match (ranked_by, self.embedder) {
            (RetrievalStrategy::Keyword, _) | (_, None) => None,
            (_, Some(embedder)) => Some(self.embedded(embedder).await),
        };
        let reserved = self.memory.for_hits(self.organization, depth.max(self.input.limit)).await?;
        let (Answered { hits, incomplete }, ranked_by) = match (ranked_by, question) {
            (RetrievalStrategy::Semantic, Some(question)) => (self.by_meaning(question, &reserved).await?, ranked_by),
            (RetrievalStrategy::Hybrid, Some(question)) => self.by_both(question, &reserved).await?,
            (RetrievalStrategy::Keyword, _) | (_, None) => {
                (self.by_keywords(&reserved).await?, RetrievalStrategy::Keyword)
            }
        };
        let embeds = ranked_by != RetrievalStrategy::Keyword;
        let said = Incomplete {
            strategy: ranked_by != self.input.strategy,
            question: embeds && self.input.text.chars().count() > MAX_INPUT_CHARS,
            ..Incomplete::default()
        };
        Ok(Retrieved { hits, ranked_by, incomplete: incomplete.or(said), reserved })
    }

    fn wanted(&self) -> u32 {
        self.input.limit.saturating_add(self.input.offset)
    }

    async fn by_keywords(&self, reserved: &Reserved) -> Result<Answered, Problem> {
        let (limit, offset) = (self.input.limit, self.input.offset);
        self.ask(self.words(), limit, offset, reserved.bytes_of_each(1)).await.map_err(Problem::Search)
    }

    async fn by_meaning(
        &self,
        question: Result<Embedding, NoMeaning>,
        reserved: &Reserved,
    ) -> Result<Answered, Problem> {
        match self.near(question, self.input.limit, self.input.offset, reserved.bytes_of_each(1)).await {
            Ok(answered) => Ok(answered),
            // A question without a direction is near to nothing.
            Err(NoMeaning::NoVector) => Ok(Answered { hits: Vec::new(), incomplete: Incomplete::default() }),
            Err(NoMeaning::Embedder(error)) => Err(Problem::Embedder(error)),
            Err(NoMeaning::Vespa(error)) => Err(Problem::Search(error)),
        }
    }

    async fn by_both(
        &self,
        question: Result<Embedding, NoMeaning>,
        reserved: &Reserved,
    ) -> Result<(Answered, RetrievalStrategy), Problem> {
        let (limit, offset) = (self.input.limit, self.input.offset);
        let depth = depth_of(self.wanted());
        let bytes = reserved.bytes_of_each(2);
        let words = self.ask(self.words(), depth, 0, bytes);
        let (words, meaning) = tokio::join!(words, self.near(question, depth, 0, bytes));
        let words = words.map_err(Problem::Search)?;
        let meaning = match meaning {
            Ok(meaning) => meaning,
            Err(error) => {
                note_fallback(&error);
                if self.wanted() > depth {
                    drop(words);
                    return Ok((self.by_keywords(reserved).await?, RetrievalStrategy::Keyword));
                }
                let hits = page(words.hits.into_iter(), limit, offset);
                let answered = Answered { hits, incomplete: words.incomplete };
                return Ok((answered, RetrievalStrategy::Keyword));
            }
        };
        let is_cut = self.wanted() > depth && [&words, &meaning].iter().any(|found| found.hits.len() >= index(depth));
        let incomplete = words.incomplete.or(meaning.incomplete);
        let incomplete = incomplete.or(Incomplete { ranking: is_cut, ..Incomplete::default() });
        let hits = fuse_hits(words.hits, meaning.hits, limit, offset);
        // Of rankings that were cut the page holds what they still had; an empty one lies beyond them.
        let shown = u32::try_from(hits.len()).unwrap_or(limit);
        let (size, ranking) = match incomplete.size {
            Some(_) if shown == 0 => (None, true),
            Some(_) => (Some(shown), incomplete.ranking),
            None => (None, incomplete.ranking),
        };
        Ok((Answered { hits, incomplete: Incomplete { size, ranking, ..incomplete } }, RetrievalStrategy::Hybrid))
    }

    fn words(&self) -> Ranking {
        Ranking::Keywords(self.input.text.clone())
    }

    /// The question's vector.
    async fn embedded(&self, embedder: &Embedder) -> Result<Embedding, NoMeaning> {
        let question = [&self.input.text];
        let embedding = embedder.embed(&question, PATIENCE);
        // Waiting for a turn counts as well.
        let embedded = tokio::time::timeout(PATIENCE.total, embedding).await;
        let embedded = embedded.map_err(|_| EmbedderError::Unanswered(PATIENCE.total))??;
        embedded.into_iter().next().flatten().ok_or(NoMeaning::NoVector)
    }

    async fn near(
        &self,
        question: Result<Embedding, NoMeaning>,
        limit: u32,
        offset: u32,
        bytes: usize,
    ) -> Result<Answered, NoMeaning> {
        Ok(self.ask(Ranking::Meaning(question?), limit, offset, bytes).await?)
    }

    /// Asks for so many hits; for fewer if they would take more than `bytes`.
    async fn ask(&self, ranking: Ranking, limit: u32, offset: u32, bytes: usize) -> Result<Answered, VespaError> {
        let filter: Option<Filter> = self.input.filter.clone();
        let (sync_ids, most_bytes) = (self.syncs.clone(), bytes.max(LEAST_ANSWER_BYTES));
        let mut request = SearchRequest { ranking, sync_ids, filter, limit, offset, most_bytes };
        loop {
            match self.vespa.search(&request, VESPA_TIMEOUT).await {
                Err(VespaError::TooLarge(_)) if request.limit > 1 => request.limit /= 2,
                answered => {
                    let Hits { hits, is_degraded } = answered?;
                    if is_degraded {
                        tracing::warn!("Vespa answered a search without looking everywhere");
                    }
                    let (coverage, size) = (is_degraded, (request.limit < limit).then_some(request.limit));
                    return Ok(Answered { hits, incomplete: Incomplete { coverage, size, ..Incomplete::default() } });
                }
            }
        }
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

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
