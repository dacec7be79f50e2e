//! Whether the application that Vespa runs has what we write and ask for.

use std::time::Duration;

use futures::future::try_join_all;
use shared_models::{DocumentType, SyncId};

use super::client::{WIRE_MARGIN, exchange};
use super::document::SHOWN;
use super::page::PURGE_KEY;
use super::search::query_of;
use super::{MAX_OFFSET, Ranking, SearchRequest, StoredId, VespaClient, VespaError};

/// What documents have besides what hits show.
const UNSHOWN: [&str; 4] = ["cjk_bigrams", "large_payload", PURGE_KEY, "dense_embedding"];
const MOST_ANSWER_BYTES: usize = 1 << 20;

impl VespaClient {
    /// Asks as purges and searches do, for a sync that there isn't: every document type and field, both rank profiles,
    /// the limits of the query profile and, if the client knows it, the size of vectors must be right. Changes nothing.
    ///
    /// # Errors
    /// `Rejected` with Vespa's text if something is missing, `Setup` if its vectors are longer, else as any call.
    pub async fn check_application(&self, timeout: Duration) -> Result<(), VespaError> {
        self.count(SyncId::random(), timeout).await?;
        self.check_document_types(timeout).await?;
        self.search(&of_nobody(Ranking::Keywords("word".to_owned())), timeout).await?;
        match self.dimensions.map(usize::try_from) {
            Some(Ok(dimensions)) => self.check_vectors(dimensions, timeout).await,
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// Asks whether every document type has every field that documents are written with. Changes nothing.
    ///
    /// # Errors
    /// `Rejected` with Vespa's text if one is missing, else as any call.
    pub async fn check_document_types(&self, timeout: Duration) -> Result<(), VespaError> {
        try_join_all(DocumentType::ALL.iter().map(|kind| self.check_fields(*kind, timeout))).await.map(drop)
    }

    /// A document that there isn't is asked for with all fields; one that its type doesn't have is refused.
    async fn check_fields(&self, kind: DocumentType, timeout: Duration) -> Result<(), VespaError> {
        let namespace = shared_models::document::NAMESPACE;
        let id = StoredId::parse(&format!("id:{namespace}:{kind}::{}", SyncId::random()))?;
        let fields: Vec<&str> = SHOWN.into_iter().chain(UNSHOWN).collect();
        let request = self.fields_request(&id, &format!("{kind}:{}", fields.join(",")), timeout)?;
        match exchange(request, timeout, timeout + WIRE_MARGIN).await {
            Ok(_) | Err(VespaError::Rejected { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Vespa takes a vector that is too short, and refuses one that is too long.
    async fn check_vectors(&self, dimensions: usize, timeout: Duration) -> Result<(), VespaError> {
        self.search(&of_nobody(Ranking::Meaning(vec![0.5; dimensions])), timeout).await?;
        let longer = query_of(&of_nobody(Ranking::Meaning(vec![0.5; dimensions + 1])));
        match self.query_of_at_most(MOST_ANSWER_BYTES, longer, timeout).await {
            Err(VespaError::Rejected { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(VespaError::Setup(format!("the schema's vectors have more than {dimensions} dimensions"))),
        }
    }
}

fn of_nobody(ranking: Ranking) -> SearchRequest {
    let (sync_ids, most_bytes) = (vec![SyncId::random()], MOST_ANSWER_BYTES);
    SearchRequest { ranking, sync_ids, filter: None, limit: 1, offset: MAX_OFFSET, most_bytes }
}
