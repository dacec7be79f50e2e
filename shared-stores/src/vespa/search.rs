//! Keyword search over the documents of named syncs.
//!
//! DEL-3 rests on the caller, who passes a positive list of live syncs and checks the hits again; here the list is never
//! empty and always part of the query.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use shared_models::{DocumentType, SyncId};

use super::answer::{Answer, all_types};
use super::{Document, StoredId, VespaClient, VespaError};

/// What to search for, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRequest {
    /// A person's words; no query language.
    pub text: String,
    /// The syncs whose documents may be found. With none, nothing is asked and nothing found.
    pub sync_ids: Vec<SyncId>,
    /// Most hits to return.
    pub limit: u32,
    /// Hits to skip.
    pub offset: u32,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    /// The hits, best first.
    pub hits: Vec<Hit>,
    /// Documents that matched; an estimate, as the operator skips documents that can't be among the best.
    pub total: u64,
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
    /// Searches by keywords, ranked by the profile `keyword`. Thousands of syncs are fine: the query travels as a body.
    ///
    /// # Errors
    /// `Untrustworthy` if the answer carries errors, `Rejected` if limit or offset exceed the query profile's, else as
    /// any call.
    pub async fn search(&self, request: &SearchRequest, timeout: Duration) -> Result<Hits, VespaError> {
        if request.sync_ids.is_empty() {
            return Ok(Hits { hits: Vec::new(), total: 0, is_degraded: false });
        }
        let body = self.query(query_of(request), timeout).await?;
        let answer = Answer::read(&body)?;
        let total = answer.total()?;
        let is_degraded = answer.check_complete(DocumentType::ALL.len()).is_err();
        let hits = answer.into_hits::<RawHit>()?.into_iter().map(Hit::try_from).collect::<Result<_, _>>()?;
        Ok(Hits { hits, total, is_degraded })
    }
}

fn query_of(request: &SearchRequest) -> serde_json::Value {
    // Ids are UUIDs, so quoting them is safe; the person's words travel as a parameter.
    let syncs = request.sync_ids.iter().map(|sync| format!("\"{sync}\"")).collect::<Vec<_>>().join(", ");
    let yql = format!(
        "select * from sources {} where airweave_system_metadata_sync_id in ({syncs}) and \
         ({{defaultIndex:\"default\", grammar:\"weakAnd\"}}userInput(@q))",
        all_types()
    );
    json!({
        "yql": yql,
        "q": super::clean_text(&request.text),
        "hits": request.limit,
        "offset": request.offset,
        "ranking.profile": "keyword",
    })
}

impl TryFrom<RawHit> for Hit {
    type Error = VespaError;

    fn try_from(raw: RawHit) -> Result<Self, VespaError> {
        let id = StoredId::parse(&raw.fields.documentid)?;
        Ok(Self { id, relevance: raw.relevance, document: raw.fields.document })
    }
}
