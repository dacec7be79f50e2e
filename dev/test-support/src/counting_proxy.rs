//! A proxy in front of PostgreSQL that counts what a service asks: give it to the service as its `DATABASE_URL`.
//!
//! It counts every round trip of every session, whoever caused it, so nothing is hidden: a test that wants those of one
//! request makes sure that nothing else asks meanwhile. What the client sent is recorded before PostgreSQL gets it;
//! once the client has its answer, the record is complete.

mod frontend;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use frontend::Frontend;

/// One time that the client sent something and needs PostgreSQL's answer to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundTrip {
    /// Which session it was in, counted from 0 in the order in which they were opened.
    pub session: usize,
    /// What was asked, in order; more than one thing if the client sent them together.
    pub asked: Vec<Asked>,
}

/// A statement that a client has prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its text.
    pub text: String,
    /// The types of its first parameters, by their numbers in `pg_type`; 0, or nothing, leaves one to PostgreSQL.
    pub types: Vec<u32>,
}

/// What a client asks PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To open a session, or a step of the authentication.
    Open,
    /// To prepare a statement.
    Prepare(Prepared),
    /// To run a prepared statement with these parameters, in the form in which they were sent; `None` is NULL.
    Run(Prepared, Vec<Option<Vec<u8>>>),
    /// To run the text of a statement.
    Query(String),
    /// To forget a prepared statement.
    Forget(Prepared),
    /// Something else: the type byte of its message.
    Other(char),
}

impl RoundTrip {
    /// Whether it runs a statement that contains `text`.
    #[must_use]
    pub fn runs(&self, text: &str) -> bool {
        self.asked.iter().any(|asked| match asked {
            Asked::Run(Prepared { text: statement, .. }, _) | Asked::Query(statement) => statement.contains(text),
            Asked::Open | Asked::Prepare(_) | Asked::Forget(_) | Asked::Other(_) => false,
        })
    }
}

impl fmt::Display for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}: ", self.session)?;
        for (place, asked) in self.asked.iter().enumerate() {
            if place > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{asked}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Self::Open => f.write_str("(open a session)"),
            Self::Prepare(statement) => write!(f, "(prepare) {}", on_one_line(&statement.text)),
            Self::Run(Prepared { text, .. }, _) | Self::Query(text) => f.write_str(&on_one_line(text)),
            Self::Forget(statement) => write!(f, "(forget) {}", on_one_line(&statement.text)),
            Self::Other(kind) => write!(f, "(message {kind:?})"),
        }
    }
}

/// The running proxy; ended with this value, and with it the sessions through it.
#[derive(Debug)]
pub struct CountingProxy {
    /// The database's URL, by way of the proxy.
    pub url: String,
    record: Record,
    _tasks: JoinSet<()>,
}

impl CountingProxy {
    /// Starts one in front of the database at `url`.
    pub async fn start(url: &str) -> Self {
        let mut by_proxy: Url = url.parse().expect("a database's URL");
        let host = by_proxy.host_str().expect("a host").to_owned();
        let server = (host, by_proxy.port().unwrap_or(5432));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("the port").port();
        by_proxy.set_host(Some("127.0.0.1")).unwrap();
        by_proxy.set_port(Some(port)).unwrap();
        let record = Record::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server, record.clone()));
        Self { url: by_proxy.into(), record, _tasks: tasks }
    }

    /// Forgets the round trips so far.
    pub fn reset(&self) {
        self.record.0.lock().clear();
    }

    /// The round trips since the last reset.
    #[must_use]
    pub fn round_trips(&self) -> Vec<RoundTrip> {
        self.record.0.lock().clone()
    }
}

#[derive(Debug, Clone, Default)]
struct Record(Arc<Mutex<Vec<RoundTrip>>>);

async fn accept(listener: TcpListener, server: (String, u16), record: Record) {
    let mut sessions = JoinSet::new();
    for session in 0.. {
        let Ok((client, _)) = listener.accept().await else { return };
        let (server, record) = (server.clone(), record.clone());
        sessions.spawn(async move {
            // Refused by PostgreSQL: the client is refused too, by the end of its connection.
            let Ok(server) = TcpStream::connect(server).await else { return };
            let _best_effort = (client.set_nodelay(true), server.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            // Either side's end is the end of both.
            tokio::select! {
                () = asks(from_client, to_server, session, record) => {}
                () = answers(from_server, to_client) => {}
            }
        });
    }
}

async fn asks(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, session: usize, record: Record) {
    let mut frontend = Frontend::default();
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = client.read(&mut bytes).await {
        let sent = &bytes[..length];
        for asked in frontend.read(sent) {
            record.0.lock().push(RoundTrip { session, asked });
        }
        if server.write_all(sent).await.is_err() {
            return;
        }
    }
}

async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf) {
    let _ended = tokio::io::copy(&mut server, &mut client).await;
}
