//! Settings: one clap struct per binary, of the groups in here and its own; from the environment, or as long options.
//!
//! A missing, contradictory or misspelt setting stops the start with one line that names it. Secrets appear in no
//! `--help`, no `Debug` and no error.

mod groups;
mod keys;
mod ledger;
mod load;
mod misspelling;
mod names;
mod number;
mod one_line;
mod store_url;
#[cfg(test)]
mod tests;
mod time;

pub use groups::{
    AdminSettings, ArfSettings, BrokerSettings, CredentialsKeysSettings, DatabaseSettings, EmbedderEndpoint,
    EmbedderSettings, LedgerKeysSettings, LogFormat, ProtocolSettings, RuntimeSettings, TelemetrySettings,
    VespaSettings, amqp_url, http_url, object_store_url, postgres_url, secret,
};
pub use keys::{BadKey, KeyRing, NamedKey};
pub use ledger::{LedgerEndpoint, LedgerStoreSettings};
pub(crate) use load::{Started, load_service};
pub use load::{Validate, load};
pub use number::whole_number;
pub use time::{LONGEST_TIME, NoSuchTime, time};
