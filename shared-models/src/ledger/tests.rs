//! Tests of what several parts of the ledger do together.

mod entries;
mod trees;
