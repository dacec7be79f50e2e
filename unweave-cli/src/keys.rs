//! The keys that the caller trusts. None is ever taken from what is verified.

use std::path::PathBuf;

use clap::Args;
use shared_models::ledger::{TrustedKeys, VerifierKey};

use crate::failure::Failure;
use crate::input;

/// Which keys are trusted: at least one.
#[derive(Debug, Clone, Args)]
pub struct Keys {
    /// A verifier key that you trust, `<origin>+<8 digits>+<base64>`; may be given several times
    #[arg(long, value_name = "VERIFIER_KEY")]
    key: Vec<VerifierKey>,
    /// A file of verifier keys that you trust, one a line; empty lines and lines that begin with # are left out
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl Keys {
    /// Whether any was named.
    pub const fn are_given(&self) -> bool {
        !self.key.is_empty() || self.keys.is_some()
    }

    /// All of them.
    ///
    /// # Errors
    /// None was named; the file can't be read, or holds something else.
    pub fn trusted(&self) -> Result<TrustedKeys, Failure> {
        if !self.are_given() {
            return Err(Failure::Usage("--key or --keys is needed: the keys that you trust".to_owned()));
        }
        let mut keys = self.key.clone();
        if let Some(path) = &self.keys {
            for (number, line) in (1..).zip(input::read_text(path)?.lines()) {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let wrong = |error| Failure::Usage(format!("{}, line {number}: {error}", path.display()));
                keys.push(line.parse().map_err(wrong)?);
            }
            if keys.is_empty() {
                return Err(Failure::Usage(format!("{} holds no key", path.display())));
            }
        }
        Ok(TrustedKeys::new(keys))
    }
}
