//! The keys that sign checkpoints and receipts, and those that a verifier already has.
//!
//! A verifier key is text as C2SP's signed notes have it, `<origin>+<8 hex digits>+<base64>`. When the operator changes
//! the key, what the old one signed still verifies for whoever keeps the old verifier key: they are published with the
//! new ones. A key is never taken from what is verified.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The only algorithm so far, as signed notes number them.
const ED25519: u8 = 1;

/// Longest name of a log.
const MAX_ORIGIN_CHARS: usize = 128;

/// The name of a log: of its checkpoints, and of the keys that sign them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// Why a text is no name or no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No name of a log.
    #[error("an origin is 1 to {MAX_ORIGIN_CHARS} printable characters without blanks and without '+'")]
    Origin,
    /// No verifier key.
    #[error("a verifier key is <origin>+<8 hexadecimal digits>+<base64>")]
    Form,
    /// A verifier key whose digits aren't those of its name and key.
    #[error("the digits of the verifier key don't belong to its origin and key")]
    Id,
    /// A verifier key of another algorithm.
    #[error("the verifier key isn't one of Ed25519")]
    Algorithm,
}

impl Origin {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '+';
        let is_name = (1..=MAX_ORIGIN_CHARS).contains(&text.chars().count()) && text.chars().all(is_allowed);
        if is_name { Ok(Self(text.to_owned())) } else { Err(KeyError::Origin) }
    }
}

impl TryFrom<String> for Origin {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key by which anybody checks what a log's operator signed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierKey {
    origin: Origin,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Of a log with this name.
    ///
    /// # Errors
    /// The bytes are no Ed25519 key.
    pub fn new(origin: Origin, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| KeyError::Form)?;
        // A key by which anybody's signature of something verifies.
        if key.is_weak() { Err(KeyError::Form) } else { Ok(Self { origin, key }) }
    }

    /// The log's name.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The first four bytes of the hash of name and key, by which a signature names the key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(self.origin.as_str()).chain_update([b'\n', ED25519]);
        let [a, b, c, d, ..]: [u8; 32] = hash.chain_update(self.key.as_bytes()).finalize().into();
        [a, b, c, d]
    }

    /// `<origin>+<8 hexadecimal digits>`: names the key, without being it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}+{}", self.origin, hex::encode(self.id()))
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether the holder of the secret key signed this.
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.key.verify_strict(signed, &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}", self.name(), STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (origin, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let key = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (algorithm, key) = key.split_first().ok_or(KeyError::Form)?;
        if *algorithm != ED25519 {
            return Err(KeyError::Algorithm);
        }
        let key = Self::new(origin.parse()?, key.try_into().map_err(|_| KeyError::Form)?)?;
        if hex::encode(key.id()) == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl TryFrom<String> for VerifierKey {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VerifierKey> for String {
    fn from(key: VerifierKey) -> Self {
        key.to_string()
    }
}

/// The keys that a verifier already has and trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys(Vec<VerifierKey>);

impl TrustedKeys {
    /// These.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = VerifierKey>) -> Self {
        keys.into_iter().collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &VerifierKey> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that a signature may mean: more than one only if somebody made two keys with the same short id.
    pub(crate) fn named<'a>(&'a self, origin: &'a str, id: [u8; 4]) -> impl Iterator<Item = &'a VerifierKey> {
        self.0.iter().filter(move |key| key.origin.as_str() == origin && key.id() == id)
    }
}

impl FromIterator<VerifierKey> for TrustedKeys {
    fn from_iter<I: IntoIterator<Item = VerifierKey>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl From<VerifierKey> for TrustedKeys {
    fn from(key: VerifierKey) -> Self {
        Self(vec![key])
    }
}

/// Signs checkpoints and receipts.
pub struct LedgerSigner {
    label: String,
    verifier: VerifierKey,
    key: SigningKey,
}

impl LedgerSigner {
    /// From the 32 secret bytes of an Ed25519 key, and what the operator calls it.
    ///
    /// # Errors
    /// The key is one that proves nothing; no random bytes make such a key.
    pub fn new(origin: Origin, label: String, secret: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(secret);
        Ok(Self { label, verifier: VerifierKey::new(origin, key.verifying_key().as_bytes())?, key })
    }

    /// What the operator calls the key.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The key that everybody may have.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signature of bytes that say themselves what they are.
    pub(crate) fn sign(&self, signed: &[u8]) -> [u8; 64] {
        self.key.sign(signed).to_bytes()
    }
}

impl fmt::Debug for LedgerSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerSigner({}, {})", self.label, self.verifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_verifier_key_is_the_one_of_the_specification() {
        let key: VerifierKey = PETER.parse().unwrap();
        assert_eq!((key.to_string().as_str(), key.origin().as_str()), (PETER, "PeterNeumann"));
        assert_eq!(key.name(), "PeterNeumann+c74f20a3");
        assert_eq!(serde_json::from_str::<VerifierKey>(&serde_json::to_string(&key).unwrap()).unwrap(), key);
    }

    #[test]
    fn a_text_that_is_no_verifier_key_is_refused() {
        for (text, why) in [
            ("", KeyError::Form),
            ("PeterNeumann+c74f20a3", KeyError::Form),
            ("PeterNeumann+c74f20a3+", KeyError::Form),
            ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
            ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
            ("PeterNeumanx+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
            ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", KeyError::Form),
            ("PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Algorithm),
            ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Origin),
        ] {
            assert_eq!(text.parse::<VerifierKey>(), Err(why), "{text}");
        }
        // The neutral element: anybody could sign by it.
        let mut weak = [0; 32];
        weak[0] = 1;
        assert_eq!(VerifierKey::new("log".parse().unwrap(), &weak), Err(KeyError::Form));
    }

    #[test]
    fn an_origin_has_no_blanks_and_no_plus() {
        for text in ["unweave.example.org/ledger", "é", &"a".repeat(128)] {
            assert_eq!(text.parse::<Origin>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "\u{7f}", &"a".repeat(129)] {
            assert_eq!(text.parse::<Origin>(), Err(KeyError::Origin), "{text}");
        }
    }

    #[test]
    fn a_signature_verifies_by_its_own_key_only() {
        let signer = |byte| LedgerSigner::new("log".parse().unwrap(), "2026".to_owned(), &[byte; 32]).unwrap();
        let signature = signer(7).sign(b"text");
        assert!(signer(7).verifier().verifies(b"text", &signature));
        assert!(!signer(8).verifier().verifies(b"text", &signature));
        assert!(!signer(7).verifier().verifies(b"texts", &signature));
        assert!(!signer(7).verifier().verifies(b"text", &signature[..63]));
        assert!(!format!("{:?}", signer(7)).contains(&hex::encode([7; 32])));
    }
}
