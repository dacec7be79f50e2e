//! Search over the documents of named syncs, by keywords or by meaning.
//!
//! DEL-3 rests on the caller, who passes a positive list of live syncs and checks the hits again; here the list is
//! never empty and always part of the query, joined to everything else by `and`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use shared_models::{DocumentType, SyncId};

use super::answer::{Answer, all_types};
use super::bigrams::with_bigrams;
use super::document::SHOWN;
use super::{Document, Filter, StoredId, VespaClient, VespaError};
use crate::embedder::Embedding;

/// How many hits deploy/vespa's query profile lets a search skip.
pub const MAX_OFFSET: u32 = 10_000;

/// What Vespa says of a question without a word: its query would find everything.
const NO_WORDS: &str = "inside nonEmpty()";

/// What to search for, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// What to search for.
    pub ranking: Ranking,
    /// The syncs whose documents may be found. With none, nothing is asked and nothing found.
    pub sync_ids: Vec<SyncId>,
    /// What the documents must be like.
    pub filter: Option<Filter>,
    /// Most hits to return.
    pub limit: u32,
    /// Hits to skip.
    pub offset: u32,
    /// An answer of more bytes is let go of.
    pub most_bytes: usize,
}

/// How documents are found and ranked.
#[derive(Debug, Clone, PartialEq)]
pub enum Ranking {
    /// A person's words; no query language, so no character in it means anything but itself. Ranked by BM25 (profile
    /// `keyword`).
    Keywords(String),
    /// The vector of a question. Ranked by angle (profile `semantic`); a document without a vector isn't found.
    Meaning(Embedding),
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hits {
    /// The hits, best first.
    pub hits: Vec<Hit>,
    /// Whether Vespa didn't look everywhere.
    pub is_degraded: bool,
}

/// One document found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The document's id in Vespa.
    pub id: StoredId,
    /// Its score: higher is better, comparable within one answer only.
    pub relevance: f64,
    /// The document.
    pub document: Document,
}

#[derive(Deserialize)]
struct RawHit {
    relevance: f64,
    fields: RawFields,
}

#[derive(Deserialize)]
struct RawFields {
    documentid: String,
    #[serde(flatten)]
    document: Document,
}

impl VespaClient {
    /// Searches. Thousands of syncs are fine: the query travels as a body.
    ///
    /// # Errors
    /// `Untrustworthy` if the answer carries errors, `Rejected` if limit or offset exceed the query profile's, `Setup`
    /// if the vector isn't of the schema's size, `TooLarge` if the answer is, else as any call.
    pub async fn search(&self, request: &SearchRequest, timeout: Duration) -> Result<Hits, VespaError> {
        if request.sync_ids.is_empty() {
            return Ok(Hits::default());
        }
        self.check_size(&request.ranking)?;
        let body = match self.query_of_at_most(request.most_bytes, query_of(request), timeout).await {
            Err(VespaError::Rejected { status: 400, message }) if message.contains(NO_WORDS) => {
                return Ok(Hits::default());
            }
            answered => answered?,
        };
        let answer = Answer::<RawHit>::read(&body)?;
        drop(body);
        let is_degraded = answer.check_complete(DocumentType::ALL.len()).is_err();
        let hits = answer.into_children().into_iter().map(Hit::try_from).collect::<Result<_, _>>()?;
        Ok(Hits { hits, is_degraded })
    }

    fn check_size(&self, ranking: &Ranking) -> Result<(), VespaError> {
        let Ranking::Meaning(vector) = ranking else { return Ok(()) };
        match self.dimensions.map(usize::try_from) {
            Some(Ok(wanted)) if wanted != vector.len() => {
                let text = format!("the question's vector has {} dimensions, the schema's have {wanted}", vector.len());
                Err(VespaError::Setup(text))
            }
            Some(_) | None => Ok(()),
        }
    }
}

pub(super) fn query_of(request: &SearchRequest) -> Value {
    // Ids are UUIDs, so quoting them is safe; the person's words travel as a parameter.
    let syncs = request.sync_ids.iter().map(|sync| format!("\"{sync}\"")).collect::<Vec<_>>().join(", ");
    // Both operators keep only about so many of the best: fewer than are asked for would end the pages too early.
    let wanted = request.limit.saturating_add(request.offset).max(1);
    let (ranked, profile, parameter) = match &request.ranking {
        Ranking::Keywords(words) => (
            // Words and nothing else. Without one Vespa would leave the part out, and find everything.
            format!("nonEmpty(({{targetHits:{wanted}, defaultIndex:\"default\", grammar:\"tokenize\"}}userInput(@q)))"),
            "keyword",
            ("q", json!(with_bigrams(&super::clean_text(words)))),
        ),
        Ranking::Meaning(vector) => (
            format!("({{targetHits:{wanted}}}nearestNeighbor(dense_embedding, q_embedding))"),
            "semantic",
            ("input.query(q_embedding)", json!(vector)),
        ),
    };
    let filter = request.filter.as_ref().map(Filter::to_conjunction).unwrap_or_default();
    let yql = format!(
        "select documentid, {} from sources {} where airweave_system_metadata_sync_id in ({syncs}){filter} and {ranked}",
        SHOWN.join(", "),
        all_types()
    );
    let mut query = json!({ "yql": yql, "hits": request.limit, "offset": request.offset, "ranking.profile": profile });
    if let Some(fields) = query.as_object_mut() {
        let (name, value) = parameter;
        fields.insert(name.to_owned(), value);
    }
    query
}

impl TryFrom<RawHit> for Hit {
    type Error = VespaError;

    fn try_from(raw: RawHit) -> Result<Self, VespaError> {
        let id = StoredId::parse(&raw.fields.documentid)?;
        Ok(Self { id, relevance: raw.relevance, document: raw.fields.document })
    }
}
