//! How work on a claim can end, as metrics and logs name it.

/// How work on a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A look found something to purge.
    Found,
    /// A purge left nothing that it saw: to be verified.
    Emptied,
    /// Verified empty; the settle delay runs.
    Settled,
    /// Done, with a receipt.
    Done,
    /// Given back without a failure: shutdown, end of the allowed hours, or others wait.
    Released,
    /// The sync is live.
    Refused,
    /// Given back with a delay.
    Failed,
    /// Dropped: the claim is somebody else's.
    Lost,
}

impl End {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Found,
        Self::Emptied,
        Self::Settled,
        Self::Done,
        Self::Released,
        Self::Refused,
        Self::Failed,
        Self::Lost,
    ];

    /// The metric's label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Emptied => "emptied",
            Self::Settled => "settled",
            Self::Done => "done",
            Self::Released => "released",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}
