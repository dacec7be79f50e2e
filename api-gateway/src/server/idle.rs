//! Connections on which no request is under way for too long are closed, whatever their clients send meanwhile.
//!
//! Actix closes a connection that is silent after an answer, and one whose first request's head takes too long; but a
//! head that trickles in after the first answer would keep its connection open for ever. Here a connection counts as
//! idle from the end of one answer to the beginning of the next request, and the socket is shut down when that takes
//! longer than the keep-alive time and the time for a head together.

use std::any::Any;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use parking_lot::Mutex;
use rustix::net::{Shutdown, shutdown};
use shared_service::periodic::Done;
use shared_service::{Driver, Periodic};

/// The open connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<Vec<Weak<Connection>>>>);

/// One of them; lives as long as actix keeps it.
struct Connection {
    socket: OwnedFd,
    activity: Mutex<Activity>,
}

#[derive(Clone, Copy)]
enum Activity {
    Idle { since: Instant },
    Busy { requests: u32 },
}

impl Connections {
    /// Takes note of a new connection. For [`actix_web::HttpServer::on_connect`].
    pub fn opened(&self, stream: &dyn Any, data: &mut Extensions) {
        let plain = stream.downcast_ref::<TcpStream>();
        let tcp = plain.or_else(|| stream.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0));
        let Some(tcp) = tcp else { return };
        let socket = match tcp.as_fd().try_clone_to_owned() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be watched: too few file descriptors? Each takes two");
                return;
            }
        };
        let activity = Mutex::new(Activity::Idle { since: Instant::now() });
        let connection = Arc::new(Connection { socket, activity });
        self.0.lock().push(Arc::downgrade(&connection));
        data.insert(connection);
    }

    /// Shuts those down that are idle for longer than `limit`, until shutdown.
    pub fn watch(&self, limit: Duration, driver: &Driver) {
        let connections = self.clone();
        let task = Periodic::every("close idle connections", (limit / 4).min(Duration::from_secs(5)));
        driver.start(task, move |_| {
            let connections = connections.clone();
            async move { connections.close_idle(limit) }
        });
    }

    fn close_idle(&self, limit: Duration) -> Done {
        self.0
            .lock()
            .retain(|connection| connection.upgrade().inspect(|connection| connection.close_if_idle(limit)).is_some());
        Ok(())
    }
}

impl Connection {
    fn change(&self, change: impl FnOnce(Activity) -> Activity) {
        let mut activity = self.activity.lock();
        *activity = change(*activity);
    }

    fn close_if_idle(&self, limit: Duration) {
        self.change(|activity| {
            if matches!(activity, Activity::Idle { since } if since.elapsed() > limit) {
                tracing::debug!("an idle connection is closed");
                if let Err(error) = shutdown(&self.socket, Shutdown::Both) {
                    tracing::debug!(%error, "it was closed already");
                }
            }
            activity
        });
    }
}

/// A request under way, from its head to the end of its answer.
struct Busy(Arc<Connection>);

impl Busy {
    fn on(connection: &Arc<Connection>) -> Self {
        connection.change(|activity| match activity {
            Activity::Idle { .. } => Activity::Busy { requests: 1 },
            Activity::Busy { requests } => Activity::Busy { requests: requests.saturating_add(1) },
        });
        Self(connection.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(|activity| match activity {
            Activity::Busy { requests } if requests > 1 => Activity::Busy { requests: requests - 1 },
            Activity::Busy { .. } | Activity::Idle { .. } => Activity::Idle { since: Instant::now() },
        });
    }
}

/// Marks the request's connection as busy until the answer has been sent.
///
/// # Errors
/// What the inner service fails with.
pub async fn mark(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let busy = request.conn_data::<Arc<Connection>>().map(Busy::on);
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| BoxBody::new(Sent { body: body.boxed(), _busy: busy })))
}

/// A body that knows when it has been sent: when it is dropped.
struct Sent {
    body: BoxBody,
    _busy: Option<Busy>,
}

impl MessageBody for Sent {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
