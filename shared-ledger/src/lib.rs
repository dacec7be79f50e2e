//! The deletion ledger in PostgreSQL beside the one in the ledger store: are they one, and what to do if not.
//!
//! Keeps DEL-10. PostgreSQL may go back in time; the ledger store never does. Whoever searches, syncs or purges watches
//! both ([`watch`]), stands still while PostgreSQL has less than the store, and goes on once what was lost is back
//! ([`recover`]). What an entry, a root or a signature is, [`shared_models::ledger`] says; here they are compared.

pub mod files;
pub mod recover;
mod settings;
mod standing;
mod stored;
pub mod watch;

pub use recover::{Recovery, RecoveryError};
pub use settings::{LedgerRecovery, UNNAMED, origin, signers};
pub use standing::{LookError, Standing, root_of, standing};
pub use stored::{Signed, Stored, Strange};
pub use watch::Watch;
