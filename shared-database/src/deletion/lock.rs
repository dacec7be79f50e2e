//! The lock on what is to be deleted, in the protocol's order: collection, connections by id, their syncs.
//!
//! A connection's row is locked against everything that refers to it, so no job can be created. Its sync's row is
//! locked only against the end of a job, which takes it as well before the job's: entity rows that are being written go
//! on.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{ApiKeyId, CollectionId, DeletionReference, OrganizationId, RequestId, SourceConnectionId, SyncId};

use super::{Requester, Subject};
use crate::error::Result;
use crate::session::Session;
use crate::statement::sql_query;

/// Whose subject is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    /// One organization's (DEL-9).
    Organization(OrganizationId),
    /// Anybody's: an organization has asked for the deletion before.
    Anybody,
}

/// A subject under the transaction's lock.
pub(super) struct Locked {
    /// What was locked.
    pub(super) subject: Subject,
    /// Who asked for its deletion, if anybody did.
    pub(super) requested_by: Option<Requester>,
    /// The connections that go.
    pub(super) connections: Vec<LockedConnection>,
}

/// A connection under the transaction's lock.
#[derive(QueryableByName)]
pub(super) struct LockedConnection {
    #[diesel(sql_type = sql_types::Uuid)]
    pub(super) id: SourceConnectionId,
    #[diesel(sql_type = sql_types::Uuid)]
    pub(super) sync_id: SyncId,
    #[diesel(sql_type = sql_types::Uuid)]
    pub(super) organization_id: OrganizationId,
    #[diesel(embed)]
    requested_by: RequestedBy,
}

/// Who asked for a deletion; without a request nobody did.
#[derive(Clone, QueryableByName)]
struct RequestedBy {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    deletion_api_key_id: Option<ApiKeyId>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    deletion_request_id: Option<RequestId>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    deletion_reference: Option<DeletionReference>,
}

impl RequestedBy {
    fn requester(&self) -> Option<Requester> {
        let reference = self.deletion_reference.clone();
        Some(Requester { api_key: self.deletion_api_key_id, request: self.deletion_request_id?, reference })
    }
}

/// Locks a subject until the end of the transaction; `None` if there is none.
pub(super) async fn lock(db: &mut Session, subject: Subject, whose: Whose) -> Result<Option<Locked>> {
    match subject {
        Subject::Connection(id) => {
            let connections = lock_connections(db, "c.id = $1", id.0, whose).await?;
            let [connection] = connections.as_slice() else { return Ok(None) };
            let requested_by = connection.requested_by.requester();
            Ok(Some(Locked { subject, requested_by, connections }))
        }
        Subject::Collection(id) => {
            let Some(requested_by) = lock_collection(db, id, whose).await? else { return Ok(None) };
            let connections = lock_connections(db, "c.collection_id = $1", id.0, whose).await?;
            Ok(Some(Locked { subject, requested_by: requested_by.requester(), connections }))
        }
    }
}

async fn lock_collection(db: &mut Session, id: CollectionId, whose: Whose) -> Result<Option<RequestedBy>> {
    let locked = sql_query(
        "SELECT deletion_api_key_id, deletion_request_id, deletion_reference
         FROM collection WHERE id = $1 AND ($2 IS NULL OR organization_id = $2) FOR UPDATE",
    )
    .bind::<sql_types::Uuid, _>(id)
    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(whose.organization())
    .get_result(db)
    .await
    .optional()?;
    Ok(locked)
}

/// A cascade takes about a second per million entity rows, and the session's limit is for ordinary statements: it is
/// raised for the rest of the transaction. How long a lock may be waited for stays as it is.
async fn lock_connections(
    db: &mut Session,
    which: &'static str,
    id: uuid::Uuid,
    whose: Whose,
) -> Result<Vec<LockedConnection>> {
    let locked = sql_query(format!(
        "SELECT c.id, s.id AS sync_id, c.organization_id, c.deletion_api_key_id, c.deletion_request_id, c.deletion_reference,
                set_config('statement_timeout', '15min', true)
         FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
         WHERE {which} AND ($2 IS NULL OR c.organization_id = $2)
         ORDER BY c.id FOR UPDATE OF c FOR NO KEY UPDATE OF s"
    ))
    .bind::<sql_types::Uuid, _>(id)
    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(whose.organization())
    .load(db)
    .await?;
    Ok(locked)
}

impl Whose {
    const fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::Organization(organization) => Some(organization),
            Self::Anybody => None,
        }
    }
}
