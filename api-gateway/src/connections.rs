//! Creating, changing, running, cancelling and deleting source connections: the checks, in the contract's order.

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use shared_database::connections::{
    ConnectionChange, ConnectionRow, CreatedConnection, Credentials, NewConnection, UpdatedConnection, Visibility,
};
use shared_database::deletion::Subject;
use shared_database::jobs::{CancelJob, NewJob};
use shared_models::wire::job::SourceConnectionJob;
use shared_models::wire::source_connection::{AuthMethod, SourceConnection};
use shared_models::{CleanupId, DeletionReference, JobStatus, SourceConnectionId, SyncJobId};
use shared_service::clock;
use shared_sources::{Source, ValidatedFields};

use crate::auth::Caller;
use crate::deletion::DeletionAnswer;
use crate::input::{ConnectionInput, ConnectionPatch, GivenAuthentication, GivenSchedule, ScheduleInput};
use crate::problem::Problem;
use crate::state::AppState;
use crate::{cancel, present, schedule};

/// What was found, or the 404: for the organization that deleted it with the way to its cleanup.
///
/// # Errors
/// 404 if nothing was found.
pub async fn or_missing<T>(
    found: Option<T>,
    state: &AppState,
    caller: &Caller,
    id: SourceConnectionId,
) -> Result<T, Problem> {
    if let Some(found) = found {
        return Ok(found);
    }
    let cleanup = state.database.cleanup_of_deleted(caller.organization, id).await?;
    Err(cleanup.map_or(Problem::NoSourceConnection, Problem::SourceConnectionDeleted))
}

/// A connection, whole.
///
/// # Errors
/// 404 if there is none, or it is being deleted.
pub async fn get(state: &AppState, caller: &Caller, id: SourceConnectionId) -> Result<SourceConnection, Problem> {
    let view = state.database.view_connection(caller.organization, id, Visibility::Live).await?;
    Ok(present::connection(or_missing(view, state, caller, id).await?))
}

/// Creates a connection. Checked in this order: source, authentication method, credentials, config, the source's own
/// validation, schedule, collection.
///
/// # Errors
/// The first check that fails.
pub async fn create(state: &AppState, caller: &Caller, input: ConnectionInput) -> Result<SourceConnection, Problem> {
    let missing = || Problem::NoSourceToConnect(input.short_name.clone(), state.source_names());
    let source = state.source(&input.short_name).ok_or_else(missing)?;
    let (auth_method, credentials) = authenticated(source, input.authentication)?;
    let credentials = checked_credentials(source, &credentials)?;
    let config = checked_config(source, &input.config, None)?;
    let refused = source.refuse_credentials(&credentials.0, &state.source_settings);
    if let Some(why) = refused.or_else(|| source.refuse_config(&config)) {
        return Err(Problem::RejectedBySource(why));
    }
    let cron = schedule::for_new(source.definition(), &input.schedule, clock::utc_now())?;
    let ScheduleInput { continuous, cursor_field, .. } = match input.schedule {
        GivenSchedule::Absent | GivenSchedule::Null => ScheduleInput::default(),
        GivenSchedule::Given(schedule) => schedule,
    };
    let sync_immediately = input.sync_immediately.unwrap_or(true);
    let new = NewConnection {
        readable_collection_id: input.readable_collection_id,
        short_name: source.as_str().to_owned(),
        name: input.name.unwrap_or_else(|| format!("{} Connection", source.definition().name)),
        description: input.description,
        config,
        auth_method,
        credentials,
        cron,
        continuous: continuous.unwrap_or(false),
        cursor_field: cursor_field.flatten(),
        sync_immediately,
    };
    let created = state.database.create_connection(&state.cipher, caller.organization, new, caller.request).await?;
    let CreatedConnection::Created(view) = created else { return Err(Problem::NoCollection) };
    if sync_immediately {
        state.relay.ring();
    }
    Ok(present::connection(*view))
}

/// Changes a connection.
///
/// # Errors
/// 404, 409 while it is being deleted, or the first check that fails.
pub async fn update(
    state: &AppState,
    caller: &Caller,
    id: SourceConnectionId,
    patch: ConnectionPatch,
) -> Result<SourceConnection, Problem> {
    let row = found(state, caller, id).await?;
    let source: Source = row.short_name.parse().map_err(|_| Problem::Internal("connection to no source"))?;
    if patch.credentials.is_some() && row.auth_method != AuthMethod::Direct {
        return Err(Problem::NotDirect);
    }
    let credentials = patch.credentials.map(|given| checked_credentials(source, &given)).transpose()?;
    let config = patch.config.map(|given| checked_config(source, &given, row.config.as_object())).transpose()?;
    let refused = credentials.as_ref().and_then(|given| source.refuse_credentials(&given.0, &state.source_settings));
    if let Some(why) = refused {
        return Err(Problem::RejectedBySource(why));
    }
    let change = ConnectionChange {
        name: patch.name,
        description: patch.description,
        config: config.map(Value::Object),
        schedule: schedule::for_change(source.definition(), patch.schedule)?,
    };
    let updated = state.database.update_connection(&state.cipher, caller.organization, id, change, credentials).await?;
    match updated {
        UpdatedConnection::Updated(view) => Ok(present::connection(*view)),
        UpdatedConnection::BeingDeleted => Err(Problem::ConnectionBeingDeleted),
        UpdatedConnection::NotFound => or_missing(None, state, caller, id).await,
    }
}

