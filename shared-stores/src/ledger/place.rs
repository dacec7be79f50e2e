//! Where an object of the ledger lies, below the folder or prefix of the store.

use super::{LedgerStoreError, Result};

/// Longest name, in bytes.
const LONGEST: usize = 200;

/// The folder of what is written once.
pub(super) const LOG: &str = "log";

/// A place that can't be outside of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    /// Of what is written once: `name` is relative to `log/`.
    pub(super) fn in_log(name: &str) -> Result<Self> {
        let is_plain =
            |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'.' | b'/');
        let is_good = name.len() <= LONGEST
            && name.bytes().all(is_plain)
            && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
        if !is_good {
            return Err(LedgerStoreError::Name(name.chars().take(LONGEST).collect()));
        }
        Ok(Self(format!("{LOG}/{name}")))
    }

    /// Of the newest checkpoint.
    pub(super) fn checkpoint() -> Self {
        Self("checkpoint".to_owned())
    }

    /// Of what is written once to see whether it can be.
    pub(super) fn log_check() -> Self {
        Self(format!("{LOG}/check"))
    }

    /// Of what is replaced to see whether it can be.
    pub(super) fn check() -> Self {
        Self("check".to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// For errors.
    pub(super) fn name(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for good in ["tile/0/x001/067.p/5", "tile/entries/000", "checkpoints/18446744073709551615", "a..b"] {
            assert_eq!(Place::in_log(good).unwrap().as_str(), format!("log/{good}"));
        }
        let long = "a".repeat(LONGEST + 1);
        let bad = [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../checkpoint",
            "a/../b",
            "a/./b",
            ".hidden",
            "A",
            "a b",
            "a\\b",
            "a%2f",
            "a#1",
            "a-b",
            "a_b",
            "ä",
            "a\n",
            "a\0",
            "c:",
            &long,
        ];
        for bad in bad {
            assert!(matches!(Place::in_log(bad), Err(LedgerStoreError::Name(_))), "{bad:?}");
        }
    }
}
