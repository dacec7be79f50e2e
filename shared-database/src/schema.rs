//! The tables, as Diesel sees them. The migrations are the truth; a test compares the two.

diesel::table! {
    organization (id) {
        id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
        modified_at -> Timestamptz,
        plan -> Text,
    }
}

diesel::table! {
    rate_limit (organization_id) {
        organization_id -> Uuid,
        admitted_at -> Array<Timestamptz>,
        decided_at -> Timestamptz,
        is_admitted -> Bool,
    }
}

diesel::table! {
    api_key (id) {
        id -> Uuid,
        organization_id -> Uuid,
        key_hash -> Bytea,
        created_at -> Timestamptz,
        modified_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        created_by_email -> Nullable<Text>,
        name -> Nullable<Text>,
    }
}

diesel::table! {
    deleted_api_key (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Nullable<Text>,
        created_at -> Timestamptz,
        modified_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        created_by_email -> Nullable<Text>,
        deleted_at -> Timestamptz,
    }
}

diesel::table! {
    collection (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        readable_id -> Text,
        sync_config -> Nullable<Jsonb>,
        created_by_email -> Nullable<Text>,
        modified_by_email -> Nullable<Text>,
        created_at -> Timestamptz,
        modified_at -> Timestamptz,
        deletion_requested_at -> Nullable<Timestamptz>,
        deletion_api_key_id -> Nullable<Uuid>,
        deletion_request_id -> Nullable<Uuid>,
        deletion_reference -> Nullable<Text>,
    }
}

diesel::table! {
    source_connection (id) {
        id -> Uuid,
        organization_id -> Uuid,
        collection_id -> Uuid,
        short_name -> Text,
        name -> Text,
        description -> Nullable<Text>,
        config -> Jsonb,
        auth_method -> Text,
        is_authenticated -> Bool,
        authenticated_at -> Nullable<Timestamptz>,
        cron -> Nullable<Text>,
        continuous -> Bool,
        cursor_field -> Nullable<Text>,
        next_run_at -> Nullable<Timestamptz>,
        created_by_email -> Nullable<Text>,
        created_at -> Timestamptz,
        modified_at -> Timestamptz,
        deletion_requested_at -> Nullable<Timestamptz>,
        deletion_api_key_id -> Nullable<Uuid>,
        deletion_request_id -> Nullable<Uuid>,
        deletion_reference -> Nullable<Text>,
    }
}

diesel::table! {
    credential (id) {
        id -> Uuid,
        source_connection_id -> Uuid,
        key_id -> Text,
        nonce -> Bytea,
        ciphertext -> Bytea,
        modified_at -> Timestamptz,
    }
}

diesel::table! {
    sync (id) {
        id -> Uuid,
        source_connection_id -> Uuid,
        cursor -> Nullable<Jsonb>,
        cursor_form -> Nullable<Text>,
        created_at -> Timestamptz,
        blob_key_id -> Nullable<Text>,
        blob_key -> Nullable<Bytea>,
        has_plain_blobs -> Bool,
    }
}

diesel::table! {
    sync_job (id) {
        id -> Uuid,
        sync_id -> Uuid,
        status -> Text,
        force_full_sync -> Bool,
        request_id -> Nullable<Uuid>,
        lease_owner -> Nullable<Uuid>,
        lease_expires_at -> Nullable<Timestamptz>,
        job_end -> Nullable<Text>,
        created_at -> Timestamptz,
        modified_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        completed_at -> Nullable<Timestamptz>,
        cancel_requested_at -> Nullable<Timestamptz>,
        entities_inserted -> BigInt,
        entities_updated -> BigInt,
        entities_deleted -> BigInt,
        entities_kept -> BigInt,
        entities_failed -> BigInt,
        error -> Nullable<Text>,
        error_category -> Nullable<Text>,
        error_details -> Nullable<Jsonb>,
        interruptions -> Integer,
        knows_blob_keys -> Bool,
    }
}

diesel::table! {
    entity (sync_id, entity_key) {
        sync_id -> Uuid,
        entity_key -> Bytea,
        entity_class -> Text,
        entity_id -> Text,
        document_type -> Text,
        content_hash -> Nullable<Bytea>,
        chunk_count -> Integer,
        file_name -> Nullable<Text>,
        seen_by_job -> Uuid,
        is_keyed -> Bool,
    }
}

