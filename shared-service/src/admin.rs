//! `/health` and `/metrics`: what orchestrators and Prometheus ask.
//!
//! Liveness says only that the process answers. Readiness runs the service's probes, each within 2 s, on `main`'s
//! runtime: a pooled connection must not be tied to an actix worker's, which ends first.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::error::ServiceError;
use crate::metrics::MetricsHandle;
use crate::tasks::Tasks;

/// Longest time for one probe, and for all collectors together.
const BOUND: Duration = Duration::from_secs(2);

type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
type Collector = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What the health and metrics handlers know. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    runtime: Handle,
    metrics: MetricsHandle,
    probes: Vec<(&'static str, Probe)>,
    collectors: Vec<Collector>,
}

impl Health {
    /// Without probes: always ready.
    pub(crate) fn new(tasks: &Tasks, metrics: MetricsHandle) -> Self {
        Self { runtime: tasks.runtime().clone(), metrics, probes: Vec::new(), collectors: Vec::new() }
    }

    /// Adds a probe that readiness asks. Its error text must hold no secret.
    #[must_use]
    pub fn probe<F, Fut, E>(mut self, name: &'static str, probe: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display,
    {
        let probe = Arc::new(probe);
        let probe: Probe = Arc::new(move || {
            let probing = probe();
            async move { probing.await.map_err(|error| error.to_string()) }.boxed()
        });
        self.probes.push((name, probe));
        self
    }

    /// Adds what is run before the metrics are rendered: gauges that are read from PostgreSQL.
    #[must_use]
    pub fn collector<F, Fut>(mut self, collector: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.collectors.push(Arc::new(move || collector().boxed()));
        self
    }

    /// Registers `/health`, `/health/live`, `/health/ready` and `/metrics`.
    pub(crate) fn configure(&self, config: &mut ServiceConfig) {
        config
            .app_data(web::Data::new(self.clone()))
            .route("/health", web::get().to(live))
            .route("/health/live", web::get().to(live))
            .route("/health/ready", web::get().to(ready))
            .route("/metrics", web::get().to(metrics));
    }

    /// Asks every probe.
    pub async fn readiness(&self) -> Readiness {
        let checks = self.probes.iter().map(|(name, probe)| async move { (*name, self.check(probe).await) });
        let checks: BTreeMap<_, _> = join_all(checks).await.into_iter().collect();
        let ready = checks.values().all(|check| check.status == Up::Up);
        Readiness { status: if ready { Ready::Ready } else { Ready::NotReady }, checks }
    }

    async fn check(&self, probe: &Probe) -> Check {
        let started = Instant::now();
        let probing = self.runtime.spawn(probe());
        let abort = probing.abort_handle();
        let error = match tokio::time::timeout(BOUND, probing).await {
            Ok(Ok(answer)) => answer.err(),
            Ok(Err(_)) => Some("the probe panicked".to_owned()),
            Err(_) => {
                abort.abort();
                Some("no answer within 2 s".to_owned())
            }
        };
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Check { status: if error.is_none() { Up::Up } else { Up::Down }, latency_ms, error }
    }

    /// The metrics as Prometheus text, after the collectors have run.
    async fn render_metrics(&self) -> String {
        let runs: Vec<_> = self.collectors.iter().map(|collector| self.runtime.spawn(collector())).collect();
        let aborts: Vec<_> = runs.iter().map(tokio::task::JoinHandle::abort_handle).collect();
        if tokio::time::timeout(BOUND, join_all(runs)).await.is_err() {
            tracing::warn!("collecting metrics took longer than 2 s");
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
        self.metrics.render()
    }
}

/// Whether the service can do its work.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    /// Ready if every check is up.
    pub status: Ready,
    /// By the probe's name.
    pub checks: BTreeMap<&'static str, Check>,
}

/// The sum of all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// Every check is up.
    Ready,
    /// At least one is down.
    NotReady,
}

/// One probe's answer.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Up or down.
    pub status: Up,
    /// How long the probe took, in milliseconds.
    pub latency_ms: u64,
    /// Why it is down.
    pub error: Option<String>,
}

/// A check's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Up {
    /// It answers.
    Up,
    /// It doesn't.
    Down,
}

/// Answers `{"status":"healthy"}`: the process is alive.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "healthy"}))
}

