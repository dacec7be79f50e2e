//! Sizes that are refused.

use reqwest::Method;

use crate::support::{Standin, encoded, h1, h2};

#[tokio::test]
async fn a_request_line_beyond_64_kib_is_refused_and_one_below_is_not() {
    let standin = Standin::start().await;
    for client in [h1(), h2()] {
        let ask = async |bytes: usize| {
            let selection = encoded(&format!("base_entity.name=='{}'", "x".repeat(bytes)));
            let url = standin.url(&format!("/document/v1/?cluster=airweave&selection={selection}"));
            client.request(Method::DELETE, url).send().await
        };
        assert_eq!(ask(60_000).await.unwrap().status(), 200);
        match ask(70_000).await {
            Ok(response) => assert!([414, 431].contains(&response.status().as_u16()), "{}", response.status()),
            // Over HTTP/2 the client's own library may refuse to send it; then the server never saw it.
            Err(error) => assert!(error.is_builder() || error.is_request(), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_beyond_100_mib_is_refused() {
    let standin = Standin::start().await;
    let url = standin.url("/document/v1/airweave/base_entity/docid/x");
    let answer = h1().post(url).body(vec![b' '; (100 << 20) + 1]).send().await;
    match answer {
        Ok(response) => assert_eq!(response.status(), 413),
        // The server answers and closes while the client is still sending.
        Err(error) => assert!(error.is_request(), "{error:?}"),
    }
    assert_eq!(standin.get("/document/v1/airweave/base_entity/docid/x").await.0, 404);
}
