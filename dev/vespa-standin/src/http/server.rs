//! Listening, and stopping so that what was accepted is answered and on disk.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::State;
use super::connection::serve;
use crate::counters::Counters;
use crate::faults::Faults;
use crate::store::{Store, StoreError};
use crate::tensor::Dimensions;

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
    state: Arc<State>,
}

impl Server {
    /// Opens the data folder and listens.
    pub async fn start(address: SocketAddr, data: &Path, dimensions: Dimensions) -> Result<Self, ServerError> {
        let state = Arc::new(State {
            store: Store::open(data, dimensions)?,
            counters: Counters::default(),
            faults: Faults::default(),
            dimensions,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        state.tasks.spawn(accept(listener, state.clone()));
        Ok(Self { address, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, finishes the open requests within a bound and closes the store.
    pub async fn stop(self) {
        self.state.stop.cancel();
        self.state.tasks.close();
        if tokio::time::timeout(DRAIN, self.state.tasks.wait()).await.is_err() {
            tracing::warn!("requests were still open at the end");
        }
        let state = self.state.clone();
        if tokio::task::spawn_blocking(move || state.store.close()).await.is_err() {
            tracing::error!("closing the store failed");
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let accepted = tokio::select! {
            () = state.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                state.tasks.spawn(serve(stream, state.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: let the open connections end.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
