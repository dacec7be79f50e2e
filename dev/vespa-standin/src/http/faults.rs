//! The faults: their endpoint, and the answers to requests that are refused for one.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::params::Params;
use super::path::Target;
use super::reply::{Reply, quoted};
use super::search::Failure;
use super::{State, body};
use crate::counters::Kind;
use crate::faults::{Fault, Rule};

/// As from the server around the handlers, which knows nothing of documents.
const NOT_UP: &str = "<html><head><title>Error 503 Service Unavailable</title></head>\
     <body><h2>HTTP ERROR 503 Service Unavailable</h2></body></html>\n";
const OVERLOADED: &str = "Rejecting execution due to overload: 256 requests already enqueued";
const FULL: &str = "diskLimitReached: { action: \"add more content nodes\", \
     reason: \"disk used (0.91) > disk limit (0.9)\" }";

/// `/standin/v1/faults`
pub(super) async fn rules(state: &State, request: Request<Incoming>) -> Reply {
    match *request.method() {
        Method::GET => {}
        Method::DELETE => state.faults.clear(),
        Method::POST => {
            let bytes = match body::read(request).await {
                Ok(bytes) => bytes,
                Err(error) => return refused(error.status, &error.message),
            };
            let rules = serde_json::from_slice::<Vec<Rule>>(&bytes).map_err(|error| error.to_string());
            if let Err(why) = rules.and_then(|rules| state.faults.add(rules)) {
                return refused(StatusCode::BAD_REQUEST, &why);
            }
        }
        _ => return refused(StatusCode::METHOD_NOT_ALLOWED, "only GET, POST and DELETE"),
    }
    match serde_json::to_string(&state.faults.shown()) {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refused(status: StatusCode, message: &str) -> Reply {
    Reply::json(status, format!("{{\"message\":{}}}", quoted(message)))
}

/// A request that may be refused for a fault.
pub(super) struct Refusable<'a> {
    pub kind: Kind,
    pub path: &'a str,
    /// Absent for a query.
    pub target: Option<&'a Target>,
    pub params: &'a Params,
}

impl Refusable<'_> {
    /// The answer, if the fault is one that keeps the request from being carried out.
    pub(super) fn refusal(&self, fault: &Fault) -> Option<Reply> {
        if self.kind == Kind::Query {
            return query_failure(fault).map(Failure::reply);
        }
        let reply = match fault {
            Fault::Overload => Reply::failure(StatusCode::TOO_MANY_REQUESTS, self.path, OVERLOADED),
            Fault::Unavailable => Reply::html(StatusCode::SERVICE_UNAVAILABLE, NOT_UP),
            Fault::Timeout => Reply::failure(StatusCode::GATEWAY_TIMEOUT, self.path, &self.timed_out()),
            Fault::NoSpace => {
                let what = if self.kind == Kind::Put { "Put" } else { "Update" };
                let message = format!("{what} operation rejected for document '{}': '{FULL}'", self.id());
                self.outcome(StatusCode::INSUFFICIENT_STORAGE, &format!("ReturnCode(NO_SPACE, {message})"))
            }
            Fault::Error => {
                let message = "ReturnCode(INTERNAL_FAILURE, the node gave up)";
                self.outcome(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
            Fault::UnknownField { name } => Reply::failure(StatusCode::BAD_REQUEST, self.path, &no_field(name)),
            Fault::Latency { .. }
            | Fault::LateWrite { .. }
            | Fault::BrokenWalk { .. }
            | Fault::Leftover { .. }
            | Fault::UnchangedToken
            | Fault::Partial { .. }
            | Fault::MissingType
            | Fault::GoAway(_) => return None,
        };
        Some(reply)
    }

    fn id(&self) -> String {
        match self.target {
            Some(Target::Document(id)) => id.to_string(),
            Some(Target::Root | Target::Type { .. }) | None => String::new(),
        }
    }

    /// What came back from where the document is.
    fn outcome(&self, status: StatusCode, message: &str) -> Reply {
        Reply::document(status, self.path, &self.id(), None, Some(message))
    }

    fn timed_out(&self) -> String {
        let millis = self.params.duration("timeout").ok().flatten().map_or(180_000, |timeout| timeout.as_millis());
        match self.kind {
            Kind::Visit => format!("No buckets visited within timeout of {millis}ms (request timeout -5s)"),
            _ => format!("Timeout after {millis}ms"),
        }
    }
}

fn no_field(name: &str) -> String {
    format!("No field '{name}' in the structure of type 'base_entity'")
}

fn query_failure(fault: &Fault) -> Option<Failure> {
    match fault {
        Fault::Overload => Some(Failure::too_many("Allowed rate: 0.0/s")),
        Fault::Unavailable => Some(Failure::no_backends("Could not search 'airweave'")),
        Fault::Timeout => Some(Failure::timeout("Timed out")),
        Fault::Error => Some(Failure::unspecified("Failed: the container gave up")),
        Fault::UnknownField { name } => Some(Failure::parameter(&format!("Field '{name}' does not exist."))),
        _ => None,
    }
}
