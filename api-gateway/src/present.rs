//! From rows to the objects of the public contract.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use shared_database::api_keys::ApiKey;
use shared_database::collections::{CollectionMember, CollectionRow};
use shared_database::connections::{ClassCount, ConnectionView, ListedConnection};
use shared_database::jobs::SyncJob;
use shared_models::job::ErrorCategory;
use shared_models::wire::{
    self,
    collection::{CollectionStatus, Vectors},
    job::duration_seconds,
};
use shared_models::{JobStatus, SourceConnectionId, StatusFacts};
use shared_stores::vespa::{Document, Hit};

/// A connection in a list.
#[must_use]
pub fn listed_connection(row: ListedConnection) -> wire::source_connection::SourceConnectionListItem {
    wire::source_connection::SourceConnectionListItem {
        status: row.facts().connection_status(),
        id: row.id,
        name: row.name,
        short_name: row.short_name,
        readable_collection_id: row.readable_collection_id,
        created_at: row.created_at,
        modified_at: row.modified_at,
        is_authenticated: row.is_authenticated,
        entity_count: row.entity_count,
        federated_search: false,
        auth_method: row.auth_method,
    }
}

/// A connection, whole.
#[must_use]
pub fn connection(view: ConnectionView) -> wire::source_connection::SourceConnection {
    let status = view.facts().connection_status();
    let (error_message, error_category) = last_error(view.last_job.as_ref());
    let schedule = schedule_of(&view);
    let sync = view.last_job.map(|job| wire::source_connection::SyncSummary {
        total_runs: view.runs.total,
        successful_runs: view.runs.successful,
        failed_runs: view.runs.failed,
        last_job: Some(last_job(job)),
    });
    let entities = (!view.entities.is_empty()).then(|| entities(view.entities));
    let row = view.row;
    wire::source_connection::SourceConnection {
        id: row.id,
        organization_id: row.organization_id,
        name: row.name,
        description: row.description,
        short_name: row.short_name,
        readable_collection_id: view.readable_collection_id,
        status,
        created_at: row.created_at,
        modified_at: row.modified_at,
        auth: wire::source_connection::Authentication {
            method: row.auth_method,
            authenticated: row.is_authenticated,
            authenticated_at: row.authenticated_at,
            expires_at: None,
            auth_url: None,
            auth_url_expires: None,
            redirect_url: None,
            claim_token: None,
            provider_readable_id: None,
            provider_id: None,
        },
        config: row.config,
        schedule,
        sync,
        sync_id: view.sync_id,
        entities,
        error_category,
        error_message,
        provider_settings_url: None,
        provider_short_name: None,
        federated_search: false,
    }
}

/// The entities of a connection, by class.
#[must_use]
pub fn entities(classes: Vec<ClassCount>) -> wire::source_connection::EntitySummary {
    let count = |class: ClassCount| {
        let count = wire::source_connection::TypeCount { count: class.entities, last_updated: class.last_updated };
        (class.entity_class, count)
    };
    wire::source_connection::EntitySummary {
        total_entities: classes.iter().map(|class| class.entities).sum(),
        by_type: classes.into_iter().map(count).collect(),
    }
}

/// When a connection runs by itself.
#[must_use]
pub fn schedule_of(view: &ConnectionView) -> Option<wire::source_connection::Schedule> {
    let row = &view.row;
    Some(wire::source_connection::Schedule {
        cron: Some(row.cron.clone()?),
        next_run: view.next_run,
        continuous: row.continuous,
        cursor_field: row.cursor_field.clone(),
        cursor_value: view.cursor.clone(),
    })
}

fn last_error(job: Option<&SyncJob>) -> (Option<String>, Option<ErrorCategory>) {
    match job {
        Some(job) if job.status == JobStatus::Failed => (job.error.clone(), job.error_category),
        Some(_) | None => (None, None),
    }
}

/// The newest job, as a connection mentions it.
#[must_use]
pub fn last_job(job: SyncJob) -> wire::job::LastJob {
    wire::job::LastJob { id: job.id, report: report(job) }
}

