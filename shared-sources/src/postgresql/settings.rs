//! Which servers the operator opens.

use clap::Args;
use shared_service::settings::Validate;

use super::hosts::AllowedHosts;

/// What the operator sets for `postgresql`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct PostgresqlSettings {
    /// Servers that the source `postgresql` may connect to, as host, host:port or *.domain, separated by commas. Empty
    /// allows every server that the worker can reach
    #[arg(
        id = "postgresql_source_hosts",
        long,
        env = "POSTGRESQL_SOURCE_HOSTS",
        value_name = "HOST,…",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) hosts: AllowedHosts,
}

impl Validate for PostgresqlSettings {}
