//! Sizes that are refused.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Standin, h1, h2};

#[tokio::test]
async fn headers_beyond_64_kib_are_refused_and_those_below_are_not() {
    let standin = Standin::start().await;
    for client in [h1(), h2()] {
        let ask = async |bytes: usize| {
            let url = standin.url("/document/v1/airweave/base_entity/docid/x");
            let response = client.get(url).header("x-padding", "x".repeat(bytes)).send().await.unwrap();
            response.status().as_u16()
        };
        assert_eq!(ask(60_000).await, 404);
        assert_eq!(ask(66_000).await, 431);
    }
}

#[tokio::test]
async fn a_request_line_beyond_64_kib_is_refused_and_one_below_is_not() {
    let standin = Standin::start().await;
    for (bytes, expected) in [(60_000, ["200"; 2]), (70_000, ["414", "431"])] {
        let selection = format!("base_entity.name=='{}'", "x".repeat(bytes)).replace('\'', "%27");
        let mut stream = tokio::net::TcpStream::connect(standin.address).await.unwrap();
        let head = format!(
            "DELETE /document/v1/?cluster=airweave&selection={selection} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        );
        // The server may have refused before it was all sent.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        let status = String::from_utf8_lossy(&answer[9..]).into_owned();
        assert!(expected.contains(&status.as_str()), "{bytes} bytes: {status}");
    }
}

#[tokio::test]
async fn a_body_beyond_100_mib_is_refused() {
    let standin = Standin::start().await;
    let path = "/document/v1/airweave/base_entity/docid/x";
    let response = h2().post(standin.url(path)).body(vec![b' '; (100 << 20) + 1]).send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(standin.get(path).await.0, 404);
}
