//! One newtype per id, so that two of them can't be swapped.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "diesel", derive(diesel_derive_newtype::DieselNewType))]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random id (UUID version 4).
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

id! {
    /// An organization: the tenant that owns everything below.
    OrganizationId,
    /// An API key of an organization.
    ApiKeyId,
    /// A collection of source connections.
    CollectionId,
    /// A source connection.
    SourceConnectionId,
    /// The encrypted credentials of a source connection.
    CredentialId,
    /// A sync: the id that every document, blob and entity row of a connection carries.
    SyncId,
    /// One run of a sync.
    SyncJobId,
    /// A cleanup: state and tombstone of one deleted sync.
    CleanupId,
    /// A receipt of a finished cleanup.
    ReceiptId,
    /// A message: its name in headers, rows and logs. Consumers are idempotent by the rows, not by it.
    MessageId,
    /// One HTTP request; it travels through messages, rows and logs to the receipt.
    RequestId,
    /// Whoever sweeps for orphans, for the time of one sweep.
    SweepOwner,
    /// One process start of a cleanup-worker, which may hold the lease on publishing the ledger.
    PublisherId,
    /// One process start of a sync-worker, which may hold leases.
    LeaseOwner,
}

impl RequestId {
    /// The W3C `traceparent` header of this request; the trace id is the request id.
    #[must_use]
    pub fn traceparent(self) -> String {
        let trace = self.0.simple().to_string();
        let span: String = Uuid::new_v4().simple().to_string().chars().take(16).collect();
        format!("00-{trace}-{span}-01")
    }

    /// Reads the request id back from a `traceparent` header.
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let trace = header.split('-').nth(1)?;
        Uuid::try_parse(trace).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_survives_its_traceparent() {
        let id = RequestId::random();
        assert_eq!(RequestId::from_traceparent(&id.traceparent()), Some(id));
        assert_eq!(RequestId::from_traceparent("garbage"), None);
    }

    #[test]
    fn ids_are_lower_case_with_hyphens_on_the_wire() {
        let id: SyncId = "0F0E0D0C-0B0A-4908-8706-050403020100".parse().unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"0f0e0d0c-0b0a-4908-8706-050403020100\"");
    }
}
