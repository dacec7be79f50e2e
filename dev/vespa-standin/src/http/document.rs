//! One document: get, put, update, remove.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::params::Params;
use super::reply::Reply;
use super::visit::FieldSet;
use super::{State, body};
use crate::counters::Kind;
use crate::document::{self, Prepared};
use crate::document_id::DocumentId;
use crate::faults::Fault;
use crate::schema::DocType;
use crate::selection::{self, SelectionError};
use crate::store::{Condition, Operation, Outcome, StoreError};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(180);

const CONDITION_FAILED: &str = "[UNKNOWN(251013) @ tcp/vespa-standin:19112/default]: \
     ReturnCode(TEST_AND_SET_CONDITION_FAILED, Condition did not match document)";

type Result<T, E = Reply> = std::result::Result<T, E>;

/// Does what the method says to the document that the path names.
pub(super) async fn operate(
    state: &Arc<State>,
    request: Request<Incoming>,
    path: &str,
    id: DocumentId,
    params: &Params,
    fault: Option<Fault>,
) -> Reply {
    let late = match fault {
        Some(Fault::LateWrite { millis }) => Some(Duration::from_millis(millis)),
        _ => None,
    };
    let operation = Single { state, path, id: id.to_string(), parsed: id, params, late };
    let done = match *request.method() {
        Method::GET => operation.get().await,
        Method::POST => operation.put(request).await,
        Method::PUT => operation.update(request).await,
        _ => operation.remove().await,
    };
    done.unwrap_or_else(|reply| reply)
}

struct Single<'a> {
    state: &'a Arc<State>,
    path: &'a str,
    id: String,
    parsed: DocumentId,
    params: &'a Params,
    /// By how much a write comes too late.
    late: Option<Duration>,
}

