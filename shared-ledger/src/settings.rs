//! What the settings say of the ledger's name and keys.

use shared_models::ledger::{LedgerSigner, Origin};
use shared_service::settings::{LedgerKeysSettings, LedgerStoreSettings};

/// What a ledger without a name is called: receipts are signed with a name even where no ledger is published.
pub const UNNAMED: &str = "unweave";

/// Whether what a failover lost is put back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LedgerRecovery {
    /// If a running process saw the loss, few entries are missing, and none is old.
    #[default]
    Automatic,
    /// Never: somebody looks, and runs `unweave ledger recover`.
    Manual,
}

/// The ledger's name.
///
/// # Errors
/// One line: no ledger can be called so.
pub fn origin(store: &LedgerStoreSettings) -> Result<Origin, String> {
    let name = store.ledger_origin.as_deref().unwrap_or(UNNAMED);
    name.parse().map_err(|error| format!("LEDGER_ORIGIN: {error}"))
}

/// The keys, the one that signs first.
///
/// # Errors
/// One line: the name or a key can't be used.
pub fn signers(keys: &LedgerKeysSettings, store: &LedgerStoreSettings) -> Result<Vec<LedgerSigner>, String> {
    let origin = origin(store)?;
    let signer = |(label, secret): (String, [u8; 32])| {
        LedgerSigner::new(origin.clone(), label, &secret).map_err(|error| format!("LEDGER_KEYS: {error}"))
    };
    keys.ledger_keys.secrets().map(signer).collect()
}
