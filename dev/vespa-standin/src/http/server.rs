//! Listening, and stopping so that what was accepted is answered and on disk.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{State, handle};
use crate::counters::Counters;
use crate::store::{Store, StoreError};
use crate::tensor::Dimensions;

/// Vespa's limit of a request's line and headers together.
const MAX_HEADER_BYTES: u32 = 65_536;
/// What Vespa's connector lets one connection have open.
const MAX_STREAMS: u32 = 512;
/// How long open requests may take when the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// The server couldn't start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data folder can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address can't be listened on.
    #[error("listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    state: Arc<State>,
}

impl Server {
    /// Opens the data folder and listens.
    pub async fn start(address: SocketAddr, data: &Path, dimensions: Dimensions) -> Result<Self, ServerError> {
        let state = State { store: Store::open(data, dimensions)?, counters: Counters::default(), dimensions };
        let state = Arc::new(state);
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(accept(listener, state.clone(), stop.clone(), tasks.clone()));
        Ok(Self { address, stop, tasks, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, finishes the open requests within a bound and closes the store.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("requests were still open at the end");
        }
        let state = self.state.clone();
        if tokio::task::spawn_blocking(move || state.store.close()).await.is_err() {
            tracing::error!("closing the store failed");
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(serve(stream, state.clone(), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: let the open connections end.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let header_bytes = usize::try_from(MAX_HEADER_BYTES).unwrap_or(usize::MAX);
    builder.http1().timer(TokioTimer::new()).max_buf_size(header_bytes);
    builder
        .http2()
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(16 << 20);
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(handle(state, request).await.into_response()) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}
