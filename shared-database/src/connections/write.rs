//! Creating and changing connections, each in one transaction.
//!
//! A connection is created under a share lock of its collection, which D1 of the collection's deletion waits for: a
//! connection created beside that deletion is either refused here or deleted there.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use serde_json::{Map, Value};
use shared_models::schedule::CronExpression;
use shared_models::wire::source_connection::AuthMethod;
use shared_models::{BlobKey, OrganizationId, RequestId, SourceConnectionId, SyncId};

use super::{ConnectionView, view};
use crate::blob_keys::WrappedKey;
use crate::cipher::RowCipher;
use crate::credentials;
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::schema::{source_connection, sync};
use crate::session::Session;
use crate::statement::sql_query;
use crate::{jobs, schedules};

/// What a new connection is made of, validated.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewConnection {
    pub readable_collection_id: String,
    pub short_name: String,
    pub name: String,
    pub description: Option<String>,
    pub config: Map<String, Value>,
    pub auth_method: AuthMethod,
    pub credentials: Credentials,
    pub cron: Option<CronExpression>,
    pub continuous: bool,
    pub cursor_field: Option<String>,
    /// Whether its first job is created with it.
    pub sync_immediately: bool,
}

/// Credentials on their way into the database; never printed.
#[derive(Clone)]
pub struct Credentials(pub Map<String, Value>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// What creating a connection came to.
#[derive(Debug, Clone)]
pub enum CreatedConnection {
    /// It exists, with its first job if one was asked for.
    Created(Box<ConnectionView>),
    /// No such collection in this organization, or it is being deleted.
    NoCollection,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ConnectionChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub config: Option<Value>,
    pub schedule: ScheduleChange,
}

/// What to change of a schedule; what is `None` stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ScheduleChange {
    pub cron: Option<Option<CronExpression>>,
    pub continuous: Option<bool>,
    pub cursor_field: Option<Option<String>>,
}

/// What changing a connection came to.
#[derive(Debug, Clone)]
pub enum UpdatedConnection {
    /// It is changed.
    Updated(Box<ConnectionView>),
    /// It is being deleted.
    BeingDeleted,
    /// No such connection in this organization.
    NotFound,
}

impl Database {
    /// Creates a connection with its sync and credentials, and its first job if asked for: all or nothing.
    ///
    /// # Errors
    /// Any database error; nothing has happened then.
    pub async fn create_connection(
        &self,
        cipher: &RowCipher,
        organization: OrganizationId,
        new: NewConnection,
        request: RequestId,
    ) -> Result<CreatedConnection> {
        let (cipher, new) = (cipher.clone(), Arc::new(new));
        self.transaction(move |db| {
            let (cipher, new) = (cipher.clone(), Arc::clone(&new));
            async move { create(db, &cipher, organization, &new, request).await }.boxed()
        })
        .await
    }

    /// Changes a connection, and replaces its credentials if there are new ones: all or nothing.
    ///
    /// # Errors
    /// Any database error; nothing has happened then.
    pub async fn update_connection(
        &self,
        cipher: &RowCipher,
        organization: OrganizationId,
        connection: SourceConnectionId,
        change: ConnectionChange,
        credentials: Option<Credentials>,
    ) -> Result<UpdatedConnection> {
        let (cipher, change) = (cipher.clone(), Arc::new((change, credentials)));
        self.transaction(move |db| {
            let (cipher, change) = (cipher.clone(), Arc::clone(&change));
            async move { update(db, &cipher, organization, connection, &change.0, change.1.as_ref()).await }.boxed()
        })
        .await
    }
}

