//! Answers, with their keys in Vespa's order: `pathId`, `id`, `fields` or `documents`, `documentCount`, `message`,
//! `continuation`.

use std::convert::Infallible;
use std::fmt::Write;

use bytes::Bytes;
use futures::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::faults::Ending;

const JSON: &str = "application/json; charset=UTF-8";
const JSON_LINES: &str = "application/jsonl; charset=UTF-8";

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer.
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    allow: Option<String>,
    body: Body,
    go_away: Option<Ending>,
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Reply {
    pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: JSON, allow: None, body: Full::new(body.into()).boxed_unsync(), go_away: None }
    }

    pub(super) fn html(status: StatusCode, body: &'static str) -> Self {
        Self {
            status,
            content_type: "text/html; charset=UTF-8",
            allow: None,
            body: Full::new(Bytes::from_static(body.as_bytes())).boxed_unsync(),
            go_away: None,
        }
    }

    pub(super) fn options(allow: &str) -> Self {
        let empty = Full::new(Bytes::new()).boxed_unsync();
        let allow = Some(allow.to_owned());
        Self { status: StatusCode::NO_CONTENT, content_type: JSON, allow, body: empty, go_away: None }
    }

    /// An answer whose body is written while the work goes on.
    pub(super) fn stream(lines: bool, chunks: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        use futures::StreamExt;
        let body = StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))).boxed_unsync();
        let content_type = if lines { JSON_LINES } else { JSON };
        Self { status: StatusCode::OK, content_type, allow: None, body, go_away: None }
    }

    /// `{"pathId":…,"message":…}`
    pub(super) fn failure(status: StatusCode, path: &str, message: &str) -> Self {
        Self::json(status, format!("{{\"pathId\":{},\"message\":{}}}", quoted(path), quoted(message)))
    }

    /// `{"pathId":…,"id":…,"fields":…,"message":…}`
    pub(super) fn document(
        status: StatusCode,
        path: &str,
        id: &str,
        fields: Option<&str>,
        message: Option<&str>,
    ) -> Self {
        let mut body = format!("{{\"pathId\":{},\"id\":{}", quoted(path), quoted(id));
        if let Some(fields) = fields {
            body.push_str(",\"fields\":");
            body.push_str(fields);
        }
        if let Some(message) = message {
            body.push_str(",\"message\":");
            body.push_str(&quoted(message));
        }
        body.push('}');
        Self::json(status, body)
    }

    /// The same, and the connection ends with it.
    pub(super) fn ending(self, go_away: Option<Ending>) -> Self {
        Self { go_away, ..self }
    }

    /// How the connection ends with it, if it does.
    pub(super) fn end(&self) -> Option<Ending> {
        self.go_away
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

/// The end of a walk's answer.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub count: u64,
    pub message: Option<String>,
    pub continuation: Option<String>,
}

impl Tail {
    /// `"documentCount":…` and the rest, to the closing bracket.
    pub(super) fn json(&self) -> String {
        let mut text = format!("\"documentCount\":{}", self.count);
        for (key, value) in [("message", &self.message), ("continuation", &self.continuation)] {
            if let Some(value) = value {
                // Writing to a String can't fail.
                let _ = write!(text, ",\"{key}\":{}", quoted(value));
            }
        }
        text.push('}');
        text
    }
}

/// `{"id":…,"fields":…}`
pub(super) fn visited(id: &str, fields: &str) -> String {
    format!("{{\"id\":{},\"fields\":{fields}}}", quoted(id))
}
