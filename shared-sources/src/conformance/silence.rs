//! A server that takes what it is asked and then says nothing.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// A front of a server that passes everything on until a client says a certain word.
pub(crate) struct Silence {
    /// Where it is, on the loopback address.
    pub(crate) port: u16,
    heard: Arc<Notify>,
    _connections: JoinSet<()>,
}

impl Silence {
    /// A front of the server at `port`. What a client says after `word`, that included, gets no answer.
    pub(crate) async fn after(word: &'static str, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let heard = Arc::new(Notify::new());
        let mut connections = JoinSet::new();
        let hearing = heard.clone();
        connections.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                passing.spawn(pass(client, port, word, hearing.clone()));
            }
        });
        Self { port: here, heard, _connections: connections }
    }

    /// Waits until somebody has said the word.
    pub(crate) async fn heard(&self) {
        self.heard.notified().await;
    }
}

async fn pass(mut client: TcpStream, port: u16, word: &str, heard: Arc<Notify>) {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
    let asking = async {
        let mut said = [0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut said).await {
            if said[..length].windows(word.len()).any(|part| part == word.as_bytes()) {
                heard.notify_one();
                return std::future::pending().await;
            }
            if to_server.write_all(&said[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        // What was asked before the word is answered.
        _ended = copy(&mut from_server, &mut to_client) => {}
    }
}
