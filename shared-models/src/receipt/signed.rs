//! A receipt with its signature.
//!
//! What is signed of form 3 says itself what it is: its first line names product and form, the next ones algorithm and
//! key, and behind an empty line is the receipt in its one text (RFC 8785). So no signature of anything else can be
//! shown as one of a receipt, nor that of a receipt as one of anything else, though the same key signs checkpoints:
//! those begin with a name that has no blanks. Forms 1 and 2 were signed bare, with a name that wasn't signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FORM, FORM_OF_LEDGER, Fault, Receipt};
use crate::ledger::entry::{Entry, EntryError};
use crate::ledger::json::{self, JsonError};
use crate::ledger::keys::{LedgerSigner, TrustedKeys, VerifierKey};

/// The only algorithm so far.
const ALGORITHM: &str = "Ed25519";

/// A receipt with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignedReceipt {
    /// The receipt, as it was signed. Kept as JSON so that fields of later forms survive.
    #[cfg_attr(feature = "openapi", schema(value_type = Receipt))]
    pub receipt: Value,
    /// The signature of `receipt`.
    pub signature: ReceiptSignature,
}

/// An Ed25519 signature, and the name of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiptSignature {
    /// `Ed25519`.
    pub algorithm: String,
    /// The beginning of the verifier key, `<origin>+<8 hexadecimal digits>`. In receipts before form 3 what the
    /// operator called the key.
    pub key_id: String,
    /// In receipts before form 3 the public key, standard base64 of 32 bytes; absent since: a key must be known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false, nullable = false))]
    pub public_key: Option<String>,
    /// The signature, standard base64 of 64 bytes.
    pub value: String,
}

