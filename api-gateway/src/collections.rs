//! Collections: showing them with their connections, changing and deleting them.

use shared_database::DatabaseError;
use shared_database::collections::{CollectionChange, CollectionMember, CollectionRow, NewCollection};
use shared_database::deletion::Subject;
use shared_models::wire::collection::Collection;
use shared_models::{CollectionId, DeletionReference, OrganizationId};

use crate::auth::Caller;
use crate::deletion::DeletionAnswer;
use crate::input::Page;
use crate::present;
use crate::problem::Problem;
use crate::state::AppState;

/// Makes a collection.
///
/// # Errors
/// 400 if the readable id is taken.
pub async fn create(state: &AppState, caller: &Caller, new: &NewCollection) -> Result<Collection, Problem> {
    match state.database.create_collection(caller.organization, new).await {
        Ok(row) => Ok(present::collection(row, &[], state.vectors())),
        Err(DatabaseError::Unique { .. }) => Err(Problem::ReadableIdTaken(new.readable_id.clone())),
        Err(error) => Err(error.into()),
    }
}

/// A page of collections.
///
/// # Errors
/// PostgreSQL's only.
pub async fn list(
    state: &AppState,
    caller: &Caller,
    search: Option<&str>,
    page: Page,
) -> Result<Vec<Collection>, Problem> {
    let rows = state.database.list_collections(caller.organization, search, page.skip, page.limit).await?;
    let ids: Vec<CollectionId> = rows.iter().map(|row| row.id).collect();
    let members = state.database.collection_members(&ids).await?;
    let with_members = rows.into_iter().map(|row| {
        let own: Vec<CollectionMember> =
            members.iter().filter(|member| member.collection_id == row.id).cloned().collect();
        present::collection(row, &own, state.vectors())
    });
    Ok(with_members.collect())
}

/// The row of a collection.
///
/// # Errors
/// 404.
pub async fn row(state: &AppState, organization: OrganizationId, readable_id: &str) -> Result<CollectionRow, Problem> {
    state.database.collection(organization, readable_id).await?.ok_or(Problem::NoCollection)
}

/// A collection.
///
/// # Errors
/// 404.
pub async fn get(state: &AppState, caller: &Caller, readable_id: &str) -> Result<Collection, Problem> {
    whole(state, row(state, caller.organization, readable_id).await?).await
}

/// Changes a collection.
///
/// # Errors
/// 404.
pub async fn update(
    state: &AppState,
    caller: &Caller,
    readable_id: &str,
    change: &CollectionChange,
) -> Result<Collection, Problem> {
    let row = state.database.update_collection(caller.organization, readable_id, change).await?;
    whole(state, row.ok_or(Problem::NoCollection)?).await
}

/// Deletes a collection with all its connections: the object as it was before.
///
/// # Errors
/// 404 if it isn't there or another request owns the deletion, 409 if a writer hasn't stopped by the bound.
pub async fn delete(
    state: &AppState,
    caller: &Caller,
    readable_id: &str,
    reference: Option<DeletionReference>,
) -> Result<Collection, Problem> {
    let row = state.database.collection_to_delete(caller.organization, readable_id).await?;
    let row = row.ok_or(Problem::NoCollection)?;
    let id = row.id;
    let snapshot = whole(state, row).await?;
    let requester = caller.requester(reference);
    match state.deletions.delete(caller.organization, Subject::Collection(id), requester).await? {
        DeletionAnswer::Deleted { .. } => Ok(snapshot),
        DeletionAnswer::NotFound | DeletionAnswer::AlreadyGone => Err(Problem::NoCollection),
        DeletionAnswer::StillRunning => Err(Problem::CollectionBeingDeleted),
    }
}

async fn whole(state: &AppState, row: CollectionRow) -> Result<Collection, Problem> {
    let members = state.database.collection_members(&[row.id]).await?;
    Ok(present::collection(row, &members, state.vectors()))
}
