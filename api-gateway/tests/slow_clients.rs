//! Clients that take too long are cut off, wherever they are slow; others aren't.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::gateway::{Gateway, KEY};

const CLIENT_TIMEOUT: Duration = Duration::from_millis(500);
/// Much longer than any limit here, much shorter than the limits that are set by default.
const PATIENCE: Duration = Duration::from_secs(8);

async fn gateway() -> (Gateway, String) {
    let gateway = Gateway::start_with(&[("CLIENT_TIMEOUT", "500ms"), ("KEEP_ALIVE", "1s")]).await;
    let address = gateway.api.url.trim_start_matches("http://").to_owned();
    (gateway, address)
}

/// Everything until the connection ends.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    drop(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_request_head_that_never_ends_is_cut_off() {
    let (_gateway, address) = gateway().await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_second_head_that_never_ends_is_cut_off_too() {
    let (_gateway, address) = gateway().await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0_u8; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow").await.unwrap();
    read_to_end(&mut stream).await;
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off() {
    let (_gateway, address) = gateway().await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /collections HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let trickling = async {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(CLIENT_TIMEOUT / 5).await;
        }
    };
    let began = Instant::now();
    let mut bytes = Vec::new();
    let reading = async { reader.read_to_end(&mut bytes).await };
    let ended = async { tokio::join!(trickling, reading).1 };
    drop(timeout(PATIENCE, ended).await.expect("the connection stayed open"));
    let answer = String::from_utf8_lossy(&bytes);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#"{"detail":"The request body was not received within "#), "{answer}");
    assert!(began.elapsed() >= CLIENT_TIMEOUT * 3);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_dropped() {
    let (gateway, address) = gateway().await;
    for number in 0..20 {
        gateway.api.post("/collections", json!({"name": format!("Collection {number} of many")})).await.ok();
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!("GET /collections HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n\r\n");
    let asking = async {
        // Until the gateway drops the connection: a write then fails.
        while stream.write_all(request.as_bytes()).await.is_ok() {}
    };
    timeout(PATIENCE * 3, asking).await.unwrap();
    gateway.api.get("/health").await.ok();
}

/// What an answer takes is held until its client has it: who reads a little now and then is cut off like who reads not
/// at all. What the kernel had taken by then may still arrive, but not the whole.
#[tokio::test]
async fn a_client_that_trickles_its_answers_in_is_cut_off() {
    const ANSWERS: usize = 200;
    let (gateway, address) = gateway().await;
    let one = gateway.api.get("/openapi.json").await.text.len();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    stream.write_all("GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(ANSWERS).as_bytes()).await.unwrap();
    let mut piece = [0; 4096];
    let mut read = 0;
    let began = Instant::now();
    // Often enough for a limit on silence, and far too slow for the whole.
    while began.elapsed() < CLIENT_TIMEOUT * 8 {
        read += stream.read(&mut piece).await.unwrap_or(0);
        tokio::time::sleep(CLIENT_TIMEOUT / 10).await;
    }
    let rest = async {
        while let Ok(more) = stream.read(&mut piece).await
            && more > 0
        {
            read += more;
        }
    };
    // A connection that was not cut off ends as well, after its last answer.
    timeout(PATIENCE * 6, rest).await.unwrap();
    assert!(read < one * ANSWERS, "{read} bytes, all {ANSWERS} answers of {one}");
    gateway.api.get("/health").await.ok();
}
