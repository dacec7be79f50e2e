//! A stream that reads along what the server sends, for the SQLSTATE of its errors.
//!
//! Everything that the server sends is a message: a byte for its kind, four bytes for its length, its content. An error
//! is of kind `E` and has fields, each a byte for its kind, a text and a zero byte; field `C` is the SQLSTATE. See
//! PostgreSQL's manual, chapter "Frontend/Backend Protocol". The bytes are passed on as they are.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use super::sql_state::{LastError, SqlState};

/// Longest error that is read along, bytes; the code comes near its beginning.
const LONGEST_ERROR: usize = 8 * 1024;

/// A stream from the server, read along.
pub(super) struct ReadAlong<S> {
    stream: S,
    binding: fn(&S) -> ChannelBinding,
    messages: Messages,
    last_error: LastError,
}

impl<S> ReadAlong<S> {
    /// A stream without encryption, from its first message on.
    pub(super) fn plain(stream: S, last_error: LastError) -> Self {
        Self { stream, binding: |_| ChannelBinding::none(), messages: Messages::default(), last_error }
    }
}

impl<S: TlsStream> ReadAlong<S> {
    /// An encrypted stream, from its first message on.
    pub(super) fn encrypted(stream: S, last_error: LastError) -> Self {
        Self { stream, binding: S::channel_binding, messages: Messages::default(), last_error }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAlong<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let this = self.get_mut();
        if let Some(state) = this.messages.read(buffer.filled().get(before..).unwrap_or_default()) {
            this.last_error.set(state);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAlong<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for ReadAlong<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.binding)(&self.stream)
    }
}

/// Where in the server's messages a stream is.
#[derive(Default)]
struct Messages {
    /// Kind and length, as far as they have come.
    head: Vec<u8>,
    /// Bytes of the message's content that are still to come.
    left: usize,
    /// The content of an error, as far as it has come.
    error: Option<Vec<u8>>,
}

impl Messages {
    const HEAD: usize = 5;
    const LENGTH: usize = 4;

    /// Reads what came next; answers the code of the last error that is whole now.
    fn read(&mut self, mut bytes: &[u8]) -> Option<SqlState> {
        let mut found = None;
        while !bytes.is_empty() {
            bytes = if self.head.len() < Self::HEAD { self.read_head(bytes) } else { self.read_content(bytes) };
            if self.head.len() == Self::HEAD && self.left == 0 {
                self.head.clear();
                found = self.error.take().as_deref().and_then(code_of).or(found);
            }
        }
        found
    }

    fn read_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let missing = Self::HEAD.saturating_sub(self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(missing);
        self.head.extend_from_slice(head);
        if let Ok([kind, length @ ..]) = <[u8; Self::HEAD]>::try_from(self.head.as_slice()) {
            // The length counts itself.
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            self.left = length.saturating_sub(Self::LENGTH);
            self.error = (kind == b'E').then(Vec::new);
        }
        rest
    }

    fn read_content<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (content, rest) = bytes.split_at(self.left.min(bytes.len()));
        self.left = self.left.saturating_sub(content.len());
        if let Some(error) = &mut self.error {
            let room = LONGEST_ERROR.saturating_sub(error.len()).min(content.len());
            error.extend(content.iter().take(room));
        }
        rest
    }
}

/// The SQLSTATE among the fields of an error.
fn code_of(error: &[u8]) -> Option<SqlState> {
    error.split(|byte| *byte == 0).find_map(|field| SqlState::read(field.strip_prefix(b"C")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + Messages::LENGTH).unwrap();
        [&[kind], length.to_be_bytes().as_slice(), content].concat()
    }

    fn error(code: &str) -> Vec<u8> {
        message(b'E', format!("SFEHLER\0VERROR\0C{code}\0MVerklemmung entdeckt\0\0").as_bytes())
    }

    /// Everything but an error, in which a code stands as well.
    fn row() -> Vec<u8> {
        message(b'D', b"SERROR\0C40P01\0\0")
    }

    #[test]
    fn the_code_of_an_error_is_found_wherever_the_bytes_are_cut() {
        let bytes = [row(), error("55P03"), message(b'Z', b"I"), row()].concat();
        for cut in 0..=bytes.len() {
            let (one, two) = bytes.split_at(cut);
            let mut messages = Messages::default();
            let (first, second) = (messages.read(one), messages.read(two));
            assert_eq!(first.or(second), Some(SqlState::LOCK_NOT_AVAILABLE), "cut at {cut}");
        }
        let mut messages = Messages::default();
        let found: Vec<SqlState> = bytes.chunks(1).filter_map(|byte| messages.read(byte)).collect();
        assert_eq!(found, [SqlState::LOCK_NOT_AVAILABLE]);
    }

    #[test]
    fn of_several_errors_the_last_counts_and_rows_are_none() {
        assert_eq!(Messages::default().read(&[error("55P03"), error("40P01")].concat()), Some(SqlState::DEADLOCK));
        assert_eq!(Messages::default().read(&[row(), row()].concat()), None);
    }

    #[test]
    fn an_endless_error_takes_bounded_memory() {
        let mut messages = Messages::default();
        let long = message(b'E', &[&b"C57014\0M"[..], &vec![b'x'; 100_000]].concat());
        let found: Vec<SqlState> = long.chunks(1_000).filter_map(|bytes| messages.read(bytes)).collect();
        assert_eq!(found, [SqlState::QUERY_CANCELED]);
        assert!(messages.error.is_none());
    }
}
