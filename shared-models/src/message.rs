//! Messages: versioned, tagged, ids only. The row is the truth; a message only says "look now".
//!
//! Any message may be lost, doubled, delayed or reordered. A known type in an unknown version is acknowledged and
//! counted (the timers do the work); only garbage is dead-lettered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{CleanupId, MessageId, OrganizationId, RequestId, SourceConnectionId, SyncId, SyncJobId};

/// The version of every message type that this build writes.
const VERSION: u64 = 1;

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Message {
    /// A job waits for a worker.
    RunSync {
        /// The job.
        job_id: SyncJobId,
    },
    /// A job must stop writing.
    CancelSync {
        /// The job.
        job_id: SyncJobId,
    },
    /// A job has ended and none of its writes is open.
    JobStopped {
        /// The job.
        job_id: SyncJobId,
    },
    /// A cleanup is due.
    CleanupRequested {
        /// The cleanup.
        cleanup_id: CleanupId,
    },
    /// A source connection's rows are gone.
    SourceConnectionDeleted {
        /// Whose it was.
        organization_id: OrganizationId,
        /// The connection.
        source_connection_id: SourceConnectionId,
        /// The sync whose data is being removed.
        sync_id: SyncId,
        /// The cleanup that removes it.
        cleanup_id: CleanupId,
    },
    /// A cleanup is done and has a receipt.
    CleanupCompleted {
        /// Whose it was.
        organization_id: OrganizationId,
        /// The cleanup.
        cleanup_id: CleanupId,
    },
}

const KNOWN: [&str; 6] =
    ["RunSync", "CancelSync", "JobStopped", "CleanupRequested", "SourceConnectionDeleted", "CleanupCompleted"];

impl Message {
    /// The type's name, as in the message itself; a metric label.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RunSync { .. } => "RunSync",
            Self::CancelSync { .. } => "CancelSync",
            Self::JobStopped { .. } => "JobStopped",
            Self::CleanupRequested { .. } => "CleanupRequested",
            Self::SourceConnectionDeleted { .. } => "SourceConnectionDeleted",
            Self::CleanupCompleted { .. } => "CleanupCompleted",
        }
    }

    /// The message as JSON bytes, with its version.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a message is ids alone, which JSON can always say")]
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            #[serde(flatten)]
            message: &'a Message,
            version: u64,
        }
        serde_json::to_vec(&Versioned { message: self, version: VERSION }).expect("a message is JSON")
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`Garbage`] for what no version of any known type can be.
    pub fn decode(bytes: &[u8]) -> Result<Decoded, Garbage> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| Garbage(format!("not JSON: {error}")))?;
        let kind = value.get("type").and_then(Value::as_str).ok_or_else(|| Garbage("no type".to_owned()))?;
        let Some(kind) = KNOWN.iter().copied().find(|known| *known == kind) else {
            return Err(Garbage("unknown type".to_owned()));
        };
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => serde_json::from_value(value)
                .map(Decoded::Message)
                // The error's own text may quote what somebody else wrote there.
                .map_err(|_| Garbage(format!("malformed {kind}"))),
            Some(version) => Ok(Decoded::UnknownVersion { kind, version }),
            None => Err(Garbage(format!("{kind} without a version"))),
        }
    }
}

/// What a delivery's body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A message of this version.
    Message(Message),
    /// A known type in a version that this build doesn't know.
    UnknownVersion {
        /// The type.
        kind: &'static str,
        /// Its version.
        version: u64,
    },
}

/// Not a message of ours, in any version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unparsable message: {0}")]
pub struct Garbage(pub String);

/// A message with what travels in its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its name in headers, rows and logs; the same each time that it is published.
    pub message_id: MessageId,
    /// The request that caused it, if one did.
    pub request_id: Option<RequestId>,
    /// What is said.
    pub message: Message,
}

impl Envelope {
    /// A new message caused by `request_id`.
    #[must_use]
    pub fn new(message: Message, request_id: Option<RequestId>) -> Self {
        Self { message_id: MessageId::random(), request_id, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid() -> uuid::Uuid {
        "0f0e0d0c-0b0a-4908-8706-050403020100".parse().unwrap()
    }

    /// Messages outlive versions: these literals may be added to, never changed.
    #[test]
    fn every_message_is_pinned_as_literal_json() {
        let (job_id, cleanup_id) = (SyncJobId(uuid()), CleanupId(uuid()));
        let organization_id = OrganizationId(uuid());
        let pinned: [(Message, &str); 6] = [
            (
                Message::RunSync { job_id },
                r#"{"job_id":"0f0e0d0c-0b0a-4908-8706-050403020100","type":"RunSync","version":1}"#,
            ),
            (
                Message::CancelSync { job_id },
                r#"{"job_id":"0f0e0d0c-0b0a-4908-8706-050403020100","type":"CancelSync","version":1}"#,
            ),
            (
                Message::JobStopped { job_id },
                r#"{"job_id":"0f0e0d0c-0b0a-4908-8706-050403020100","type":"JobStopped","version":1}"#,
            ),
            (
                Message::CleanupRequested { cleanup_id },
                r#"{"cleanup_id":"0f0e0d0c-0b0a-4908-8706-050403020100","type":"CleanupRequested","version":1}"#,
            ),
            (
                Message::SourceConnectionDeleted {
                    organization_id,
                    source_connection_id: SourceConnectionId(uuid()),
                    sync_id: SyncId(uuid()),
                    cleanup_id,
                },
                r#"{"cleanup_id":"0f0e0d0c-0b0a-4908-8706-050403020100","organization_id":"0f0e0d0c-0b0a-4908-8706-050403020100","source_connection_id":"0f0e0d0c-0b0a-4908-8706-050403020100","sync_id":"0f0e0d0c-0b0a-4908-8706-050403020100","type":"SourceConnectionDeleted","version":1}"#,
            ),
            (
                Message::CleanupCompleted { organization_id, cleanup_id },
                r#"{"cleanup_id":"0f0e0d0c-0b0a-4908-8706-050403020100","organization_id":"0f0e0d0c-0b0a-4908-8706-050403020100","type":"CleanupCompleted","version":1}"#,
            ),
        ];
        for (message, json) in pinned {
            let written: Value = serde_json::from_slice(&message.encode()).unwrap();
            assert_eq!(written, serde_json::from_str::<Value>(json).unwrap());
            assert_eq!(Message::decode(json.as_bytes()), Ok(Decoded::Message(message.clone())));
            assert!(KNOWN.contains(&message.kind()));
        }
    }

    #[test]
    fn a_newer_version_is_not_garbage() {
        let decoded = Message::decode(br#"{"type":"RunSync","version":2,"job":7}"#);
        assert_eq!(decoded, Ok(Decoded::UnknownVersion { kind: "RunSync", version: 2 }));
    }

    #[test]
    fn garbage_is_told_from_messages() {
        for bytes in [
            &b"\xff\x00"[..],
            b"{}",
            b"[]",
            br#"{"type":"Nope","version":1}"#,
            br#"{"type":"RunSync","version":1}"#,
            br#"{"type":"RunSync"}"#,
        ] {
            assert!(Message::decode(bytes).is_err());
        }
    }
}
