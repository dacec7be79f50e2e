//! D1: one transaction marks what is to be deleted and tells its jobs to stop.

use shared_database::DatabaseError;
use shared_database::deletion::{CollectionCommit, CollectionRequest, DeletionRequest, Requester, Watched};
use shared_models::{CleanupId, OrganizationId, SyncJobId};

use super::Parts;
use super::commit::Subject;

/// What D1 found, for both kinds of subject.
pub(super) enum Request {
    NotFound,
    Committed { is_owner: bool, cleanups: Vec<CleanupId> },
    Waiting { is_owner: bool, stopping: Vec<SyncJobId> },
}

impl Parts {
    pub(super) async fn request(
        &self,
        organization: OrganizationId,
        subject: Subject,
        requester: Requester,
    ) -> Result<Request, DatabaseError> {
        match subject {
            Subject::Connection(connection) => {
                let request = self.database.request_deletion(organization, connection, requester).await?;
                Ok(match request {
                    DeletionRequest::NotFound => Request::NotFound,
                    DeletionRequest::Committed { is_owner, cleanup } => {
                        Request::Committed { is_owner, cleanups: vec![cleanup] }
                    }
                    DeletionRequest::Waiting { is_owner, stopping } => Request::Waiting { is_owner, stopping },
                })
            }
            Subject::Collection(collection) => {
                match self.database.request_collection_deletion(organization, collection, requester).await? {
                    CollectionRequest::NotFound => Ok(Request::NotFound),
                    CollectionRequest::Requested { is_owner, stopping, .. } if stopping.is_empty() => {
                        // Nothing to wait for, unless a connection slipped in: then D2 has its turn.
                        match self.database.try_commit_collection(collection, Watched::Briefly).await {
                            Ok(CollectionCommit::Done(cleanups)) => Ok(Request::Committed { is_owner, cleanups }),
                            Ok(CollectionCommit::AlreadyGone) => {
                                Ok(Request::Committed { is_owner, cleanups: Vec::new() })
                            }
                            Ok(CollectionCommit::NotYet) => Ok(Request::Waiting { is_owner, stopping }),
                            Err(error) if error.is_retryable() => Ok(Request::Waiting { is_owner, stopping }),
                            Err(error) => Err(error),
                        }
                    }
                    CollectionRequest::Requested { is_owner, stopping, .. } => {
                        Ok(Request::Waiting { is_owner, stopping })
                    }
                }
            }
        }
    }
}
