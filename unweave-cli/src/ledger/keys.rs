//! `unweave ledger keys`: what an operator publishes, from the settings of the services.

use clap::Args;
use serde_json::Value;
use shared_models::ledger::{LedgerSigner, Origin};
use shared_service::settings::LedgerKeysSettings;

use crate::failure::Failure;
use crate::output::Answer;

const EXAMPLES: &str = "Example:
  With the environment of the services, into a file that `--keys` takes:
    unweave ledger keys > keys.txt";

/// What `ledger keys` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    #[command(flatten)]
    keys: LedgerKeysSettings,
    /// The ledger's name
    #[arg(long, env = "LEDGER_ORIGIN", value_name = "NAME")]
    ledger_origin: Origin,
}

impl Keys {
    pub(super) fn run(&self) -> Result<Answer, Failure> {
        let mut lines = Vec::new();
        for (name, secret) in self.keys.ledger_keys.secrets() {
            let signer = signer(&self.ledger_origin, name, &secret)?;
            lines.push(format!("# {}", signer.label()));
            lines.push(signer.verifier().to_string());
        }
        Ok(Answer { lines, json: Value::Null })
    }
}

/// The signer of a secret key.
///
/// # Errors
/// The key is one that proves nothing.
pub fn signer(origin: &Origin, name: String, secret: &[u8; 32]) -> Result<LedgerSigner, Failure> {
    LedgerSigner::new(origin.clone(), name, secret).map_err(|error| Failure::Usage(error.to_string()))
}