/// A job of a connection.
#[must_use]
pub fn job(job: SyncJob, source_connection_id: SourceConnectionId) -> wire::job::SourceConnectionJob {
    let error_details = job.error_details.clone();
    wire::job::SourceConnectionJob { id: job.id, source_connection_id, report: report(job), error_details }
}

fn report(job: SyncJob) -> wire::job::JobReport {
    wire::job::JobReport {
        status: job.status,
        started_at: job.started_at,
        completed_at: job.completed_at,
        duration_seconds: duration_seconds(job.started_at, job.completed_at),
        entities_inserted: job.entities_inserted,
        entities_updated: job.entities_updated,
        entities_deleted: job.entities_deleted,
        entities_failed: job.entities_failed,
        error: job.error,
        error_category: job.error_category,
    }
}

/// A collection with its connections.
#[must_use]
pub fn collection(row: CollectionRow, members: &[CollectionMember], vectors: Vectors) -> wire::collection::Collection {
    let facts: Vec<StatusFacts> = members.iter().map(CollectionMember::facts).collect();
    let summary = |member: &CollectionMember| wire::collection::ConnectionSummary {
        short_name: member.short_name.clone(),
        name: member.name.clone(),
    };
    wire::collection::Collection {
        name: row.name,
        readable_id: row.readable_id,
        id: row.id,
        sync_config: row.sync_config,
        created_at: row.created_at,
        modified_at: row.modified_at,
        organization_id: row.organization_id,
        created_by_email: row.created_by_email,
        modified_by_email: row.modified_by_email,
        status: CollectionStatus::derive(&facts),
        vector_size: vectors.size,
        embedding_model_name: vectors.model,
        source_connection_summaries: members.iter().map(summary).collect(),
    }
}

/// An API key; with its text if it has just been made.
#[must_use]
pub fn api_key(row: ApiKey, key: Option<&SecretString>) -> wire::api_key::ApiKey {
    wire::api_key::ApiKey {
        id: row.id,
        organization_id: row.organization_id,
        created_at: row.created_at,
        modified_at: row.modified_at,
        last_used_date: row.last_used_at,
        expiration_date: row.expires_at,
        created_by_email: row.created_by_email,
        modified_by_email: None,
        decrypted_key: key.map(|key| key.expose_secret().to_owned()),
        name: row.name,
        deleted_at: row.deleted_at,
    }
}

/// A hit of a search.
#[must_use]
pub fn search_result(hit: Hit) -> wire::search::SearchResult {
    let Document { entity_id, name, textual_representation, payload, .. } = hit.document;
    let breadcrumbs = hit.document.breadcrumbs.into_iter().map(|crumb| wire::search::Breadcrumb {
        entity_id: crumb.entity_id,
        name: crumb.name,
        entity_type: crumb.entity_type,
    });
    let viewers = hit.document.access_viewers;
    wire::search::SearchResult {
        entity_id,
        name,
        relevance_score: hit.relevance,
        breadcrumbs: breadcrumbs.collect(),
        created_at: time(hit.document.created_at),
        updated_at: time(hit.document.updated_at),
        textual_representation,
        airweave_system_metadata: wire::search::SystemMetadata {
            source_name: hit.document.source_name,
            entity_type: hit.document.entity_type,
            sync_id: hit.document.sync_id,
            sync_job_id: Some(hit.document.sync_job_id),
            chunk_index: hit.document.chunk_index.into(),
            original_entity_id: hit.document.original_entity_id,
        },
        access: wire::search::Access {
            viewers: (!viewers.is_empty()).then_some(viewers),
            is_public: hit.document.access_is_public,
        },
        web_url: hit.document.web_url,
        url: hit.document.url,
        raw_source_fields: raw_fields(&payload),
    }
}

fn time(seconds: Option<i64>) -> Option<String> {
    Some(DateTime::from_timestamp(seconds?, 0)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// The source's own fields; what another writer put there in another form is shown under `payload`.
fn raw_fields(payload: &str) -> BTreeMap<String, Value> {
    if payload.is_empty() {
        return BTreeMap::new();
    }
    serde_json::from_str(payload)
        .unwrap_or_else(|_| BTreeMap::from([("payload".to_owned(), Value::String(payload.to_owned()))]))
}
