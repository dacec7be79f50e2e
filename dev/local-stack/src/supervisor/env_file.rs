//! `stack.env`: how to reach the stack, for shells and for the commands of this program.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::stack::Stack;
use crate::{postgres, rabbitmq, services};

/// The variable that carries a child's process id.
const PID_VARIABLES: &[(&str, &str)] = &[
    (services::GATEWAY, "GATEWAY_PID"),
    (services::SYNC_WORKER, "SYNC_WORKER_PID"),
    (services::CLEANUP_WORKER, "CLEANUP_WORKER_PID"),
    (services::VESPA, "VESPA_PID"),
    (postgres::NAME, "POSTGRES_PID"),
    (rabbitmq::NAME, "RABBITMQ_PID"),
    (rabbitmq::EPMD, "EPMD_PID"),
];

/// The variable that carries the address of a service's health and metrics.
const ADMIN_VARIABLES: &[(&str, &str)] = &[
    (services::GATEWAY, "GATEWAY_ADMIN_URL"),
    (services::SYNC_WORKER, "SYNC_WORKER_ADMIN_URL"),
    (services::CLEANUP_WORKER, "CLEANUP_WORKER_ADMIN_URL"),
];

/// The text of the file.
pub(super) fn render(stack: &Stack) -> String {
    let urls = stack.urls();
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| lines.push(format!("{name}={}", quote(value)));
    if let Some(services) = &urls.services {
        line("UNWEAVE_URL", &services.gateway);
        line("UNWEAVE_API_KEY", &services.api_key);
    }
    line("DATABASE_URL", &urls.database);
    line("AMQP_URL", &urls.amqp);
    if let Some(management) = &urls.management {
        line("RABBITMQ_MANAGEMENT_URL", management);
    }
    if let Some(services) = &urls.services {
        line("VESPA_URL", &services.vespa);
        line("ARF_URL", &services.arf);
        for (service, url) in &services.admin {
            if let Some((_, name)) = ADMIN_VARIABLES.iter().find(|(known, _)| known == service) {
                line(name, url);
            }
        }
    }
    line("SUPERVISOR_PID", &std::process::id().to_string());
    let pids = stack.pids();
    for (child, name) in PID_VARIABLES {
        if let Some(pid) = pids.get(*child) {
            line(name, &pid.to_string());
        }
    }
    lines.join("\n")
}

/// Reads the file that [`render`] made.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), unquote(value)));
    Ok(text.lines().filter_map(pair).collect())
}

/// The services and the addresses of their health and metrics, by the file that [`render`] made.
pub(super) fn admin_urls(path: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut told = read(path)?;
    let url = |(service, name): &(&'static str, &str)| Some((*service, told.remove(*name)?));
    Ok(ADMIN_VARIABLES.iter().filter_map(url).collect())
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn unquote(value: &str) -> String {
    value.trim().trim_start_matches('\'').trim_end_matches('\'').replace(r"'\''", "'")
}

#[cfg(test)]
mod tests {
    use super::{quote, unquote};

    #[test]
    fn a_value_survives_being_quoted() {
        for value in ["plain", "with space", "it's", "a=b&c$d"] {
            assert_eq!(unquote(&quote(value)), value);
        }
    }
}
