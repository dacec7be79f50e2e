//! Sync jobs: their states, and the connection status derived from the last one.
//!
//! `pending → running → completed | failed`, `pending → cancelled`, `running → cancelling → cancelled`. Every move is a
//! conditional update in PostgreSQL; this module says which moves exist.

use crate::text_enum::text_enum;

text_enum! {
    /// State of a sync job.
    JobStatus as "SyncJobStatus", "job status", {
        /// Waits for a worker.
        Pending = "pending",
        /// A worker holds its write lease.
        Running = "running",
        /// Asked to stop; its lease can't be renewed any more.
        Cancelling = "cancelling",
        /// Ended: everything was read and written.
        Completed = "completed",
        /// Ended with an error, or its worker was lost.
        Failed = "failed",
        /// Ended on request.
        Cancelled = "cancelled",
    }
}

impl JobStatus {
    /// The states in which a sync can't get another job.
    pub const ACTIVE: [Self; 3] = [Self::Pending, Self::Running, Self::Cancelling];

    /// Whether the job may still write or be picked up.
    #[must_use]
    pub const fn is_active(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Cancelling => true,
            Self::Completed | Self::Failed | Self::Cancelled => false,
        }
    }

    /// Whether the protocol knows the move from `self` to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Running | Self::Cancelled)
                | (Self::Running, Self::Completed | Self::Failed | Self::Cancelling)
                | (Self::Cancelling, Self::Cancelled)
        )
    }
}

text_enum! {
    /// Why a job failed, as far as the owner of the credentials can mend it.
    ErrorCategory, "error category", {
        /// OAuth credentials expired.
        OauthCredentialsExpired = "oauth_credentials_expired",
        /// The source refused the key or password.
        ApiKeyInvalid = "api_key_invalid",
        /// The auth provider's account is gone.
        AuthProviderAccountGone = "auth_provider_account_gone",
        /// The auth provider refused its credentials.
        AuthProviderCredentialsInvalid = "auth_provider_credentials_invalid",
    }
}

text_enum! {
    /// Status of a source connection as shown to clients.
    ConnectionStatus as "SourceConnectionStatus", "connection status", {
        /// Everything is in order.
        Active = "active",
        /// Credentials are missing.
        PendingAuth = "pending_auth",
        /// A job runs or stops.
        Syncing = "syncing",
        /// The last job failed.
        Error = "error",
        /// The last job failed because of the credentials.
        NeedsReauth = "needs_reauth",
    }
}

/// What a connection's status is derived from.
#[derive(Debug, Clone, Copy)]
pub struct StatusFacts {
    /// Whether credentials are there.
    pub is_authenticated: bool,
    /// State of the newest job, if there is one.
    pub last_job: Option<JobStatus>,
    /// Error category of the newest job.
    pub error_category: Option<ErrorCategory>,
}

impl StatusFacts {
    /// The status of the connection, as the contract defines it.
    #[must_use]
    pub const fn connection_status(self) -> ConnectionStatus {
        if !self.is_authenticated {
            return ConnectionStatus::PendingAuth;
        }
        match self.last_job {
            Some(JobStatus::Running | JobStatus::Cancelling) => ConnectionStatus::Syncing,
            Some(JobStatus::Failed) if self.error_category.is_some() => ConnectionStatus::NeedsReauth,
            Some(JobStatus::Failed) => ConnectionStatus::Error,
            Some(JobStatus::Pending | JobStatus::Completed | JobStatus::Cancelled) | None => ConnectionStatus::Active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_moves_of_the_protocol_exist() {
        let moves: Vec<(JobStatus, JobStatus)> = JobStatus::ALL
            .iter()
            .flat_map(|&from| JobStatus::ALL.iter().map(move |&to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(
            moves,
            [
                (JobStatus::Pending, JobStatus::Running),
                (JobStatus::Pending, JobStatus::Cancelled),
                (JobStatus::Running, JobStatus::Cancelling),
                (JobStatus::Running, JobStatus::Completed),
                (JobStatus::Running, JobStatus::Failed),
                (JobStatus::Cancelling, JobStatus::Cancelled),
            ]
        );
    }

    #[test]
    fn an_ended_job_moves_nowhere() {
        for &from in JobStatus::ALL.iter().filter(|status| !status.is_active()) {
            assert!(JobStatus::ALL.iter().all(|&to| !from.may_become(to)));
        }
    }
}