diesel::table! {
    entity_count (sync_id, entity_class) {
        sync_id -> Uuid,
        entity_class -> Text,
        entities -> BigInt,
        documents -> BigInt,
        files -> BigInt,
        last_updated_at -> Timestamptz,
    }
}

diesel::table! {
    cleanup (id) {
        id -> Uuid,
        sync_id -> Uuid,
        organization_id -> Uuid,
        collection_id -> Uuid,
        source_connection_id -> Uuid,
        requested_by -> Nullable<Uuid>,
        request_id -> Nullable<Uuid>,
        deletion_requested_at -> Timestamptz,
        rows_deleted_at -> Timestamptz,
        entity_rows_deleted -> BigInt,
        writer_end -> Text,
        targets -> Array<Text>,
        progress -> Jsonb,
        state -> Text,
        claim -> BigInt,
        claim_expires_at -> Nullable<Timestamptz>,
        next_attempt_at -> Timestamptz,
        attempts -> Integer,
        error_code -> Nullable<Text>,
        error_text -> Nullable<Text>,
        check_again_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        modified_at -> Timestamptz,
        completed_at -> Nullable<Timestamptz>,
        failing_since -> Nullable<Timestamptz>,
        next_work -> Text,
        opened_at -> Timestamptz,
        origin -> Text,
        blob_key_destroyed_at -> Nullable<Timestamptz>,
        has_plain_blobs -> Bool,
        deletion_reference -> Nullable<Text>,
        deletion_reference_salt -> Nullable<Bytea>,
    }
}

diesel::table! {
    cleanup_hours (opens, closes) {
        opens -> Integer,
        closes -> Integer,
    }
}

diesel::table! {
    cleanup_schedule (is_only) {
        is_only -> Bool,
        time_zone -> Text,
        hurries_after -> Nullable<Interval>,
        deadline -> Nullable<Interval>,
        documents_per_second -> Nullable<BigInt>,
        settle_delay -> Nullable<Interval>,
    }
}

diesel::table! {
    cleanup_rate (is_only) {
        is_only -> Bool,
        next_at -> Timestamptz,
        measured_per_second -> Nullable<Double>,
    }
}

diesel::table! {
    orphan (sync_id) {
        sync_id -> Uuid,
        documents -> BigInt,
        has_blobs -> Bool,
        sweeps -> Integer,
        first_seen_at -> Timestamptz,
        last_seen_at -> Timestamptz,
    }
}

diesel::table! {
    orphan_sweep (is_only) {
        is_only -> Bool,
        owner -> Nullable<Uuid>,
        lease_expires_at -> Nullable<Timestamptz>,
        last_began_at -> Nullable<Timestamptz>,
        since -> Timestamptz,
    }
}

diesel::table! {
    receipt (id) {
        id -> Uuid,
        cleanup_id -> Uuid,
        signed -> Jsonb,
        issued_at -> Timestamptz,
        entry_id -> Nullable<Int8>,
        superseded_at -> Nullable<Timestamptz>,
        superseded_reason -> Nullable<Text>,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        message_id -> Uuid,
        request_id -> Nullable<Uuid>,
        message -> Jsonb,
        attempts -> Integer,
        next_attempt_at -> Timestamptz,
        published_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::joinable!(api_key -> organization (organization_id));
diesel::joinable!(rate_limit -> organization (organization_id));
diesel::joinable!(collection -> organization (organization_id));
diesel::joinable!(source_connection -> collection (collection_id));
diesel::joinable!(credential -> source_connection (source_connection_id));
diesel::joinable!(sync -> source_connection (source_connection_id));
diesel::joinable!(sync_job -> sync (sync_id));
diesel::joinable!(entity -> sync (sync_id));
diesel::joinable!(entity_count -> sync (sync_id));
diesel::joinable!(receipt -> cleanup (cleanup_id));
diesel::allow_tables_to_appear_in_same_query!(
    organization,
    rate_limit,
    api_key,
    collection,
    source_connection,
    credential,
    sync,
    sync_job,
    entity,
    entity_count,
    cleanup,
    cleanup_hours,
    cleanup_rate,
    cleanup_schedule,
    receipt,
    orphan,
    orphan_sweep,
    outbox,
);
