//! `unweave ledger new-key`: a secret key, and what is published of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::Value;
use shared_models::ledger::Origin;
use shared_service::settings::NamedKey;

use super::keys::signer;
use crate::failure::Failure;
use crate::output::Answer;

const EXAMPLES: &str = "Example:
    unweave ledger new-key 2026 --ledger-origin unweave.example.org/ledger

A new key goes to the front of LEDGER_KEYS, and the old one stays behind it. Publish the new verifier key beside the old
ones: what was signed before is verified by those.";

/// What `ledger new-key` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct NewKey {
    /// What you call the key: 1 to 64 letters, digits, '-', '_' or '.'
    #[arg(value_name = "NAME")]
    name: String,
    /// The ledger's name
    #[arg(long, env = "LEDGER_ORIGIN", value_name = "NAME")]
    ledger_origin: Origin,
}

impl NewKey {
    pub(super) fn run(&self) -> Result<Answer, Failure> {
        let secret: [u8; 32] = rand::random();
        let setting = format!("{}:{}", self.name, STANDARD.encode(secret));
        // As the services will read it.
        let key: NamedKey = setting.parse().map_err(|error| Failure::Usage(format!("{}: {error}", self.name)))?;
        let signer = signer(&self.ledger_origin, key.id().to_owned(), key.secret())?;
        let lines = vec![
            "# a secret; to the front of the services' LEDGER_KEYS:".to_owned(),
            setting,
            "# its verifier key; to be published:".to_owned(),
            signer.verifier().to_string(),
        ];
        Ok(Answer { lines, json: Value::Null })
    }
}
