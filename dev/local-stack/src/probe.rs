//! How one sees from outside that a child serves.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::Http;

/// What is asked.
#[derive(Debug, Clone)]
pub enum Probe {
    /// Whether somebody listens on this port of the loopback interface.
    Listens(u16),
    /// Whether PostgreSQL answers a query at this URL.
    Queries(String),
    /// Whether RabbitMQ greets on this port, and lets its user ask for this page.
    Broker {
        /// Asks for the page.
        http: Http,
        /// For clients.
        amqp: u16,
        /// A page of the management API.
        page: String,
        /// The user.
        user: &'static str,
        /// And the password.
        password: String,
    },
    /// Whether anything answers at this URL.
    Answers(Http, String),
    /// Whether this URL is answered with success.
    Ready(Http, String),
}

impl Probe {
    /// Asks once.
    pub async fn holds(&self) -> bool {
        match self {
            Self::Listens(port) => TcpStream::connect(("127.0.0.1", *port)).await.is_ok(),
            Self::Queries(url) => queries(url).await,
            Self::Broker { http, amqp, page, user, password } => {
                greets(*amqp).await && http.authorized(page, user, password).await
            }
            Self::Answers(http, url) => http.answers(url).await,
            Self::Ready(http, url) => http.ready(url).await,
        }
    }
}

async fn queries(url: &str) -> bool {
    let Ok((client, connection)) = tokio_postgres::connect(url, tokio_postgres::NoTls).await else { return false };
    let ask = async { client.simple_query("SELECT 1").await.is_ok() };
    tokio::select! {
        answer = ask => answer,
        _ended = connection => false,
    }
}

/// Whether the broker answers a protocol header with its first frame.
async fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut first = [0_u8; 1];
    stream.write_all(b"AMQP\x00\x00\x09\x01").await.is_ok()
        && stream.read_exact(&mut first).await.is_ok()
        && first == [1]
}
