//! What ARF and the ledger have in common: the clients of a bucket, how long they are patient, and what went wrong,
//! told without paths and secrets.

pub(crate) mod clients;
pub(crate) mod failure;
pub(crate) mod patience;
