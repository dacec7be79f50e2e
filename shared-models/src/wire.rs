//! What travels over HTTP: the public contract's objects, field by field in the contract's order.
//!
//! Nulls are sent, not left out; timestamps are RFC 3339 in UTC with `Z`. Secrets never appear in any of these types.

pub mod api_key;
pub mod cleanup;
pub mod collection;
pub mod deletion_preview;
pub mod job;
pub mod ledger;
pub mod problem;
pub mod requests;
pub mod search;
pub mod source;
pub mod source_connection;
pub mod words;
