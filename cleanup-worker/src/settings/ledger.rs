//! The ledger's settings: what signs, what it is called, where it is published.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use shared_ledger::LedgerRecovery;
use shared_models::ledger::{LedgerSigner, TrustedKeys};
use shared_service::settings::{LedgerKeysSettings, LedgerStoreSettings, Validate, time};
use shared_stores::{LedgerStore, LedgerStoreError};

/// Longest name of something out of reach, in characters: receipts, and so the ledger, have it for ever.
const LONGEST_NAME: usize = 64;
/// So many of them at most.
const MOST_NAMES: usize = 8;

/// What signs, what it is called, where it is published.
#[derive(Debug, Clone, clap::Args)]
pub struct LedgerSettings {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group documents itself, and a text here would become its help")]
    pub keys: LedgerKeysSettings,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group documents itself, and a text here would become its help")]
    pub store: LedgerStoreSettings,
    /// Whether what a failover of PostgreSQL lost is put back from LEDGER_URL by itself: automatic does so if a running
    /// process saw it happen and at most 1000 entries are missing, none older than a day
    #[arg(long, env = "LEDGER_RECOVERY", value_name = "automatic|manual", value_enum, default_value_t)]
    pub ledger_recovery: LedgerRecovery,
    /// How long something stays where no purge reaches it, such as 'backups=30d,soft delete=7d': receipts say until
    /// when
    #[arg(
        long,
        env = "OUT_OF_REACH_FOR",
        value_name = "NAME=DURATION,…",
        default_value = "",
        hide_default_value = true
    )]
    pub out_of_reach_for: OutOfReach,
}

/// What stays out of reach, and for how long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutOfReach(pub Vec<(String, Duration)>);

impl FromStr for OutOfReach {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let read: Result<Vec<_>, _> = text.split(',').map(read_one).collect();
        let read = read?;
        if read.len() > MOST_NAMES {
            return Err(format!("more than {MOST_NAMES} names"));
        }
        Ok(Self(read))
    }
}

fn read_one(text: &str) -> Result<(String, Duration), String> {
    let (name, given) = text.split_once('=').ok_or_else(|| format!("'{text}' isn't of the form name=duration"))?;
    let name = name.trim();
    let is_visible = name.chars().all(|letter| letter.is_ascii_graphic() || letter == ' ');
    if name.is_empty() || name.len() > LONGEST_NAME || !is_visible {
        return Err(format!("'{name}' isn't 1 to {LONGEST_NAME} visible ASCII characters"));
    }
    let time = time(given).map_err(|error| format!("'{text}': {error}"))?;
    Ok((name.to_owned(), time))
}

impl LedgerSettings {
    /// What signs, and every key whose signatures are ours.
    ///
    /// # Errors
    /// One line: the name or a key can't be used.
    pub fn signer(&self) -> Result<(Arc<LedgerSigner>, TrustedKeys), String> {
        let signers = shared_ledger::signers(&self.keys, &self.store)?;
        let keys = signers.iter().map(|signer| signer.verifier().clone()).collect();
        let signer = signers.into_iter().next().ok_or("LEDGER_KEYS is empty")?;
        Ok((Arc::new(signer), keys))
    }

    /// Where it is published, if anywhere.
    ///
    /// # Errors
    /// As [`LedgerStore::open`].
    pub fn open(&self) -> Result<Option<LedgerStore>, LedgerStoreError> {
        self.store.ledger_url.as_ref().map(LedgerStore::open).transpose()
    }
}

impl Validate for LedgerSettings {
    fn validate(&self) -> Result<(), String> {
        self.store.validate()?;
        self.signer().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_reach_is_read_and_nonsense_is_refused() {
        let day = Duration::from_hours(24);
        assert_eq!("".parse(), Ok(OutOfReach::default()));
        let two = OutOfReach(vec![("backups".to_owned(), 30 * day), ("soft delete".to_owned(), 7 * day)]);
        assert_eq!("backups=30d, soft delete = 7d".parse(), Ok(two));
        let long = format!("{}=1d", "x".repeat(LONGEST_NAME + 1));
        for bad in ["backups", "=1d", "backups=", "backups=soon", "a=1d,,b=2d", "ü=1d", "a=101years", &long] {
            assert!(bad.parse::<OutOfReach>().is_err(), "{bad}");
        }
    }
}
