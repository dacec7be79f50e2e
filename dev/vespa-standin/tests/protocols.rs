//! HTTP/1.1 and HTTP/2 with prior knowledge on one port.

use reqwest::Version;

use crate::support::{Standin, h1, h2};

#[tokio::test]
async fn both_versions_on_one_port() {
    let standin = Standin::start().await;
    for (client, version) in [(h1(), Version::HTTP_11), (h2(), Version::HTTP_2)] {
        let response = client.get(standin.url("/document/v1/airweave/base_entity/docid/x")).send().await.unwrap();
        assert_eq!((response.version(), response.status().as_u16()), (version, 404));
        assert_eq!(response.headers()["content-type"], "application/json; charset=UTF-8");
    }
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way() {
    let standin = Standin::start().await;
    let url = standin.url("/document/v1/airweave/base_entity/docid/x");
    let put = h1().post(url).body("{\"fields\":{}}").send().await.unwrap();
    assert_eq!(put.status(), 200);
    let folder = standin.stop().await;
    let again = Standin::start_in(folder).await;
    assert_eq!(again.get("/document/v1/airweave/base_entity/docid/x").await.0, 200);
}
