//! The answer to a query, coverage summed over the schemas that were searched, as Vespa does.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::coverage::{Partial, coverage};
use crate::faults::Looks;
use crate::http::reply::Reply;
use crate::schema::{CLUSTER, DocType, Field, Kind};
use crate::store::{Hit, Response, Store};

/// A query that was refused or failed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Failure {
    status: StatusCode,
    code: u16,
    summary: &'static str,
    message: String,
}

impl Failure {
    /// Code 3.
    pub(super) fn query(message: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: 3, summary: "Illegal query", message: message.to_owned() }
    }

    /// Code 4.
    pub(in crate::http) fn parameter(message: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: 4,
            summary: "Invalid query parameter",
            message: message.to_owned(),
        }
    }

    /// Code 5: what Vespa doesn't expect to go wrong. The text begins with `Failed: `.
    pub(in crate::http) fn unspecified(message: &str) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: 5,
            summary: "Unspecified error",
            message: message.to_owned(),
        }
    }

    /// Code 0.
    pub(in crate::http) fn no_backends(message: &str) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: 0,
            summary: "No backends in service. Try later",
            message: message.to_owned(),
        }
    }

    /// Code 12.
    pub(in crate::http) fn timeout(message: &str) -> Self {
        Self { status: StatusCode::GATEWAY_TIMEOUT, code: 12, summary: "Timed out", message: message.to_owned() }
    }

    /// Code 429: a limit of the rate, if one is configured.
    pub(in crate::http) fn too_many(message: &str) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { status, code: 429, summary: "Too many requests", message: message.to_owned() }
    }

    /// Code 10.
    pub(super) fn backend(message: &str) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: 10,
            summary: "Backend communication error",
            message: message.to_owned(),
        }
    }

    pub(in crate::http) fn reply(self) -> Reply {
        let error = self.error();
        let root = json!({"id": "toplevel", "relevance": 1.0, "fields": {"totalCount": 0}, "errors": [error]});
        Reply::json(self.status, json!({ "root": root }).to_string())
    }
}

impl Failure {
    fn error(&self) -> Value {
        json!({"code": self.code, "summary": self.summary, "source": CLUSTER, "message": self.message})
    }
}

/// What an answer shows.
pub(super) struct Shape {
    /// `None` is all of them.
    fields: Option<Vec<String>>,
    types: Vec<DocType>,
    group: Option<(&'static Field, u64)>,
    partial: Option<Partial>,
}

impl Shape {
    pub(super) fn new(
        fields: Option<Vec<String>>,
        types: Vec<DocType>,
        group: Option<(&'static Field, u64)>,
        partial: Option<Partial>,
    ) -> Self {
        Self { fields, types, group, partial }
    }

    /// Whether ids alone are not enough.
    pub(super) fn needs_bodies(&self) -> bool {
        match &self.fields {
            None => true,
            Some(fields) => fields.iter().any(|field| field != "documentid" && field != "sddocname"),
        }
    }

    pub(super) fn reply(&self, store: &Store, found: &Response) -> Result<Reply, Failure> {
        let mut root = json!({
            "id": "toplevel",
            "relevance": 1.0,
            "fields": {"totalCount": found.total},
            "coverage": coverage(store, &self.types, self.partial).map_err(|error| Failure::backend(&error.to_string()))?,
        });
        let mut children: Vec<Value> = Vec::new();
        children.extend(self.group.map(|(field, max)| groups(field, max, &found.groups)));
        children.extend(found.hits.iter().map(|hit| self.hit(hit)));
        if let (false, Some(root)) = (children.is_empty(), root.as_object_mut()) {
            root.insert("children".into(), children.into());
        }
        if self.partial.is_some_and(|partial| partial.looks == Looks::Error) {
            let failure = Failure::timeout("Timed out");
            if found.hits.is_empty() {
                return Err(failure);
            }
            if let Some(root) = root.as_object_mut() {
                root.insert("errors".into(), vec![failure.error()].into());
            }
        }
        Ok(Reply::json(StatusCode::OK, json!({ "root": root }).to_string()))
    }

    fn hit(&self, hit: &Hit) -> Value {
        let mut all = match hit.body.as_deref().map(str::parse) {
            Some(Ok(Value::Object(fields))) => fields,
            _ => Map::new(),
        };
        all.retain(|name, _| hit.doc_type.field(name).is_some_and(|field| field.access.is_shown()));
        all.insert("sddocname".into(), hit.doc_type.name().into());
        all.insert("documentid".into(), hit.id.as_str().into());
        if let Some(wanted) = &self.fields {
            all.retain(|name, _| wanted.contains(name));
        }
        json!({"id": hit.id, "relevance": hit.relevance, "source": CLUSTER, "fields": all})
    }
}

fn groups(field: &Field, max: u64, groups: &[(String, u64)]) -> Value {
    let kind = match field.kind {
        Kind::Text | Kind::TextArray | Kind::Structs(_) | Kind::Tensor => "string",
        Kind::Int | Kind::Long => "long",
        Kind::Bool => "bool",
    };
    let shown: Vec<Value> = groups
        .iter()
        .take(usize::try_from(max).unwrap_or(usize::MAX))
        .map(|(value, count)| {
            json!({"id": format!("group:{kind}:{value}"), "relevance": 0.0, "value": value, "fields": {"count()": count}})
        })
        .collect();
    let mut list = json!({"id": format!("grouplist:{}", field.name), "relevance": 1.0, "label": field.name});
    if let (false, Some(list)) = (shown.is_empty(), list.as_object_mut()) {
        list.insert("children".into(), shown.into());
    }
    json!({"id": "group:root:0", "relevance": 1.0, "continuation": {"this": ""}, "children": [list]})
}
