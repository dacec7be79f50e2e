//! A server that gives prepared answers over HTTP/1.1 and HTTP/2, and remembers what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub version: Version,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct Canned {
    pub status: u16,
    pub body: String,
    pub delay: Duration,
}

impl Canned {
    pub fn new(status: u16, body: impl ToString) -> Self {
        Self { status, body: body.to_string(), delay: Duration::ZERO }
    }
}

pub struct CannedServer {
    pub url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl CannedServer {
    /// Gives the answers in turn, then the last one for ever.
    pub async fn start(answers: Vec<Canned>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&asked), answers));
        Self { url, asked, _tasks: tasks }
    }

    pub async fn always(status: u16, body: impl ToString) -> Self {
        Self::start(vec![Canned::new(status, body)]).await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }
}

async fn accept(listener: TcpListener, asked: Arc<Mutex<Vec<Asked>>>, answers: Arc<Mutex<VecDeque<Canned>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (asked, answers) = (Arc::clone(&asked), Arc::clone(&answers));
        connections.spawn(async move {
            let service =
                hyper::service::service_fn(move |request| answer(request, Arc::clone(&asked), Arc::clone(&answers)));
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<VecDeque<Canned>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    asked.lock().push(Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        version: parts.version,
        body,
    });
    let canned = {
        let mut answers = answers.lock();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().cloned().unwrap() }
    };
    tokio::time::sleep(canned.delay).await;
    Ok(Response::builder().status(canned.status).body(Full::new(Bytes::from(canned.body))).unwrap())
}