/// Why a receipt isn't signed, or its signature isn't believed.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The receipt has no canonical form.
    #[error("the receipt has no canonical form: {0}")]
    Canonical(#[from] JsonError),
    /// It can't be written or read as a receipt.
    #[error("malformed receipt: {0}")]
    Receipt(#[from] serde_json::Error),
    /// Key or signature isn't what the form says.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A form that this version doesn't know.
    #[error("a receipt of form {0}, which this version doesn't know")]
    UnknownForm(u64),
    /// It was signed with a key that isn't among the known ones.
    #[error("signed with the key '{0}', which isn't known here")]
    UnknownKey(String),
    /// Receipt and signature don't belong together.
    #[error("the signature doesn't match the receipt")]
    Mismatch,
    /// The ledger can't have it.
    #[error("the receipt can't be an entry of the ledger: {0}")]
    NoEntry(#[from] EntryError),
    /// There is nothing to certify.
    #[error("the receipt certifies nothing: {0}")]
    Fault(#[from] Fault),
}

impl LedgerSigner {
    /// Signs a receipt.
    ///
    /// # Errors
    /// It isn't of the present form, has a fault, or is too large for the ledger.
    pub fn sign_receipt(&self, receipt: &Receipt) -> Result<SignedReceipt, ReceiptError> {
        if receipt.form != FORM {
            return Err(ReceiptError::UnknownForm(receipt.form.into()));
        }
        receipt.check()?;
        let receipt = serde_json::to_value(receipt)?;
        Entry::of_receipt(receipt.clone()).canonical()?;
        self.sign_value(receipt)
    }

    /// Signs a receipt that was signed before, as the ledger kept it: with the same key the signature is the same.
    ///
    /// # Errors
    /// It isn't of the ledger's form.
    pub fn sign_again(&self, receipt: Value) -> Result<SignedReceipt, ReceiptError> {
        let form = receipt.get("form").and_then(Value::as_u64).ok_or(ReceiptError::Malformed("form"))?;
        if form != u64::from(FORM_OF_LEDGER) {
            return Err(ReceiptError::UnknownForm(form));
        }
        self.sign_value(receipt)
    }

    fn sign_value(&self, receipt: Value) -> Result<SignedReceipt, ReceiptError> {
        let signature = RECEIPT.sign(&receipt, self)?;
        Ok(SignedReceipt { receipt, signature })
    }
}

/// What a signature is of: it is signed along, so that none is taken for one of something else.
pub(super) struct Signs {
    /// In words.
    pub(super) what: &'static str,
    /// Which form of it.
    pub(super) form: u32,
}

const RECEIPT: Signs = Signs { what: "receipt", form: FORM_OF_LEDGER };

impl Signs {
    /// What is signed.
    fn text(&self, value: &Value, key: &VerifierKey) -> Result<Vec<u8>, JsonError> {
        let Self { what, form } = self;
        let head = format!("unweave {what} {form}\nalgorithm {ALGORITHM}\nkey {key}\n\n");
        Ok([head.into_bytes(), json::canonical(value)?].concat())
    }

    /// Signs it.
    ///
    /// # Errors
    /// It has no canonical form.
    pub(super) fn sign(&self, value: &Value, signer: &LedgerSigner) -> Result<ReceiptSignature, ReceiptError> {
        let signature = signer.sign(&self.text(value, signer.verifier())?);
        Ok(ReceiptSignature {
            algorithm: ALGORITHM.to_owned(),
            key_id: signer.verifier().name(),
            public_key: None,
            value: STANDARD.encode(signature),
        })
    }

    /// Which of the known keys signed it.
    ///
    /// # Errors
    /// None, or the signature isn't one of this.
    pub(super) fn signed_by<'a>(
        &self,
        value: &Value,
        signature: &ReceiptSignature,
        keys: &'a TrustedKeys,
    ) -> Result<&'a VerifierKey, ReceiptError> {
        if signature.public_key.is_some() {
            return Err(ReceiptError::Malformed("signature: it brings its own key"));
        }
        let mut named = keys.iter().filter(|key| key.name() == signature.key_id).peekable();
        if named.peek().is_none() {
            return Err(ReceiptError::UnknownKey(signature.key_id.clone()));
        }
        let bytes = signature.bytes()?;
        for key in named {
            if key.verifies(&self.text(value, key)?, &bytes) {
                return Ok(key);
            }
        }
        Err(ReceiptError::Mismatch)
    }
}

impl ReceiptSignature {
    /// The signature's 64 bytes.
    fn bytes(&self) -> Result<Vec<u8>, ReceiptError> {
        if self.algorithm != ALGORITHM {
            return Err(ReceiptError::Malformed("algorithm"));
        }
        let value = STANDARD.decode(&self.value).map_err(|_| ReceiptError::Malformed("signature"))?;
        if value.len() == 64 { Ok(value) } else { Err(ReceiptError::Malformed("signature")) }
    }
}

impl SignedReceipt {
    /// Which of the known keys signed it.
    ///
    /// # Errors
    /// None, or the signature isn't one of this receipt.
    pub fn signed_by<'a>(&self, keys: &'a TrustedKeys) -> Result<&'a VerifierKey, ReceiptError> {
        let form = self.receipt.get("form").and_then(Value::as_u64).ok_or(ReceiptError::Malformed("form"))?;
        let value = self.signature.bytes()?;
        match form {
            1 | 2 => self.signed_bare_by(keys, &value),
            form if form == u64::from(FORM_OF_LEDGER) => RECEIPT.signed_by(&self.receipt, &self.signature, keys),
            form => Err(ReceiptError::UnknownForm(form)),
        }
    }

    /// The key in the file says only which of the known ones is meant.
    fn signed_bare_by<'a>(&self, keys: &'a TrustedKeys, value: &[u8]) -> Result<&'a VerifierKey, ReceiptError> {
        let public_key = self.signature.public_key.as_ref().ok_or(ReceiptError::Malformed("public key"))?;
        let public_key = STANDARD.decode(public_key).map_err(|_| ReceiptError::Malformed("public key"))?;
        let key =
            keys.iter().find(|key| key.public_key().as_slice() == public_key).ok_or_else(|| self.unknown_key())?;
        let signed = json::canonical(&self.receipt)?;
        if key.verifies(&signed, value) { Ok(key) } else { Err(ReceiptError::Mismatch) }
    }

    fn unknown_key(&self) -> ReceiptError {
        ReceiptError::UnknownKey(self.signature.key_id.clone())
    }
}
