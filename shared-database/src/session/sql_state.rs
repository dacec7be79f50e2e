//! The SQLSTATE of an error: what went wrong, in any language.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// PostgreSQL's code of an error: five digits or letters. See PostgreSQL's manual, appendix A.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlState([u8; 5]);

impl SqlState {
    /// Two transactions waited for each other, and this one was ended.
    pub(crate) const DEADLOCK: Self = Self(*b"40P01");
    /// A lock wasn't free within `lock_timeout`.
    pub(crate) const LOCK_NOT_AVAILABLE: Self = Self(*b"55P03");
    /// The statement took longer than `statement_timeout`, or somebody cancelled it.
    pub(crate) const QUERY_CANCELED: Self = Self(*b"57014");

    /// Codes with which the server ends a session, or refuses one for now: it stops, starts, has no session to spare,
    /// or found a session idle in a transaction.
    const NO_SESSION: [[u8; 5]; 6] = [*b"57P01", *b"57P02", *b"57P03", *b"57P05", *b"25P03", *b"53300"];

    /// Of the five bytes that the server sends.
    pub(super) fn read(code: &[u8]) -> Option<Self> {
        let code: [u8; 5] = code.try_into().ok()?;
        code.iter().all(u8::is_ascii_alphanumeric).then_some(Self(code))
    }

    /// Whether there is no session any more, or none to be had for now. Class 08 is of connections.
    pub(crate) fn is_without_session(self) -> bool {
        self.0.starts_with(b"08") || Self::NO_SESSION.contains(&self.0)
    }

    fn to_number(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
    }

    fn of_number(number: u64) -> Option<Self> {
        let [_, _, _, code @ ..] = number.to_be_bytes();
        Self::read(&code)
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// An error of PostgreSQL's that Diesel has no kind for, with its SQLSTATE.
#[derive(Debug, thiserror::Error)]
#[error("{source} (SQLSTATE {state})")]
pub(crate) struct StatedError {
    /// What went wrong.
    pub(crate) state: SqlState,
    /// As Diesel tells it, in the server's language.
    pub(crate) source: DieselError,
}

/// The SQLSTATE that the server sent last in a session. A clone is the same place.
#[derive(Debug, Clone, Default)]
pub(super) struct LastError(Arc<AtomicU64>);

impl LastError {
    /// The server sent an error.
    pub(super) fn set(&self, state: SqlState) {
        self.0.store(state.to_number(), Ordering::Release);
    }

    /// A statement begins: what was sent before isn't about it.
    pub(super) fn forget(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Adds to a statement's error what the server said of it. Kinds that Diesel knows stay as they are.
    pub(super) fn tell(&self, error: DieselError) -> DieselError {
        let DieselError::DatabaseError(kind, _) = &error else { return error };
        match (kind, SqlState::of_number(self.0.load(Ordering::Acquire))) {
            (DatabaseErrorKind::Unknown | DatabaseErrorKind::UnableToSendCommand, Some(state)) => {
                DieselError::QueryBuilderError(Box::new(StatedError { state, source: error }))
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_kept_as_it_came() {
        let last = LastError::default();
        assert!(matches!(last.tell(unknown()), DieselError::DatabaseError(..)), "nothing was sent");
        last.set(SqlState::DEADLOCK);
        let told = last.tell(unknown()).to_string();
        assert_eq!(told, "Verklemmung entdeckt (SQLSTATE 40P01)");
        last.forget();
        assert!(matches!(last.tell(unknown()), DieselError::DatabaseError(..)));
    }

    #[test]
    fn what_is_no_code_is_none() {
        for code in [&b"4000"[..], b"400011", b"40 01", b"\0\0\0\0\0"] {
            assert_eq!(SqlState::read(code), None, "{code:?}");
        }
    }

    fn unknown() -> DieselError {
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new("Verklemmung entdeckt".to_owned()))
    }
}
