//! The ledger of every system: its name, and the key that signs in it.

use shared_models::ledger::{LedgerSigner, TrustedKeys};

/// Its name.
pub(crate) const ORIGIN: &str = "unweave.test/ledger";

/// The keys that sign in it.
pub(crate) fn ledger_keys() -> TrustedKeys {
    let secret: Vec<u8> = (1..=32).collect();
    let signer = LedgerSigner::new(ORIGIN.parse().unwrap(), "test".to_owned(), &secret.try_into().unwrap()).unwrap();
    signer.verifier().clone().into()
}
