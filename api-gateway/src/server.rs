//! The HTTP server of the API: plain HTTP, or HTTPS with HTTP/2 if there is a certificate.
//!
//! Slow clients are cut off: in the TLS handshake, in a request's head and body, and when they don't read their answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::middleware::{Condition, NormalizePath, from_fn};
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;
use shared_service::Service;
use tokio_util::sync::CancellationToken;

use crate::context;
use crate::documentation;
use crate::routes;
use crate::state::AppState;

mod cors;
mod headers;
mod idle;
mod settings;
mod tls;

pub use settings::HttpSettings;

use cors::AllowedOrigins;

/// Listens, and serves until shutdown; then open requests are waited for, at most for `stop_bound`. The future gives
/// the time at which the stop began.
///
/// # Errors
/// The address can't be listened on, or the certificate can't be used. From the future: the server has ended by itself.
pub fn run(
    settings: HttpSettings,
    stop_bound: Duration,
    state: AppState,
    service: &Service,
) -> anyhow::Result<impl Future<Output = anyhow::Result<Instant>>> {
    let listener = listen(&settings)?;
    let address = listener.local_addr().context("read the address listened on")?;
    let tls = settings.tls_files().map(|files| tls::server_config(files, &service.driver)).transpose()?;
    let is_https = tls.is_some();
    if !is_https && !address.ip().is_loopback() {
        tracing::warn!("plain HTTP on an address that others can reach: API keys need a proxy that speaks HTTPS");
    }
    let connections = idle::Connections::default();
    connections.watch(settings.keep_alive + settings.client_timeout, &service.driver);
    let state = web::Data::new(state);
    let origins = settings.cors_allowed_origins;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(routes::configure)
            .configure(documentation::configure)
            .wrap(Condition::new(origins != AllowedOrigins::None, cors::middleware(&origins)))
            .wrap(from_fn(context::surround))
            .wrap(from_fn(idle::mark))
            .wrap(headers::security(is_https))
            // Outermost: each path answers with and without a trailing slash, without a redirect.
            .wrap(NormalizePath::trim())
    })
    .disable_signals()
    .shutdown_timeout(stop_bound.as_secs())
    .on_connect(move |stream, data| connections.opened(stream, data))
    .keep_alive(settings.keep_alive)
    .client_request_timeout(settings.client_timeout)
    .client_disconnect_timeout(settings.client_timeout)
    .tls_handshake_timeout(settings.client_timeout);
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls),
        None => server.listen(listener),
    };
    let server = server.context("listen")?.run();
    tracing::info!(%address, https = is_https, "listening");
    Ok(until_stopped(server, service.tasks.shutdown().clone()))
}

async fn until_stopped(server: Server, shutdown: CancellationToken) -> anyhow::Result<Instant> {
    let handle = server.handle();
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => {
            ended.context("serve")?;
            anyhow::bail!("the server has ended by itself");
        }
        () = shutdown.cancelled() => {
            let began = Instant::now();
            let (_, ended) = futures::join!(handle.stop(true), server);
            if let Err(error) = ended {
                tracing::warn!(%error, "stop the server");
            }
            Ok(began)
        }
    }
}

fn listen(settings: &HttpSettings) -> anyhow::Result<TcpListener> {
    let address = settings.listen;
    let listener = TcpListener::bind(address).with_context(|| format!("listen on LISTEN {address}"))?;
    // Every connection inherits it from its listener: one whose client doesn't take an answer is dropped by the kernel.
    let patience = u32::try_from(settings.client_timeout.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(&listener, patience).context("limit how long clients may not read")?;
    Ok(listener)
}
