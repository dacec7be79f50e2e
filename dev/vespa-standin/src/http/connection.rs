//! One connection: requests of either version of HTTP, until the client goes, the server stops or a fault ends it.

use std::convert::Infallible;
use std::io::Write;
use std::net::{Shutdown, TcpStream as Socket};
use std::os::fd::AsFd;
use std::sync::Arc;

use hyper::Version;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{State, handle};
use crate::faults::Ending;

/// Vespa's limit of a request's line and headers together.
const MAX_HEADER_BYTES: u32 = 65_536;
/// What Vespa's connector lets one connection have open.
const MAX_STREAMS: u32 = 512;
/// GOAWAY: of the streams up to the last possible one any may have been carried out; INTERNAL_ERROR.
const GO_AWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 2];

pub(super) async fn serve(stream: TcpStream, state: Arc<State>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    // The connection keeps its socket to itself: what a fault writes goes through a second handle.
    let socket = stream.as_fd().try_clone_to_owned().map(Socket::from);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let header_bytes = usize::try_from(MAX_HEADER_BYTES).unwrap_or(usize::MAX);
    builder.http1().timer(TokioTimer::new()).max_buf_size(header_bytes);
    builder
        .http2()
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(16 << 20);
    let (ending, mut ended) = watch::channel(None);
    let ending = Arc::new(ending);
    let service = service_fn(|request| {
        let (state, ending) = (state.clone(), ending.clone());
        async move {
            let version = request.version();
            let reply = handle(state, request).await;
            let end = reply.end();
            if end.is_some() {
                ending.send_replace(end.map(|end| (end, version)));
            }
            if end == Some(Ending::Abrupt) {
                // Until the connection is dropped, and this with it.
                std::future::pending::<()>().await;
            }
            let mut response = reply.into_response();
            if end.is_some() && version < Version::HTTP_2 {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut is_stopping = false;
    let result = loop {
        tokio::select! {
            result = connection.as_mut() => break result,
            () = state.stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            Ok(()) = ended.changed() => match *ended.borrow_and_update() {
                Some((Ending::Graceful, _)) => connection.as_mut().graceful_shutdown(),
                Some((Ending::Abrupt, version)) => return cut(socket, version),
                None => {}
            },
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}

fn cut(socket: std::io::Result<Socket>, version: Version) {
    let cut = socket.and_then(|mut socket| {
        if version == Version::HTTP_2 {
            socket.write_all(&GO_AWAY)?;
        }
        socket.shutdown(Shutdown::Both)
    });
    if let Err(error) = cut {
        tracing::debug!(%error, "connection cut without a word");
    }
}
