//! `unweave ledger keys`: what an operator publishes, from the settings of the services.

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use shared_ledger::UNNAMED;
use shared_models::ledger::{LedgerSigner, Origin};
use shared_service::settings::{BadKey, KeyRing};

use crate::failure::Failure;
use crate::output::Answer;

const EXAMPLES: &str = "Example:
  With the environment of the services, into a file that `--keys` takes:
    unweave ledger keys > keys.txt";

/// What `ledger keys` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    /// The services' setting: name:base64-of-32-bytes[,name2:…]; a secret
    #[arg(long, env = "LEDGER_KEYS", value_name = "NAME:KEY,…", hide_env_values = true)]
    ledger_keys: SecretString,
    /// The ledger's name
    #[arg(long, env = "LEDGER_ORIGIN", value_name = "NAME")]
    ledger_origin: Origin,
}

impl Keys {
    pub(super) fn run(&self) -> Result<Answer, Failure> {
        let mut lines = Vec::new();
        // Read here: what clap says of a value that it can't read quotes it.
        let keys = self.ledger_keys.expose_secret().parse::<KeyRing>();
        let keys = keys.map_err(|error: BadKey| Failure::Usage(format!("LEDGER_KEYS: {error}")))?;
        for (name, secret) in keys.secrets() {
            let signer = signer(&self.ledger_origin, name, &secret)?;
            lines.push(format!("# {}", signer.label()));
            lines.push(signer.verifier().to_string());
        }
        Ok(Answer { lines, json: Value::Null })
    }
}

/// What signs as the services do.
#[derive(Debug, Args)]
pub struct Signing {
    /// The services' setting: name:base64-of-32-bytes[,name2:…], the first signs; a secret
    #[arg(long, env = "LEDGER_KEYS", value_name = "NAME:KEY,…", hide_env_values = true)]
    ledger_keys: SecretString,
}

impl Signing {
    /// The key that signs, under this name or the one of a ledger without a name.
    ///
    /// # Errors
    /// There is none, or it can't be used.
    pub fn signer(&self, origin: Option<&Origin>) -> Result<LedgerSigner, Failure> {
        let usage = |error: String| Failure::Usage(format!("LEDGER_KEYS: {error}"));
        let keys = self.ledger_keys.expose_secret().parse::<KeyRing>();
        let keys = keys.map_err(|error: BadKey| usage(error.to_string()))?;
        let (name, secret) = keys.secrets().next().ok_or_else(|| usage("there is no key".to_owned()))?;
        let unnamed = || UNNAMED.parse::<Origin>().map_err(|error| usage(error.to_string()));
        signer(&origin.cloned().map_or_else(unnamed, Ok)?, name, &secret)
    }
}

/// The signer of a secret key.
///
/// # Errors
/// The key is one that proves nothing.
pub fn signer(origin: &Origin, name: String, secret: &[u8; 32]) -> Result<LedgerSigner, Failure> {
    LedgerSigner::new(origin.clone(), name, secret).map_err(|error| Failure::Usage(error.to_string()))
}
