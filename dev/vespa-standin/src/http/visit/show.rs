//! `GET` of a selection: the documents found, at once or as a stream of JSON or JSON lines.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::stream;
use hyper::StatusCode;
use tokio::sync::mpsc;

use super::fields::FieldSet;
use super::plan::{Plan, failed};
use super::{BROKEN, breaks_after};
use crate::counters::Kind;
use crate::faults::Fault;
use crate::http::State;
use crate::http::params::Params;
use crate::http::path::Target;
use crate::http::reply::{Reply, Tail, quoted, visited};
use crate::store::{Found, Scan};

/// A visit and how its answer looks.
struct Visit {
    plan: Plan,
    fields: FieldSet,
    /// No further bucket is started once so many were found.
    wanted: u64,
    /// It breaks after so many buckets.
    breaks_after: Option<u16>,
}

pub(super) async fn show(
    state: &Arc<State>,
    path: &str,
    target: &Target,
    params: &Params,
    accept: &str,
    fault: Option<Fault>,
) -> Result<Reply, Reply> {
    let plan = Plan::reading(path, target, params)?;
    let bad = |message: String| Reply::failure(StatusCode::BAD_REQUEST, path, &message);
    let fields = FieldSet::parse(params).map_err(bad)?;
    params.number("concurrency").map_err(bad)?;
    let streamed = params.flag("stream").map_err(bad)?;
    let wanted = match params.number("wantedDocumentCount").map_err(bad)? {
        Some(wanted) => u64::try_from(wanted).unwrap_or(1),
        None if streamed => u64::MAX,
        None => 1,
    };
    let visit = Visit { plan, fields, wanted, breaks_after: breaks_after(fault.as_ref()) };
    if streamed {
        let lines = accept.contains("application/jsonl");
        return Ok(as_stream(state.clone(), path.to_owned(), visit, lines));
    }
    let head = format!("{{\"pathId\":{},\"documents\":[", quoted(path));
    let walked = state
        .blocking(move |state| {
            let mut body = head;
            let tail = walk(state, visit, |document| {
                push_separated(&mut body, &document);
                true
            });
            Ok((body, tail))
        })
        .await;
    match walked {
        Ok((body, (tail, None))) => Ok(Reply::json(StatusCode::OK, format!("{body}],{}", tail.json()))),
        Ok((_, (tail, Some(error)))) => Err(failed(path, tail.count, error)),
        Err(error) => Err(failed(path, 0, error.to_string())),
    }
}

fn push_separated(body: &mut String, document: &Document) {
    if !body.ends_with('[') {
        body.push(',');
    }
    body.push_str(&visited(&document.id, &document.fields));
}

/// A document as it is shown.
struct Document {
    id: String,
    fields: std::borrow::Cow<'static, str>,
}

/// Walks until the end, the time or the wanted number; `show` says whether anybody still listens.
fn walk(state: &State, visit: Visit, mut show: impl FnMut(Document) -> bool) -> (Tail, Option<String>) {
    let Visit { mut plan, fields, wanted, mut breaks_after } = visit;
    let scan = Scan::new(&plan.types, &plan.selection, fields.needs_bodies());
    let counter = state.counters.of(Kind::Visit);
    let started = Instant::now();
    let mut tail = Tail::default();
    while let Some(bucket) = plan.cursor.bucket() {
        if breaks_after == Some(0) {
            return (tail, Some(BROKEN.to_owned()));
        }
        breaks_after = breaks_after.map(|left| left - 1);
        let (found, examined) = match state.store.walk(bucket, &scan) {
            Ok(walked) => walked,
            Err(error) => return (tail, Some(error.to_string())),
        };
        counter.examined(examined.documents, examined.bytes);
        let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
        counter.operations(count);
        tail.count += count;
        for Found { id, doc_type, body, .. } in found {
            let document = Document { id, fields: fields.apply(doc_type, body.unwrap_or_default()) };
            if !show(document) {
                return (tail, None);
            }
        }
        plan.cursor.advance();
        if tail.count >= wanted || started.elapsed() >= plan.session {
            break;
        }
    }
    tail.continuation = plan.cursor.token();
    (tail, None)
}

fn as_stream(state: Arc<State>, path: String, visit: Visit, lines: bool) -> Reply {
    let (sender, receiver) = mpsc::channel::<Bytes>(64);
    // Ends with the walk, or as soon as nobody takes its chunks any more.
    tokio::task::spawn_blocking(move || {
        let mut first = true;
        if !lines && sender.blocking_send(format!("{{\"pathId\":{},\"documents\":[", quoted(&path)).into()).is_err() {
            return;
        }
        let (mut tail, error) = walk(&state, visit, |document| {
            let chunk = if lines {
                format!("{{\"put\":{},\"fields\":{}}}\n", quoted(&document.id), document.fields)
            } else {
                let separator = if first { "\n" } else { ",\n" };
                format!("{separator}{}", visited(&document.id, &document.fields))
            };
            first = false;
            sender.blocking_send(chunk.into()).is_ok()
        });
        tail.message = error;
        let end = if lines { lines_end(&tail) } else { format!("],{}", tail.json()) };
        if sender.blocking_send(end.into()).is_err() {
            tracing::debug!("the client left before the end of its visit");
        }
    });
    Reply::stream(lines, stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) }))
}

fn lines_end(tail: &Tail) -> String {
    let mut end = String::new();
    if let Some(message) = &tail.message {
        end.push_str(&format!("{{\"message\":{{\"text\":{},\"severity\":\"error\"}}}}\n", quoted(message)));
    }
    end.push_str(&format!("{{\"sessionStats\":{{\"documentCount\":{}}}}}\n", tail.count));
    end.push_str(&match &tail.continuation {
        Some(token) => {
            let cursor = crate::visit_token::decode(token).unwrap_or_default();
            let percent = f64::from(cursor) * 100.0 / f64::from(crate::document_id::BUCKETS);
            format!("{{\"continuation\":{{\"token\":{},\"percentFinished\":{percent:?}}}}}\n", quoted(token))
        }
        None if tail.message.is_none() => "{\"continuation\":{\"percentFinished\":100.0}}\n".to_owned(),
        None => String::new(),
    });
    end
}
