//! Connections on which no request is under way for too long are closed, whatever their clients send meanwhile.
//!
//! Actix closes a connection that is silent after an answer, and one whose first request's head takes too long; but a
//! head that trickles in after the first answer would keep its connection open for ever. Here a connection counts as
//! idle from the end of one answer to the beginning of the next request, and the socket is shut down when that takes
//! longer than the keep-alive time and the time for a head together.
//!
//! An answer takes memory until its client has read it. Actix gives up on a client that reads nothing for a while; one
//! that reads a few bytes now and then is cut off here when the whole answer takes longer than at a slow pace.

use std::any::Any;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::web::{Bytes, Data};
use parking_lot::Mutex;
use rustix::net::{Shutdown, shutdown};
use shared_service::periodic::Done;
use shared_service::{Driver, Periodic};

use crate::state::AppState;

/// Who reads an answer more slowly than this, in bytes per second (2 Mbit/s), is cut off.
const SLOWEST_PACE: u64 = 256 * 1024;

/// The open connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<Vec<Weak<Connection>>>>);

/// One of them; lives as long as actix keeps it.
struct Connection {
    socket: OwnedFd,
    activity: Mutex<Activity>,
    /// By when the answers under way must have been read, by their numbers.
    answers: Mutex<HashMap<u64, Instant>>,
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
        let connection = Arc::new(Connection { socket, activity, answers: Mutex::default() });
        self.0.lock().push(Arc::downgrade(&connection));
        data.insert(connection);
    }

    /// Shuts those down that are idle for longer than `limit`, and those whose clients read too slowly, until shutdown.
    pub fn watch(&self, limit: Duration, driver: &Driver) {
        let connections = self.clone();
        let task = Periodic::every("close idle connections", (limit / 4).min(Duration::from_secs(5)));
        driver.start(task, move |_| {
            let connections = connections.clone();
            async move { connections.close_overdue(limit) }
        });
    }

    fn close_overdue(&self, limit: Duration) -> Done {
        let mut all = self.0.lock();
        all.retain(|connection| {
            connection.upgrade().inspect(|connection| connection.close_if_overdue(limit)).is_some()
        });
        Ok(())
    }
}

impl Connection {
    fn change(&self, change: impl FnOnce(Activity) -> Activity) {
        let mut activity = self.activity.lock();
        *activity = change(*activity);
    }

    fn close_if_overdue(&self, limit: Duration) {
        if self.answers.lock().values().any(|read_by| *read_by < Instant::now()) {
            self.close("a client reads its answer too slowly; its connection is closed");
        }
        self.change(|activity| {
            if matches!(activity, Activity::Idle { since } if since.elapsed() > limit) {
                self.close("an idle connection is closed");
            }
            activity
        });
    }

    fn close(&self, why: &'static str) {
        tracing::debug!("{why}");
        if let Err(error) = shutdown(&self.socket, Shutdown::Both) {
            tracing::debug!(%error, "it was closed already");
        }
    }
}

/// An answer that its client hasn't read to the end.
struct Unread {
    connection: Arc<Connection>,
    number: u64,
}

impl Unread {
    fn of(connection: &Arc<Connection>, bytes: u64, patience: Duration) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let read_by = Instant::now() + patience + Duration::from_secs(bytes / SLOWEST_PACE);
        connection.answers.lock().insert(number, read_by);
        Self { connection: connection.clone(), number }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.connection.answers.lock().remove(&self.number);
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

/// Marks the request's connection as busy until the answer has been sent, and the answer as one to be read in time.
///
/// # Errors
/// What the inner service fails with.
pub async fn mark(
    state: Data<AppState>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let connection = request.conn_data::<Arc<Connection>>().cloned();
    let busy = connection.as_ref().map(Busy::on);
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| {
        let unread = match (connection, body.size()) {
            (Some(connection), BodySize::Sized(bytes)) => Some(Unread::of(&connection, bytes, state.times.client)),
            // A stream takes as long as there is something to tell.
            (_, _) => None,
        };
        BoxBody::new(Sent { body: body.boxed(), _unread: unread, _busy: busy })
    }))
}

/// A body that knows when it has been sent: when it is dropped.
struct Sent {
    body: BoxBody,
    _unread: Option<Unread>,
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
