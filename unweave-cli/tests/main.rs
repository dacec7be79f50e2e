//! The command `unweave`, run as people run it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't go on panics")]

mod copies;
mod documented;
mod exports;
mod hostile;
mod keys;
mod operators;
mod receipts;
mod second_verifier;
mod status;
mod support;