/// Answers the [`Readiness`], with 503 if it isn't ready.
async fn ready(health: web::Data<Health>) -> HttpResponse {
    let readiness = health.readiness().await;
    match readiness.status {
        Ready::Ready => HttpResponse::Ok().json(readiness),
        Ready::NotReady => HttpResponse::ServiceUnavailable().json(readiness),
    }
}

/// Answers the metrics as Prometheus text.
async fn metrics(health: web::Data<Health>) -> HttpResponse {
    let text = health.render_metrics().await;
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}

/// Serves [`Health::configure`] on `address` until shutdown. Returns the address bound: port 0 picks a free one.
///
/// # Errors
/// [`ServiceError::Listen`] if the address can't be listened on.
pub(crate) fn serve(address: SocketAddr, health: Health, tasks: &Tasks) -> Result<SocketAddr, ServiceError> {
    let failed = |source| ServiceError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let _context = tasks.runtime().enter();
    let server = HttpServer::new(move || App::new().configure(|config| health.configure(config)))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(2)
        .listen(listener)
        .map_err(failed)?
        .run();
    let (handle, shutdown) = (server.handle(), tasks.shutdown().clone());
    tasks.spawn("admin", async move {
        let mut server = std::pin::pin!(server);
        tokio::select! {
            ended = &mut server => tracing::error!(?ended, "the admin endpoint has ended"),
            () = shutdown.cancelled() => {
                let stopping = handle.stop(true);
                let (_, ended) = futures::join!(stopping, server);
                if let Err(error) = ended {
                    tracing::warn!(%error, "stop the admin endpoint");
                }
            }
        }
    });
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service};
    use serde_json::Value;

    use super::*;
    use crate::metrics::for_tests;

    async fn get(health: &Health, path: &str) -> (StatusCode, String) {
        let app = init_service(App::new().configure(|config| health.configure(config))).await;
        let answer = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        let status = answer.status();
        let body = answer.into_body().try_into_bytes().unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_is_the_sum_of_its_probes() {
        let health = Health::new(&Tasks::new(), for_tests()).probe("postgres", async || Ok::<(), String>(()));
        let (status, body) = get(&health, "/health/ready").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["status"]), (StatusCode::OK, &"ready".into()));
        assert_eq!(body["checks"]["postgres"]["status"], "up");
        assert_eq!(body["checks"]["postgres"]["error"], Value::Null);
        assert!(body["checks"]["postgres"]["latency_ms"].is_u64());

        let health = health.probe("rabbitmq", async || Err("not connected"));
        let (status, body) = get(&health, "/health/ready").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["status"]), (StatusCode::SERVICE_UNAVAILABLE, &"not_ready".into()));
        assert_eq!(body["checks"]["rabbitmq"]["status"], "down");
        assert_eq!(body["checks"]["rabbitmq"]["error"], "not connected");
        assert_eq!(body["checks"]["postgres"]["status"], "up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_or_panics_is_down() {
        let health = Health::new(&Tasks::new(), for_tests())
            .probe("hangs", std::future::pending::<Result<(), String>>)
            .probe("panics", async || -> Result<(), String> { panic!("on purpose") });
        let checks = health.readiness().await.checks;
        assert_eq!(checks["hangs"].error.as_deref(), Some("no answer within 2 s"));
        assert_eq!(checks["panics"].error.as_deref(), Some("the probe panicked"));
    }

    #[tokio::test]
    async fn the_process_is_alive_and_unready_at_once() {
        let health = Health::new(&Tasks::new(), for_tests()).probe("postgres", async || Err("down"));
        for path in ["/health", "/health/live"] {
            assert_eq!(get(&health, path).await, (StatusCode::OK, r#"{"status":"healthy"}"#.to_owned()));
        }
    }

    #[tokio::test]
    async fn collectors_run_before_the_metrics_are_rendered() {
        let health = Health::new(&Tasks::new(), for_tests()).collector(async || {
            ::metrics::gauge!("a_gauge").set(7.0);
            ::metrics::histogram!("a_histogram_seconds").record(0.3);
        });
        let (status, text) = get(&health, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("a_gauge 7"), "{text}");
        assert!(text.contains(r#"a_histogram_seconds_bucket{le="0.5"} 1"#), "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_endpoint_is_served_until_shutdown() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let tasks = Tasks::new();
        let address = serve(([127, 0, 0, 1], 0).into(), Health::new(&tasks, for_tests()), &tasks).unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(tasks.drain(Duration::from_secs(5)).await);
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }
}
