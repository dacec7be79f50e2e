//! How long this gateway waits for its clients.

use std::time::Duration;

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub struct ClientTimes {
    /// For the TLS handshake and for a request's head; also how long an answer may wait for a client to read on.
    pub client: Duration,
    /// For a whole request.
    pub request: Duration,
}

impl ClientTimes {
    /// For a request's body.
    #[must_use]
    pub const fn body(self) -> Duration {
        self.client.saturating_mul(3)
    }
}
