//! Checkpoints: the log's name, size and root, signed by the log's key. The text is C2SP tlog-checkpoint, the signature
//! C2SP signed-note, so that tools of others read and witness it, too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hash::Hash;
use super::keys::{KeyError, LedgerSigner, Origin, TrustedKeys, VerifierKey};
use super::tree::{TreeError, check_size};

/// No note is longer.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// No note has more signatures.
const MAX_SIGNATURES: usize = 100;

/// Before each signature.
const DASH: &str = "\u{2014} ";

/// What a log is at some time: everything that is in it, in 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: Origin,
    /// Its entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A checkpoint, and who signed it of those that the reader trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// By the log's own key.
    pub signed_by: VerifierKey,
}

/// Why a note is no checkpoint that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// No signed note.
    #[error("malformed note: {0}")]
    Malformed(&'static str),
    /// A signed note, but no checkpoint.
    #[error("malformed checkpoint: {0}")]
    NoCheckpoint(&'static str),
    /// Its name is none.
    #[error(transparent)]
    Origin(#[from] KeyError),
    /// So large a log can't be.
    #[error(transparent)]
    Size(#[from] TreeError),
    /// No known key of the log signed it.
    #[error("the checkpoint of '{0}' isn't signed by a known key of that log")]
    UnknownKey(String),
    /// A signature by a known key isn't one of this text.
    #[error("the signature by {0} doesn't match the note")]
    Mismatch(String),
    /// Signed by a key of another log.
    #[error("a key of '{key}' doesn't sign for '{log}'")]
    OtherLog {
        /// Whose key.
        key: Origin,
        /// Whose checkpoint.
        log: Origin,
    },
}

impl Checkpoint {
    /// What is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Lines behind the third may say more; nothing here asks for them.
    fn read(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.strip_suffix('\n').unwrap_or_default().split('\n');
        let mut line = |what| lines.next().ok_or(NoteError::NoCheckpoint(what));
        let (origin, size, root) = (line("no origin")?, line("no size")?, line("no root")?);
        let number: u64 = size.parse().map_err(|_| NoteError::NoCheckpoint("size"))?;
        if number.to_string() != size {
            return Err(NoteError::NoCheckpoint("size"));
        }
        check_size(number)?;
        if lines.any(str::is_empty) {
            return Err(NoteError::NoCheckpoint("an empty line"));
        }
        let root = root.parse().map_err(|_| NoteError::NoCheckpoint("root"))?;
        Ok(Self { origin: origin.parse()?, size: number, root })
    }

    /// Signs it by each of the keys: the first is needed, others are there while readers learn a new key.
    ///
    /// # Errors
    /// A key is one of another log.
    pub fn sign<'a>(&self, signers: impl IntoIterator<Item = &'a LedgerSigner>) -> Result<String, NoteError> {
        let text = self.text();
        let mut note = format!("{text}\n");
        for signer in signers {
            let key = signer.verifier();
            if *key.origin() != self.origin {
                return Err(NoteError::OtherLog { key: key.origin().clone(), log: self.origin.clone() });
            }
            let signature = [&key.id()[..], &signer.sign(text.as_bytes())].concat();
            note.push_str(&format!("{DASH}{} {}\n", key.origin(), STANDARD.encode(signature)));
        }
        Ok(note)
    }
}

impl LedgerSigner {
    /// Signs a checkpoint of its log.
    ///
    /// # Errors
    /// It is one of another log.
    pub fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<String, NoteError> {
        checkpoint.sign([self])
    }
}

/// Reads a checkpoint that a trusted key of its log signed. Signatures by other keys, such as those of witnesses, are
/// not looked at.
///
/// # Errors
/// It can't be trusted, and why.
pub fn read_checkpoint(note: &str, keys: &TrustedKeys) -> Result<SignedCheckpoint, NoteError> {
    let note = Note::read(note)?;
    let checkpoint = Checkpoint::read(note.text)?;
    let mut signed_by = None;
    for signature in &note.signatures {
        let mut known = keys.named(signature.name, signature.key_id).peekable();
        if known.peek().is_none() {
            continue;
        }
        let key = known.find(|key| key.verifies(note.text.as_bytes(), &signature.bytes));
        let key = key.ok_or_else(|| NoteError::Mismatch(signature.key_name()))?;
        if *key.origin() == checkpoint.origin {
            signed_by.get_or_insert_with(|| key.clone());
        }
    }
    match signed_by {
        Some(signed_by) => Ok(SignedCheckpoint { checkpoint, signed_by }),
        None => Err(NoteError::UnknownKey(checkpoint.origin.to_string())),
    }
}

/// What a checkpoint says, whoever signed it: for copying a log, which proves nothing.
///
/// # Errors
/// It is no checkpoint.
pub fn read_unverified_checkpoint(note: &str) -> Result<Checkpoint, NoteError> {
    Checkpoint::read(Note::read(note)?.text)
}

/// A text with signatures behind it.
struct Note<'a> {
    text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

struct NoteSignature<'a> {
    name: &'a str,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    fn read(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Malformed("too long"));
        }
        if note.chars().any(|letter| letter < ' ' && letter != '\n') {
            return Err(NoteError::Malformed("a control character"));
        }
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("no signatures"))?;
        let (text, signatures) = note.split_at_checked(end + 1).ok_or(NoteError::Malformed("no signatures"))?;
        let signatures = signatures.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let signatures = signatures.ok_or(NoteError::Malformed("a line without its end"))?;
        if signatures.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::Malformed("too many signatures"));
        }
        Ok(Self { text, signatures: signatures.split('\n').map(NoteSignature::read).collect::<Result<_, _>>()? })
    }
}

impl<'a> NoteSignature<'a> {
    fn read(line: &'a str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature");
        let parts = line.strip_prefix(DASH).and_then(|line| line.split_once(' '));
        let (name, signature) = parts.filter(|(name, _)| !name.is_empty()).ok_or(malformed.clone())?;
        if name.contains('+') || name.contains(char::is_whitespace) {
            return Err(malformed);
        }
        let signature = STANDARD.decode(signature).map_err(|_| malformed.clone())?;
        let (key_id, bytes) = signature.split_first_chunk().filter(|(_, rest)| !rest.is_empty()).ok_or(malformed)?;
        Ok(Self { name, key_id: *key_id, bytes: bytes.to_vec() })
    }

    fn key_name(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.key_id))
    }
}

#[cfg(test)]
mod tests;
