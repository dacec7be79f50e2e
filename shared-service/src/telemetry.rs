//! Logs on stdout: JSON, one object a line, with times in UTC; or plain text for people.
//!
//! The fields of all spans around an event are written beside its own, so one grep for a `request_id` finds the lines
//! of gateway, sync-worker and cleanup-worker alike.

mod json;

use std::io::IsTerminal as _;
use std::panic;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::error::ServiceError;
use crate::settings::{LogFormat, TelemetrySettings};

/// lapin reports each lost connection as several errors of its own, which shared-messaging logs once; actix tells of
/// every start and stop of a worker thread, and takes a request that is no HTTP for an error of ours.
const QUIET: &str = "lapin=off,actix_server=warn,actix_http::h1::dispatcher=off,";

/// Starts logging, panics included. Call it once, after the settings are loaded.
///
/// # Errors
/// [`ServiceError::LogLevel`] for a malformed filter, [`ServiceError::Telemetry`] if logging was started before.
pub fn init(service: &'static str, settings: &TelemetrySettings) -> Result<(), ServiceError> {
    let quiet = if settings.log_level.contains("lapin") { "" } else { QUIET };
    let filter = EnvFilter::try_new(format!("{quiet}{}", settings.log_level))
        .map_err(|_| ServiceError::LogLevel(settings.log_level.clone()))?;
    let layer = tracing_subscriber::fmt::layer();
    let registry = tracing_subscriber::registry().with(filter);
    match settings.log_format {
        LogFormat::Json => {
            registry.with(layer.fmt_fields(JsonFields::new()).event_format(json::OneObject::new(service))).try_init()?
        }
        LogFormat::Text => {
            let is_terminal = std::io::stdout().is_terminal();
            registry.with(layer.with_target(true).with_ansi(is_terminal)).try_init()?
        }
    }
    log_panics();
    Ok(())
}

fn log_panics() {
    panic::set_hook(Box::new(|panicked| {
        let text = panicked
            .payload()
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panicked.payload().downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        let location = panicked.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic = text, location, "panicked");
    }));
}
