//! The transactions that the protocol rests on, on a real PostgreSQL. Names say the property; DEL-n the invariant.

mod deletion;
mod fixture;
mod jobs;
mod migrations;
mod outbox;
mod secrets;
