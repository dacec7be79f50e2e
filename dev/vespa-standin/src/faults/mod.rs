//! What can be made to go wrong, for those who want to see how a client takes it: nothing does unless a rule says so,
//! and rules end with the process.

mod schedule;

use serde::{Deserialize, Serialize};

pub use schedule::{Drawn, Faults, Shown};

use crate::counters::Kind;
use crate::document_id::BUCKETS;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// 429: nothing is done.
    Overload,
    /// 503: nothing is done. To a document request as from a container that isn't up: not in JSON.
    Unavailable,
    /// 504: nothing is done.
    Timeout,
    /// 507: nothing is done.
    NoSpace,
    /// 500: nothing is done.
    Error,
    /// 400: the request is refused as one that names a field which the application doesn't have, as an older one.
    UnknownField {
        /// The field.
        name: String,
    },
    /// Everything is done as it should be, later.
    Latency {
        /// How much later.
        millis: u64,
    },
    /// A write is done so much later; who doesn't wait so long gets 504, and the write is done all the same.
    LateWrite {
        /// How much later.
        millis: u64,
    },
    /// A walk breaks after some buckets: 500, with what it had found so far and no token. What it removed stays so.
    BrokenWalk {
        /// After how many.
        buckets: u16,
    },
    /// A removal by selection counts documents that it doesn't remove, as in Vespa the last ones may fail after the
    /// answer.
    Leftover {
        /// How many, the first that it finds.
        documents: u64,
    },
    /// A removal by selection does nothing and gives back the token that it was given, or one for the beginning.
    UnchangedToken,
    /// A query doesn't look at all documents.
    Partial {
        /// Which part of the documents it leaves out, by their buckets; 1 for all.
        hides: f64,
        /// What the answer says of that.
        looks: Looks,
    },
    /// A query isn't answered for the last of the types that it names.
    MissingType,
    /// The connection ends.
    GoAway(Ending),
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A GOAWAY frame; what is open is still answered.
    Graceful,
    /// The request is carried out, but neither it nor any other open one is answered: a GOAWAY frame, and the end.
    Abrupt,
}

/// What a partial answer says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// Soft timeout: not full, degraded.
    Timeout,
    /// The same where a few of many nodes were too slow.
    AdaptiveTimeout,
    /// Not full, degraded: enough was found for a good ranking.
    MatchPhase,
    /// Documents are there and not yet active, while they are moved: full, yet degraded, unless it is less than half a
    /// percent, of which Vespa says nothing.
    NonIdealState,
    /// An error beside the hits, with status 200; without hits 504.
    Error,
    /// Nothing: the answer is full. So it may be in Vespa for less than half a percent, and for one of several nodes
    /// with copies that doesn't answer.
    Unnoticed,
}

/// When which fault happens to which requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The kinds of request.
    pub on: Vec<Kind>,
    /// What happens to them.
    pub fault: Fault,
    /// Not to the first so many.
    #[serde(default)]
    pub after: u64,
    /// To so many, then to none; to all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// To each second, third, … of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// To each with this probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What decides with a probability: the same seed gives the same sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

const EVERY_KIND: &[Kind] =
    &[Kind::Put, Kind::Get, Kind::Remove, Kind::Update, Kind::Visit, Kind::BulkDelete, Kind::Query];

impl Fault {
    /// What it can happen to: what it can happen to in Vespa.
    fn kinds(&self) -> &'static [Kind] {
        match self {
            Self::Overload | Self::Unavailable | Self::Latency { .. } | Self::GoAway(_) => EVERY_KIND,
            Self::Timeout => &[Kind::Put, Kind::Get, Kind::Remove, Kind::Update, Kind::Visit, Kind::Query],
            Self::UnknownField { .. } => &[Kind::Put, Kind::Get, Kind::Update, Kind::Query],
            Self::Error => &[Kind::Put, Kind::Get, Kind::Remove, Kind::Update, Kind::Query],
            // Vespa removes even where there is no space left.
            Self::NoSpace => &[Kind::Put, Kind::Update],
            Self::LateWrite { .. } => &[Kind::Put, Kind::Update, Kind::Remove],
            Self::BrokenWalk { .. } => &[Kind::Visit, Kind::BulkDelete],
            Self::Leftover { .. } | Self::UnchangedToken => &[Kind::BulkDelete],
            Self::Partial { .. } | Self::MissingType => &[Kind::Query],
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Partial { hides, .. } if !(*hides > 0.0 && *hides <= 1.0) => {
                Err(format!("'hides' is a part of the documents, above 0 and at most 1, and not {hides}"))
            }
            Self::BrokenWalk { buckets } if *buckets >= BUCKETS => {
                Err(format!("a walk ends after {BUCKETS} buckets: 'buckets' must be less, and not {buckets}"))
            }
            Self::Leftover { documents: 0 } => Err("'documents' must be at least 1".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Rule {
    /// Refuses what makes no sense, and says why.
    pub fn check(&self) -> Result<(), String> {
        let kinds = self.fault.kinds();
        if self.on.is_empty() {
            return Err("'on' names no kind of request".to_owned());
        }
        if let Some(other) = self.on.iter().find(|kind| !kinds.contains(kind)) {
            let possible: Vec<String> = kinds.iter().map(|kind| named(*kind)).collect();
            return Err(format!("this fault happens to {}, not to {}", possible.join(", "), named(*other)));
        }
        if self.every == Some(0) || self.times == Some(0) {
            return Err("'every' and 'times' must be at least 1".to_owned());
        }
        match (self.every, self.probability, self.seed) {
            (Some(_), Some(_), _) => Err("'every' and 'probability' exclude each other".to_owned()),
            (_, None, Some(_)) => Err("'seed' goes with 'probability'".to_owned()),
            (_, Some(_), None) => Err("'probability' needs a 'seed', so that it can be repeated".to_owned()),
            (_, Some(part), _) if !(part > 0.0 && part <= 1.0) => {
                Err(format!("'probability' must be above 0 and at most 1, and not {part}"))
            }
            _ => self.fault.check(),
        }
    }
}

fn named(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
