//! The life of a service, the same for each: settings, logs, metrics, signals; what it starts; the drain.
//!
//! ```text
//! serve ── settings, logs, metrics, signals ──▶ the service's own start ──▶ shutdown ──▶ drain
//! ```
//! SIGTERM cancels the token of [`Service::tasks`]; the service stops what it started and calls [`Service::drain`].

use std::fmt::Display;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::exit;
use std::time::Duration;

use clap::Parser;

use crate::admin::{self, Health};
use crate::connection_check::{self, ConnectionCheck};
use crate::error::ServiceError;
use crate::invariants;
use crate::metrics::{self, Description, MetricsHandle};
use crate::periodic::Driver;
use crate::runtime::{run, run_on};
use crate::settings::{Started, TelemetrySettings, Validate, load, load_service};
use crate::tasks::Tasks;
use crate::{install_tls_provider, telemetry};

/// Time between two attempts at what a service can't start without.
const START_RETRY: Duration = Duration::from_secs(1);

/// What is known of a service before its settings are.
#[derive(Debug, Clone, Copy)]
pub struct About<S> {
    /// Its name, in logs and at the broker.
    pub name: &'static str,
    /// What its metrics mean.
    pub figures: &'static [&'static [Description]],
    /// Makes the metrics visible that alarms watch, before their first event.
    pub start_at_zero: fn(),
    /// Where its settings say what is logged.
    pub telemetry: fn(&S) -> &TelemetrySettings,
    /// How many threads its settings give its runtime; `None` is one for each processor.
    pub threads: fn(&S) -> Option<NonZeroUsize>,
    /// What it talks to, for `--check-connections`.
    pub connections: fn(&S) -> Vec<ConnectionCheck>,
}

/// A service that runs: what every part of it is started with.
pub struct Service {
    /// Its tasks, and the token that ends them.
    pub tasks: Tasks,
    /// Its periodic tasks.
    pub driver: Driver,
    metrics: MetricsHandle,
}

/// The operation that the command line names by its first word, if it names one; otherwise the binary is to serve.
/// Settings that can't be used end the process with one line that says why.
#[must_use]
pub fn operation<O: Parser + Validate>() -> Option<O> {
    let word = std::env::args_os().nth(1)?;
    O::command().get_subcommands().any(|command| *word == *command.get_name()).then(|| {
        install_tls_provider();
        load::<O>()
    })
}

/// Runs a service from its settings to its end. `start` gets both and returns when it has stopped.
///
/// # Errors
/// The parts that every service shares can't be set up, or what `start` failed with, which is logged.
pub fn serve<S, F, Fut, E>(about: About<S>, start: F) -> Result<(), E>
where
    S: Parser + Validate,
    F: FnOnce(S, Service) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: From<ServiceError> + Display,
{
    install_tls_provider();
    let settings: S = match load_service() {
        Started::Serve(settings) => settings,
        Started::CheckConnections(settings) => check_connections((about.connections)(&settings)),
    };
    let threads = (about.threads)(&settings);
    let main = Box::pin(async move {
        let service = Service::new(&about, (about.telemetry)(&settings))?;
        let outcome = Box::pin(start(settings, service)).await;
        match &outcome {
            Ok(()) => tracing::info!("stopped"),
            Err(error) => tracing::error!(error = format!("{error:#}"), "the service ends"),
        }
        outcome
    });
    run_on(threads, main)?
}

/// Tells what came of the checks, and ends the process.
fn check_connections(checks: Vec<ConnectionCheck>) -> ! {
    let report = run(connection_check::run(checks));
    let (text, code) = match report {
        Ok(report) => (report.lines.join("\n"), i32::from(!report.are_all_well)),
        Err(error) => (error.to_string(), 1),
    };
    // A reader that has seen enough, such as head, is no fault.
    let _closed = writeln!(std::io::stdout(), "{text}");
    exit(code)
}

impl Service {
    fn new<S>(about: &About<S>, telemetry: &TelemetrySettings) -> Result<Self, ServiceError> {
        telemetry::init(about.name, telemetry)?;
        let metrics = metrics::install()?;
        metrics::show_build(about.name);
        about.figures.iter().for_each(|figures| metrics::describe(figures));
        metrics::describe(invariants::FIGURES);
        invariants::start_at_zero();
        (about.start_at_zero)();
        let tasks = Tasks::new();
        tasks.shutdown_on_signals()?;
        Ok(Self { driver: Driver::new(&tasks), tasks, metrics })
    }

    /// Health without probes, to add them.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::new(&self.tasks, self.metrics.clone())
    }

    /// Serves health and metrics.
    ///
    /// # Errors
    /// [`ServiceError::Listen`].
    pub fn serve_admin(&self, listen: SocketAddr, health: Health) -> Result<(), ServiceError> {
        let admin_address = admin::serve(listen, health, &self.tasks)?;
        tracing::info!(%admin_address, "health and metrics");
        Ok(())
    }

    /// Tries what the service can't start without, as long as it takes. `None` if the service is to stop before that.
    ///
    /// # Errors
    /// Of an attempt, if another one can't help.
    pub async fn wait_for<T, F, Fut, E>(
        &self,
        what: &'static str,
        mut attempt: F,
        is_retryable: fn(&E) -> bool,
    ) -> Result<Option<T>, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Display,
    {
        loop {
            match attempt().await {
                Ok(done) => return Ok(Some(done)),
                Err(error) if is_retryable(&error) => {
                    tracing::warn!(what, %error, "what the service needs isn't ready; trying again")
                }
                Err(error) => return Err(error),
            }
            let pause = tokio::time::sleep(START_RETRY);
            if self.tasks.shutdown().run_until_cancelled(pause).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// Waits until shutdown begins.
    pub async fn until_shutdown(&self) {
        self.tasks.shutdown().cancelled().await;
    }

    /// Begins the shutdown if it hasn't begun, and waits at most for `bound` until every task has ended.
    ///
    /// # Errors
    /// [`ServiceError::StillRunning`] if some have not.
    pub async fn drain(&self, bound: Duration) -> Result<(), ServiceError> {
        if self.tasks.drain(bound).await { Ok(()) } else { Err(ServiceError::StillRunning(bound)) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const PERMANENT: u32 = 9;

    fn service() -> Service {
        let tasks = Tasks::new();
        Service { driver: Driver::new(&tasks), tasks, metrics: metrics::for_tests() }
    }

    /// Waits for something that fails so often, then succeeds; or that fails for good.
    async fn waited(service: &Service, failures: u32) -> (Result<Option<()>, u32>, u32) {
        let attempts = AtomicU32::new(0);
        let attempt = async || {
            let attempt = attempts.fetch_add(1, Ordering::SeqCst);
            if failures == PERMANENT || attempt < failures { Err(failures) } else { Ok(()) }
        };
        let outcome = service.wait_for("a server", attempt, |error| *error != PERMANENT).await;
        (outcome, attempts.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_what_it_needs_until_that_can_t_help_or_the_service_is_to_stop() {
        let service = service();
        assert_eq!(waited(&service, 3).await, (Ok(Some(())), 4));
        assert_eq!(waited(&service, PERMANENT).await, (Err(PERMANENT), 1));
        service.tasks.shutdown().cancel();
        assert_eq!(waited(&service, 3).await, (Ok(None), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_that_ends_before_the_tasks_is_an_error() {
        let service = service();
        drop(service.tasks.spawn("stays", std::future::pending::<()>()));
        let bound = Duration::from_secs(1);
        assert!(matches!(service.drain(bound).await, Err(ServiceError::StillRunning(told)) if told == bound));
    }
}
