//! The names of all services' settings.

/// Every setting of every service: one environment file may serve them all, so another service's setting is no
/// misspelling of this one's. A test of each service checks that its own are in here.
pub const EVERY_SERVICE: &[&str] = &[
    "ADMIN_LISTEN",
    "AMQP_URL",
    "ARF_URL",
    "AUTH_ENABLED",
    "CANCEL_WAIT",
    "CLEANUP_ALLOWED_HOURS",
    "CREDENTIALS_KEYS",
    "DATABASE_POOL_SIZE",
    "DATABASE_URL",
    "DISABLE_RATE_LIMIT",
    "ENABLE_INTERNAL_SOURCES",
    "FILES_ROOTS",
    "INITIAL_API_KEY",
    "LEASE_GUARD",
    "LEASE_RENEWAL",
    "LEASE_TTL",
    "LISTEN",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "RECEIPT_SIGNING_KEY",
    "STORE_TIMEOUT",
    "VESPA_URL",
];
