//! Reading requests: bodies, queries and paths, checked field by field, every fault reported at once.
//!
//! Texts are those that clients of the public contract know. Unknown fields are ignored,
//! unless a reader says otherwise.

use std::str::FromStr;

use shared_models::wire::problem::{FieldProblem, Location};
use shared_models::wire::words::either;

use crate::problem::Problem;

mod authentication;
mod body;
mod collection;
mod deletion_reference;
mod fields;
mod query;
mod search;
mod source_connection;

pub use authentication::GivenAuthentication;
pub use body::Body;
pub use collection::{create_collection, update_collection};
pub use deletion_reference::deletion_reference;
pub use fields::Fields;
pub use query::{Page, Query, is_in_the_calendar};
pub use search::{LegacyForm, LegacyInput, SearchInput, agentic, classic, instant, legacy, legacy_query};
pub use source_connection::{
    ConnectionInput, ConnectionPatch, GivenSchedule, ScheduleInput, create_connection, force_full_sync,
    update_connection,
};

/// Most faults that are told at once: an answer must not grow with what was sent.
const MAX_FAULTS: usize = 100;

/// A name that the client sent, short enough to be told back.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

/// What is said of a text that is none of these.
fn one_of(names: &[&str]) -> String {
    format!("Input should be {}", either(names))
}

/// Reads an id, in any of the forms that pydantic takes: with hyphens or without, in braces, as a URN. `at` is where it
/// stands.
///
/// # Errors
/// 422.
pub fn id<T: FromStr<Err = uuid::Error>>(at: &[&str], text: &str) -> Result<T, Problem> {
    text.parse().map_err(|why| {
        Problem::Unprocessable(vec![problem(at, &format!("Input should be a valid UUID, {why}"), "uuid_parsing")])
    })
}

/// Reads a readable id in the path. Whether there is such a thing is another question.
///
/// # Errors
/// 422 for what PostgreSQL can't be asked for.
pub fn readable_id(text: &str) -> Result<&str, Problem> {
    if text.contains('\0') {
        let msg = "Value error, text must not contain null characters";
        return Err(Problem::Unprocessable(vec![problem(&["path", "readable_id"], msg, "value_error")]));
    }
    Ok(text)
}

/// One fault at the named place.
#[must_use]
pub fn problem(at: &[&str], msg: &str, kind: &str) -> FieldProblem {
    let loc = at.iter().map(|&name| Location::Name(name.to_owned())).collect();
    FieldProblem { loc, msg: msg.to_owned(), kind: kind.to_owned() }
}
