//! What every walk is told: types, selection, slice, where to start, how long.
//! Refusals come in Vespa's order and words.

use std::time::Duration;

use hyper::StatusCode;

use crate::document_id::{BUCKETS, Location};
use crate::http::params::Params;
use crate::http::path::Target;
use crate::http::reply::{Reply, Tail, quoted};
use crate::schema::{CLUSTER, DocType};
use crate::selection::{self, Expr, IdPart, Operand, Operator, SelectionError};
use crate::visit_token;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(180);

/// A walk as it was asked for.
#[derive(Debug)]
pub(super) struct Plan {
    pub types: Vec<DocType>,
    pub selection: Expr,
    pub cursor: Cursor,
    /// After so long no further bucket is started.
    pub session: Duration,
}

/// A place in the buckets of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    next: u16,
    slices: u16,
}

impl Cursor {
    /// The bucket to walk, until there are no more.
    pub fn bucket(self) -> Option<u8> {
        u8::try_from(self.next).ok()
    }

    /// Moves on to the slice's next bucket.
    pub fn advance(&mut self) {
        self.next = self.next.saturating_add(self.slices);
    }

    /// The token to go on from here; `None` at the end.
    pub fn token(self) -> Option<String> {
        self.bucket().map(|_| visit_token::encode(self.next))
    }
}

type Result<T, E = Reply> = std::result::Result<T, E>;

impl Plan {
    /// Of a request that changes what it finds.
    pub fn bulk(path: &str, target: &Target, params: &Params) -> Result<Self> {
        for name in ["selection", "cluster"] {
            if !params.0.contains_key(name) {
                return Err(bad(path, &format!("Must specify '{name}' at '{path}'")));
            }
        }
        for name in ["concurrency", "fieldSet", "route", "wantedDocumentCount", "dryRun"] {
            if params.0.contains_key(name) {
                return Err(bad(path, &format!("May not specify '{name}' at '{path}'")));
            }
        }
        Self::new(path, target, params)
    }

    /// Of a request that only reads.
    pub fn reading(path: &str, target: &Target, params: &Params) -> Result<Self> {
        if *target == Target::Root && !params.0.contains_key("cluster") {
            let message = "Must set 'cluster' parameter to a valid content cluster id when visiting at a root /document/v1/ level";
            return Err(bad(path, message));
        }
        if params.0.contains_key("dryRun") {
            return Err(bad(path, &format!("May not specify 'dryRun' at '{path}'")));
        }
        Self::new(path, target, params)
    }

    fn new(path: &str, target: &Target, params: &Params) -> Result<Self> {
        let refused = |message: String| bad(path, &message);
        if let Some(cluster) = params.text("cluster").map_err(refused)?
            && cluster != CLUSTER
        {
            let message = format!("Your Vespa deployment has no content cluster '{cluster}', only '{CLUSTER}'");
            return Err(bad(path, &message));
        }
        for (name, off) in [("includeRemoves", "false"), ("fromTimestamp", "0"), ("toTimestamp", "0")] {
            if params.text(name).map_err(refused)?.is_some_and(|value| value != off) {
                return Err(bad(path, &format!("'{name}' is not spoken by this stand-in")));
            }
        }
        let mut types = match target {
            Target::Root | Target::Document(_) => DocType::ALL.to_vec(),
            Target::Type { doc_type, .. } => match DocType::parse(doc_type) {
                Some(doc_type) => vec![doc_type],
                None => return Err(unknown_type(path, doc_type)),
            },
        };
        match params.text("bucketSpace").map_err(refused)? {
            None | Some("default") => {}
            // No type is global; a typed path is of its type's own space.
            Some("global") if *target == Target::Root => types.clear(),
            Some("global") => {}
            Some(other) => {
                let message =
                    format!("Bucket space '{other}' is not a known bucket space; expected one of default, global");
                return Err(bad(path, &message));
            }
        }
        let cursor = cursor(params).map_err(refused)?;
        let timeout = params.duration("timeout").map_err(refused)?.unwrap_or(DEFAULT_TIMEOUT);
        let selection = match params.text("selection").map_err(refused)? {
            None => Expr::Constant(Some(true)),
            Some(text) => selection::parse(text).map_err(|error| refuse_selection(path, &error))?,
        };
        Ok(Self { types, selection: restrict(selection, target), cursor, session: session(timeout) })
    }
}

fn bad(path: &str, message: &str) -> Reply {
    Reply::failure(StatusCode::BAD_REQUEST, path, message)
}

fn unknown_type(path: &str, doc_type: &str) -> Reply {
    let known: Vec<String> = DocType::ALL.iter().map(|doc_type| format!("'{}'", doc_type.name())).collect();
    let message = format!("There is no document type '{doc_type}' in cluster '{CLUSTER}', only {}", known.join(", "));
    bad(path, &message)
}

fn refuse_selection(path: &str, error: &SelectionError) -> Reply {
    match error {
        SelectionError::Syntax(message) => bad(path, message),
        SelectionError::Refused { .. } => failed(path, 0, error.to_string()),
    }
}

/// A walk that broke: 500, the number of documents so far, and no token.
pub(super) fn failed(path: &str, count: u64, message: String) -> Reply {
    let tail = Tail { count, message: Some(message), continuation: None };
    Reply::json(StatusCode::INTERNAL_SERVER_ERROR, format!("{{\"pathId\":{},{}", quoted(path), tail.json()))
}

fn cursor(params: &Params) -> Result<Cursor, String> {
    let (slices, slice) = match (params.number("slices")?, params.number("sliceId")?) {
        (None, None) => (1, 0),
        (Some(slices), Some(slice)) => (slices, slice),
        _ => return Err("None or both of 'slices' and 'sliceId' must be set".into()),
    };
    if slices < 1 {
        return Err(format!("slices must be at least 1, but was {slices}"));
    }
    if !(0..slices).contains(&slice) {
        return Err(format!("sliceId must be in [0, {slices}), but was {slice}"));
    }
    let start = match params.text("continuation")? {
        Some(token) => i64::from(visit_token::decode(token)?),
        None => 0,
    };
    // The first bucket from the start on that belongs to the slice.
    let next = (start..start.saturating_add(slices)).find(|bucket| bucket.rem_euclid(slices) == slice);
    let next = next.and_then(|next| u16::try_from(next).ok()).unwrap_or(BUCKETS);
    Ok(Cursor { next, slices: u16::try_from(slices).unwrap_or(u16::MAX) })
}

/// `(<selection>) and (id.namespace=='…') and (id.group=='…')`; the type is exact anyway.
fn restrict(selection: Expr, target: &Target) -> Expr {
    let Target::Type { namespace, location, .. } = target else { return selection };
    let equals = |part, value| Expr::Compare(Operand::Id(part), Operator::Equal, value);
    let mut parts = vec![selection, equals(IdPart::Namespace, Operand::Text(namespace.clone()))];
    match location {
        Location::None => {}
        Location::Number(number) => {
            parts.push(equals(IdPart::User, Operand::Int(i64::try_from(*number).unwrap_or(-1))));
        }
        Location::Group(group) => parts.push(equals(IdPart::Group, Operand::Text(group.clone()))),
    }
    Expr::And(parts)
}

/// How long a request with that timeout goes on starting buckets.
fn session(timeout: Duration) -> Duration {
    let most = timeout.saturating_sub(Duration::from_secs(5));
    most.max(timeout.mul_f64(0.9).saturating_sub(Duration::from_millis(100)))
}