/// Creates a job. The answer is the job as it was created, whatever a worker has made of it since.
///
/// # Errors
/// 404, 409 while the connection is being deleted, 400 while a job is active.
pub async fn run(
    state: &AppState,
    caller: &Caller,
    id: SourceConnectionId,
    force_full_sync: bool,
) -> Result<SourceConnectionJob, Problem> {
    found(state, caller, id).await?;
    match state.database.run_connection(id, force_full_sync, Some(caller.request)).await? {
        NewJob::Created(job) => {
            state.relay.ring();
            Ok(SourceConnectionJob::pending(job, id))
        }
        NewJob::AlreadyActive(status) => Err(Problem::JobActive(status)),
        NewJob::BeingDeleted => Err(Problem::ConnectionBeingDeleted),
    }
}

/// Cancels a job. The row is the truth: a `CancelSync` that is lost costs time,
/// for the lease can't be renewed any more.
///
/// # Errors
/// 404, or 400 if the job has ended or is cancelling already.
pub async fn cancel(
    state: &AppState,
    caller: &Caller,
    id: SourceConnectionId,
    job: SyncJobId,
) -> Result<SourceConnectionJob, Problem> {
    let sync = state.database.sync_of_connection(caller.organization, id).await?;
    or_missing(sync, state, caller, id).await?;
    let cancelled = match state.database.cancel_job(id, job).await? {
        CancelJob::Cancelled(job) => job,
        CancelJob::NotCancellable(status) => return Err(Problem::NotCancellable(status)),
        CancelJob::NotFound => return Err(Problem::NoJob),
    };
    if cancelled.status == JobStatus::Cancelling {
        cancel::announce(&state.tasks, &state.publisher, job, caller.request);
    }
    Ok(present::job(cancelled, id))
}

/// Deletes a connection: the object as it was before, and the cleanups that remove its data.
///
/// # Errors
/// 404 if it isn't there or another request owns the deletion, 409 if its writer hasn't stopped by the bound.
pub async fn delete(
    state: &AppState,
    caller: &Caller,
    id: SourceConnectionId,
    reference: Option<DeletionReference>,
) -> Result<(SourceConnection, Vec<CleanupId>), Problem> {
    // Before the deletion takes its lock: building it takes time.
    let view = state.database.view_connection(caller.organization, id, Visibility::UntilGone).await?;
    let snapshot = present::connection(or_missing(view, state, caller, id).await?);
    let requester = caller.requester(reference);
    match state.deletions.delete(caller.organization, Subject::Connection(id), requester).await? {
        DeletionAnswer::Deleted { cleanups } => Ok((snapshot, cleanups)),
        DeletionAnswer::NotFound | DeletionAnswer::AlreadyGone => or_missing(None, state, caller, id).await,
        DeletionAnswer::StillRunning => Err(Problem::ConnectionBeingDeleted),
    }
}

async fn found(state: &AppState, caller: &Caller, id: SourceConnectionId) -> Result<ConnectionRow, Problem> {
    let row = state.database.find_connection(caller.organization, id).await?;
    let row = or_missing(row, state, caller, id).await?;
    if row.is_being_deleted() { Err(Problem::ConnectionBeingDeleted) } else { Ok(row) }
}

/// How the connection is authenticated, and with what; not validated.
fn authenticated(source: Source, given: GivenAuthentication) -> Result<(AuthMethod, Credentials), Problem> {
    match (given, source.definition().token_field()) {
        (GivenAuthentication::Direct(credentials), _) => Ok((AuthMethod::Direct, credentials)),
        (GivenAuthentication::Token(token), Some(field)) => {
            let fields = Map::from_iter([(field.to_owned(), token.expose_secret().into())]);
            Ok((AuthMethod::OauthToken, Credentials(fields)))
        }
        (GivenAuthentication::Token(_), None) | (GivenAuthentication::Other, _) => {
            Err(Problem::UnsupportedAuthentication { of: source, given: true })
        }
        (GivenAuthentication::None, _) => Err(Problem::UnsupportedAuthentication { of: source, given: false }),
    }
}

fn checked_credentials(source: Source, given: &Credentials) -> Result<Credentials, Problem> {
    source.check_credentials(&given.0).map(Credentials).map_err(Problem::InvalidAuth)
}

fn checked_config(
    source: Source,
    given: &Map<String, Value>,
    stored: Option<&Map<String, Value>>,
) -> Result<ValidatedFields, Problem> {
    source.check_config(given, stored).map_err(Problem::InvalidConfig)
}
