//! The HTTP server of the API.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;
use shared_service::Tasks;

use crate::context;
use crate::routes;
use crate::state::AppState;

const KEEP_ALIVE: Duration = Duration::from_secs(75);
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

/// Listens, and serves until shutdown; then open requests are waited for, at most for `stop_bound`. The future gives the
/// time at which the stop began.
///
/// # Errors
/// The address can't be listened on.
pub fn run(
    address: SocketAddr,
    stop_bound: Duration,
    state: AppState,
    tasks: &Tasks,
) -> anyhow::Result<impl Future<Output = Instant>> {
    let listener = TcpListener::bind(address).with_context(|| format!("listen on LISTEN {address}"))?;
    let bound = listener.local_addr().context("read the address listened on")?;
    let state = web::Data::new(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(routes::configure)
            .wrap(from_fn(context::surround))
            // Outermost: each path answers with and without a trailing slash, without a redirect.
            .wrap(NormalizePath::trim())
    })
    .disable_signals()
    .shutdown_timeout(stop_bound.as_secs())
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEADERS_TIMEOUT)
    .listen(listener)
    .context("listen")?
    .run();
    tracing::info!(address = %bound, "listening");
    let (handle, shutdown) = (server.handle(), tasks.shutdown().clone());
    Ok(async move {
        let mut server = std::pin::pin!(server);
        tokio::select! {
            ended = &mut server => {
                tracing::error!(?ended, "the server has ended by itself");
                Instant::now()
            }
            () = shutdown.cancelled() => {
                let began = Instant::now();
                let (_, ended) = futures::join!(handle.stop(true), server);
                if let Err(error) = ended {
                    tracing::warn!(%error, "stop the server");
                }
                began
            }
        }
    })
}