impl Single<'_> {
    async fn get(&self) -> Result<Reply> {
        let counter = self.state.counters.of(Kind::Get);
        self.refuse("dryRun")?;
        let fields = FieldSet::parse(self.params).map_err(|message| self.bad(&message))?;
        let id = self.id.clone();
        let found =
            self.state.blocking(move |state| state.store.get(&id)).await.map_err(|error| self.broken(&error))?;
        let Some(stored) = found else {
            return Ok(Reply::document(StatusCode::NOT_FOUND, self.path, &self.id, None, None));
        };
        counter.operations(1);
        counter.examined(1, u64::try_from(stored.body.len()).unwrap_or(u64::MAX));
        let shown = fields.apply(stored.doc_type, stored.body);
        Ok(Reply::document(StatusCode::OK, self.path, &self.id, Some(&shown), None))
    }

    async fn put(&self, request: Request<Incoming>) -> Result<Reply> {
        let doc_type = self.doc_type()?;
        let body = self.body(request).await?;
        let body = document::read_put(doc_type, &self.parsed, &body, self.state.dimensions)
            .map_err(|refused| self.bad(&refused.0))?;
        let operation = Operation::Put {
            id: self.id.clone(),
            document: Box::new(Prepared::new(doc_type, body.fields)),
            condition: self.condition(body.condition.as_deref())?,
            create: self.create(body.create)?,
        };
        self.write(Kind::Put, operation).await
    }

    async fn update(&self, request: Request<Incoming>) -> Result<Reply> {
        let doc_type = self.doc_type()?;
        let body = self.body(request).await?;
        let body = document::read_update(doc_type, &self.parsed, &body, self.state.dimensions)
            .map_err(|refused| self.bad(&refused.0))?;
        let operation = Operation::Update {
            id: self.id.clone(),
            doc_type,
            fields: body.fields,
            condition: self.condition(body.condition.as_deref())?,
            create: self.create(body.create)?,
        };
        self.write(Kind::Update, operation).await
    }

    /// A remove needs no known type: as in Vespa, what isn't there is as good as removed.
    async fn remove(&self) -> Result<Reply> {
        let operation = Operation::Remove { id: self.id.clone(), condition: self.condition(None)? };
        self.write(Kind::Remove, operation).await
    }

    async fn write(&self, kind: Kind, operation: Operation) -> Result<Reply> {
        let timeout = self.params.duration("timeout").map_err(|message| self.bad(&message))?.unwrap_or(DEFAULT_TIMEOUT);
        let done = Reply::document(StatusCode::OK, self.path, &self.id, None, None);
        if self.params.flag("dryRun").map_err(|message| self.bad(&message))? {
            return Ok(done);
        }
        // After the timeout the operation is still queued and will be applied: as in Vespa, 504 says nothing of that.
        // Nor does it end with the client.
        let writing = self.state.tasks.spawn(write(self.state.clone(), kind, operation, self.late));
        let Ok(written) = tokio::time::timeout(timeout, writing).await else {
            let message = format!("Timeout after {}ms", timeout.as_millis());
            return Ok(Reply::document(StatusCode::GATEWAY_TIMEOUT, self.path, &self.id, None, Some(&message)));
        };
        match written.unwrap_or(Err(StoreError::Closed)) {
            Ok(Outcome::Done { .. }) => Ok(done),
            Ok(Outcome::ConditionFailed) => {
                Ok(Reply::document(StatusCode::PRECONDITION_FAILED, self.path, &self.id, None, Some(CONDITION_FAILED)))
            }
            Err(error) => Ok(self.broken(&error)),
        }
    }

    fn doc_type(&self) -> Result<DocType> {
        let name = &self.parsed.doc_type;
        DocType::parse(name).ok_or_else(|| self.bad(&format!("Document type {name} does not exist")))
    }

    async fn body(&self, request: Request<Incoming>) -> Result<bytes::Bytes> {
        body::read(request).await.map_err(|error| Reply::failure(error.status, self.path, &error.message))
    }

    fn condition(&self, in_body: Option<&str>) -> Result<Option<Condition>> {
        let given = self.params.text("condition").map_err(|message| self.bad(&message))?;
        let Some(condition) = given.or(in_body) else { return Ok(None) };
        match selection::parse(condition) {
            Ok(expr) => Ok(Some(Condition(expr))),
            Err(error @ SelectionError::Syntax(_)) => Err(self.bad(&error.to_string())),
            Err(error @ SelectionError::Refused { .. }) => {
                Err(Reply::failure(StatusCode::INTERNAL_SERVER_ERROR, self.path, &error.to_string()))
            }
        }
    }

    fn create(&self, in_body: Option<bool>) -> Result<bool> {
        if self.params.0.contains_key("create") {
            return self.params.flag("create").map_err(|message| self.bad(&message));
        }
        Ok(in_body.unwrap_or(false))
    }

    fn refuse(&self, name: &str) -> Result<()> {
        if self.params.0.contains_key(name) {
            return Err(self.bad(&format!("May not specify '{name}' at '{}'", self.path)));
        }
        Ok(())
    }

    fn bad(&self, message: &str) -> Reply {
        Reply::failure(StatusCode::BAD_REQUEST, self.path, message)
    }

    fn broken(&self, error: &StoreError) -> Reply {
        tracing::error!(%error, path = self.path, "operation failed");
        Reply::failure(StatusCode::INTERNAL_SERVER_ERROR, self.path, &error.to_string())
    }
}

/// Writes, later if it is to be so, and counts it whether or not anybody still waits.
async fn write(
    state: Arc<State>,
    kind: Kind,
    operation: Operation,
    late: Option<Duration>,
) -> Result<Outcome, StoreError> {
    if let Some(late) = late {
        tokio::select! {
            () = tokio::time::sleep(late) => {}
            () = state.stop.cancelled() => return Err(StoreError::Closed),
        }
    }
    let outcome = state.store.write(operation).await?;
    if let Outcome::Done { changed, examined, bytes } = outcome {
        let counter = state.counters.of(kind);
        counter.operations(changed);
        counter.examined(examined, bytes);
    }
    Ok(outcome)
}
