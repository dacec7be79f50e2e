//! A small server that speaks the part of Vespa's HTTP API that Unweave uses, durable on disk.
//!
//! It stands in where no container runs: local stack, tests, demo. It is honest rather than fast or forgiving: status
//! codes, texts, exact-type selections and summed coverage are those of the real thing, a walk examines the whole
//! corpus, and the admin endpoint tells what each kind of request had to look at. It shares no code with the client
//! that it is talked to with, so one mistake can't stand on both sides.
//!
//! Not spoken: copy and update by selection, arithmetic, functions, field paths and regular expressions in selections,
//! updates other than `assign`, ranking other than BM25 over the default fieldset and closeness of one vector.

pub mod counters;
pub mod document;
pub mod document_id;
pub mod faults;
pub mod http;
pub mod linguistics;
pub mod record;
pub mod schema;
pub mod selection;
pub mod store;
pub mod tensor;
pub mod text;
pub mod visit_token;
pub mod yql;
