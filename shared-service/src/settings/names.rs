//! The names of all services' settings.

/// Every setting of every service: one environment file may serve them all, so another service's setting is no
/// misspelling of this one's.
pub const EVERY_SERVICE: &[&str] = &[
    "ADMIN_LISTEN",
    "AMQP_URL",
    "ARF_ENCRYPTION",
    "ARF_PURGE_VERSIONS",
    "ARF_URL",
    "AUTH_ENABLED",
    "CANCEL_WAIT",
    "CLAIM_RENEWAL",
    "CLAIM_TTL",
    "CLEANUP_ALLOWED_HOURS",
    "CLEANUP_DEADLINE",
    "CLEANUP_DOCUMENTS_PER_SECOND",
    "CLEANUP_POLL_INTERVAL",
    "CLEANUP_SLOTS",
    "CLEANUP_TIME_ZONE",
    "CLIENT_TIMEOUT",
    "CORS_ALLOWED_ORIGINS",
    "CREDENTIALS_KEYS",
    "DATABASE_POOL_SIZE",
    "DATABASE_URL",
    "DISABLE_RATE_LIMIT",
    "EMBEDDER_API_KEY",
    "EMBEDDER_DIMENSIONS",
    "EMBEDDER_MODEL",
    "EMBEDDER_PATIENCE",
    "EMBEDDER_URL",
    "ENABLE_INTERNAL_SOURCES",
    "FILES_ROOTS",
    "FILES_ROOT_NAMES",
    "FINISHER_AGE",
    "FINISHER_INTERVAL",
    "GITHUB_API_URLS",
    "GITHUB_MAX_WAIT",
    "INITIAL_API_KEY",
    "KEEP_ALIVE",
    "LATE_WRITE_CHECK",
    "LEASE_GUARD",
    "LEASE_RENEWAL",
    "LEASE_TTL",
    "LEDGER_KEYS",
    "LEDGER_ORIGIN",
    "LEDGER_RECOVERY",
    "LEDGER_REQUIRED",
    "LEDGER_URL",
    "LISTEN",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MAX_BLOB_BYTES",
    "MAX_JOBS",
    "ORPHAN_MIN_AGE",
    "ORPHAN_PURGE",
    "ORPHAN_SWEEP_INTERVAL",
    "POSTGRESQL_SOURCE_HOSTS",
    "PURGE_SLICE",
    "REAPER_INTERVAL",
    "REQUEST_TIMEOUT",
    "RETRY_BASE_DELAY",
    "RETRY_MAX_DELAY",
    "S3_SOURCE_ENDPOINTS",
    "S3_SOURCE_ROLE_BUCKETS",
    "SCHEDULER_INTERVAL",
    "SETTLE_DELAY",
    "STORES_SHARED",
    "STORE_TIMEOUT",
    "TLS_CERTIFICATE",
    "TLS_PRIVATE_KEY",
    "TOKIO_WORKER_THREADS",
    "VESPA_URL",
    "WRITES_IN_FLIGHT",
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::EVERY_SERVICE;

    #[test]
    fn every_setting_of_every_service_is_listed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let services = ["api-gateway", "sync-worker", "cleanup-worker"].map(|service| root.join(service).join("src"));
        let sources = fs::read_dir(root.join("shared-sources/src")).unwrap().map(|entry| entry.unwrap().path());
        let files = services.into_iter().chain(sources).map(|folder| folder.join("settings.rs"));
        for file in files.filter(|file| file.exists()) {
            let code = fs::read_to_string(&file).unwrap();
            for name in code.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(EVERY_SERVICE.contains(&name), "{}: {name}", file.display());
            }
        }
    }
}
