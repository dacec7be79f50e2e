//! PostgreSQL through Diesel: schema, migrations, one module per table family, transactions.
//!
//! PostgreSQL is the truth. Every move is a conditional update; zero rows means that somebody else won. No transaction
//! stays open across a network call, and every session carries timeouts so that a frozen process can't hold a lock.
//! Lock order: collection, connection (by id), sync, job (by id).

pub mod api_keys;
pub mod audit;
mod blob_keys;
mod cipher;
pub mod cleanup_view;
pub mod cleanups;
pub mod collections;
mod connection_check;
pub mod connections;
pub mod credentials;
pub mod deletion;
pub mod entities;
mod error;
mod history;
pub mod jobs;
pub mod ledger;
pub mod organizations;
pub mod orphans;
pub mod outbox;
mod pool;
pub mod rate_limits;
pub mod receipts;
pub mod rewrap;
pub mod schedules;
pub(crate) mod schema;
pub mod search;
mod session;
mod statement;

pub use cipher::RowCipher;
pub use connection_check::{Migrations, check};
pub use error::DatabaseError;
pub use history::{History, Look};
pub use pool::{Connection, Database, migrate, revert_all};
pub use session::Session;
