//! Vespa over HTTP: documents are written and removed by id, counted, listed and searched by sync.
//!
//! Which facts of Vespa each function rests on is said where it is used. Invariants kept here: DEL-4 (every query and
//! every removal names one sync's documents), DEL-7 (a count is a number only if the answer was complete).

mod answer;
mod bigrams;
mod body;
mod census;
mod client;
mod count;
mod document;
mod error;
mod filter;
mod groups;
mod id;
mod large_payload;
mod page;
mod remove_many;
mod schema_check;
mod search;
mod text;
mod write;

pub use bigrams::bigrams;
pub use census::{CensusPage, CensusPlace};
pub use client::{VespaBuilder, VespaClient};
pub use count::{Count, MOST_COUNTED};
pub use document::{Breadcrumb, Document};
pub use error::{Unreachable, VespaError};
pub use filter::{Bounds, BreadcrumbField, Filter, NumberField, TextField, TextTest};
pub use id::StoredId;
pub use page::{IdPage, MAX_PAGE, Part};
pub use remove_many::{RemoveLimits, RemoveOutcome};
pub use search::{Hit, Hits, MAX_OFFSET, Ranking, SearchRequest};
pub use text::{clean_text, is_text};
