//! The certificate: a receipt as one printable page for people.
//!
//! It says what was deleted, who asked and when, since when nobody could find it, when each copy was gone, what can't
//! be reached, and how anybody verifies it; in plain words. The page proves nothing by itself: the receipt's file does.
//! Pure: it is made from the file and from what its printer checked. Everything in it that isn't ours is escaped, and
//! it loads nothing from anywhere.

mod page;
mod style;
mod words;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use shared_models::ledger::SupersededReason;
use shared_models::receipt::{FORM, Fault, Receipt, ReceiptFile};

/// What its printer knows beside the file.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// What the API key that asked is called, or was.
    pub requested_by_name: Option<String>,
    /// Since when the receipt no longer holds, and why.
    pub superseded: Option<(DateTime<Utc>, SupersededReason)>,
    /// The verifier keys by which this very file was verified before it was printed, by name; nobody claims that if
    /// there are none.
    pub verified_by: Vec<String>,
    /// Whether its printer neither issued nor verified it: the page says so.
    pub is_unverified: bool,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Unprintable {
    /// It isn't one, or a later version wrote it.
    #[error("no receipt that this version can print: {0}")]
    Form(#[from] serde_json::Error),
    /// A later version wrote it.
    #[error("no receipt that this version can print: its form is {0}")]
    Later(u32),
    /// It doesn't say what a certificate says.
    #[error("the receipt certifies nothing: {0}")]
    Fault(#[from] Fault),
}

/// The page, as a whole HTML document.
///
/// # Errors
/// A later version wrote the receipt, or it lacks what a certificate says.
pub fn certificate(file: &ReceiptFile, context: &Context) -> Result<String, Unprintable> {
    let receipt: Receipt = serde_json::from_value(file.receipt.clone())?;
    if receipt.form > FORM {
        return Err(Unprintable::Later(receipt.form));
    }
    receipt.check()?;
    Ok(page::page(file, &receipt, context).into_string())
}