async fn create(
    db: &mut Session,
    cipher: &RowCipher,
    organization: OrganizationId,
    new: &NewConnection,
    request: RequestId,
) -> Result<CreatedConnection> {
    let id = SourceConnectionId::random();
    let rows = sql_query(
        "INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, description, config,
                                        auth_method, is_authenticated, authenticated_at, cron, continuous, cursor_field)
         SELECT $1, k.organization_id, k.id, $4, $5, $6, $7, $8, true, clock_timestamp(), $9, $10, $11
         FROM collection k
         WHERE k.readable_id = $2 AND k.organization_id = $3 AND k.deletion_requested_at IS NULL
         FOR SHARE OF k",
    )
    .bind::<sql_types::Uuid, _>(id)
    .bind::<sql_types::Text, _>(&new.readable_collection_id)
    .bind::<sql_types::Uuid, _>(organization)
    .bind::<sql_types::Text, _>(&new.short_name)
    .bind::<sql_types::Text, _>(&new.name)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(&new.description)
    .bind::<sql_types::Jsonb, _>(Value::Object(new.config.clone()))
    .bind::<sql_types::Text, _>(new.auth_method)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(new.cron.as_ref().map(CronExpression::as_str))
    .bind::<sql_types::Bool, _>(new.continuous)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(&new.cursor_field)
    .execute(db)
    .await?;
    if rows == 0 {
        return Ok(CreatedConnection::NoCollection);
    }
    let sync = SyncId::random();
    let WrappedKey { key_id, wrapped } = WrappedKey::wrap(cipher, sync, &BlobKey::random())?;
    diesel::insert_into(sync::table)
        .values((
            sync::id.eq(sync),
            sync::source_connection_id.eq(id),
            sync::blob_key_id.eq(key_id),
            sync::blob_key.eq(wrapped),
        ))
        .execute(db)
        .await?;
    credentials::store(db, cipher, id, &new.credentials.0).await?;
    if let Some(cron) = &new.cron {
        schedules::plan(db, id, cron).await?;
    }
    if new.sync_immediately {
        jobs::create(db, id, false, Some(request)).await?;
    }
    view_changed(db, organization, id).await.map(CreatedConnection::Created)
}

async fn update(
    db: &mut Session,
    cipher: &RowCipher,
    organization: OrganizationId,
    connection: SourceConnectionId,
    change: &ConnectionChange,
    credentials: Option<&Credentials>,
) -> Result<UpdatedConnection> {
    let schedule = &change.schedule;
    let rows = diesel::update(source_connection::table)
        .filter(source_connection::id.eq(connection))
        .filter(source_connection::organization_id.eq(organization))
        .filter(source_connection::deletion_requested_at.is_null())
        .set((
            change.name.as_ref().map(|name| source_connection::name.eq(name)),
            change.description.as_ref().map(|text| source_connection::description.eq(text)),
            change.config.as_ref().map(|config| source_connection::config.eq(config)),
            schedule.cron.as_ref().map(|cron| {
                let text = cron.as_ref().map(CronExpression::as_str);
                (source_connection::cron.eq(text), source_connection::next_run_at.eq(None::<DateTime<Utc>>))
            }),
            schedule.continuous.map(|continuous| source_connection::continuous.eq(continuous)),
            schedule.cursor_field.as_ref().map(|field| source_connection::cursor_field.eq(field)),
            source_connection::modified_at.eq(sql::<sql_types::Timestamptz>("clock_timestamp()")),
        ))
        .execute(db)
        .await?;
    if rows == 0 {
        let found = view(db, organization, connection).await?;
        return Ok(if found.is_some() { UpdatedConnection::BeingDeleted } else { UpdatedConnection::NotFound });
    }
    if let Some(Some(cron)) = &schedule.cron {
        schedules::plan(db, connection, cron).await?;
    }
    if let Some(credentials) = credentials {
        credentials::store(db, cipher, connection, &credentials.0).await?;
        diesel::update(source_connection::table)
            .filter(source_connection::id.eq(connection))
            .set((
                source_connection::is_authenticated.eq(true),
                source_connection::authenticated_at
                    .eq(sql::<sql_types::Nullable<sql_types::Timestamptz>>("clock_timestamp()")),
            ))
            .execute(db)
            .await?;
    }
    view_changed(db, organization, connection).await.map(UpdatedConnection::Updated)
}

async fn view_changed(
    db: &mut Session,
    organization: OrganizationId,
    connection: SourceConnectionId,
) -> Result<Box<ConnectionView>> {
    let view = view(db, organization, connection).await?;
    view.map(Box::new).ok_or_else(|| DatabaseError::Corrupt("connection without collection or sync".to_owned()))
}
