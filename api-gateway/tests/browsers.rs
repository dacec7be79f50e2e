//! What browsers are told: security headers always, cross-origin access only for configured origins.

use reqwest::{Method, RequestBuilder};

use crate::gateway::{Api, Gateway, answer};

fn preflight(api: &Api, origin: &str) -> RequestBuilder {
    api.request(Method::OPTIONS, "/source-connections")
        .header("origin", origin)
        .header("access-control-request-method", "DELETE")
        .header("access-control-request-headers", "x-api-key, content-type, x-fern-sdk-name, x-fern-sdk-version")
}

fn call(api: &Api, origin: &str) -> RequestBuilder {
    api.request(Method::GET, "/sources").header("x-api-key", &api.key).header("origin", origin)
}

#[tokio::test]
async fn every_answer_carries_security_headers() {
    let gateway = Gateway::start().await;
    for path in ["/health", "/sources", "/nowhere", "/collections/none", "/source-connections/nonsense"] {
        let answer = gateway.api.get(path).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(answer.headers.contains_key("x-request-id"), "{path}");
        assert!(!answer.headers.contains_key("strict-transport-security"), "plain HTTP promises nothing: {path}");
        assert!(!answer.headers.contains_key("server"), "{path}");
    }
}

#[tokio::test]
async fn no_other_origin_may_call_unless_configured() {
    let gateway = Gateway::start().await;
    let refused = answer(preflight(&gateway.api, "https://evil.example")).await;
    refused.refuses(405, "Method Not Allowed");
    let called = answer(call(&gateway.api, "https://evil.example")).await;
    assert_eq!(called.status, 200, "{called:?}");
    for headers in [&refused.headers, &called.headers] {
        assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{headers:?}");
    }
}

#[tokio::test]
async fn configured_origins_may_call_and_read_our_headers() {
    let own = "https://app.example.com";
    let gateway =
        Gateway::start_with(&[("CORS_ALLOWED_ORIGINS", "https://app.example.com,http://localhost:3000")]).await;
    let allowed = answer(preflight(&gateway.api, own)).await;
    assert_eq!(allowed.status, 200, "{allowed:?}");
    let header = |name: &str| allowed.headers[name].to_str().unwrap().to_lowercase();
    assert_eq!(header("access-control-allow-origin"), own);
    assert!(header("access-control-allow-methods").contains("delete"));
    for sent in ["x-api-key", "content-type", "x-fern-sdk-name", "x-fern-sdk-version"] {
        assert!(header("access-control-allow-headers").contains(sent), "{sent}");
    }

    let called = answer(call(&gateway.api, own)).await;
    assert_eq!(called.headers["access-control-allow-origin"], own);
    let exposed = called.headers["access-control-expose-headers"].to_str().unwrap().to_lowercase();
    for read in ["x-request-id", "ratelimit-remaining", "retry-after", "link", "x-cleanup-id", "x-api-deprecation"] {
        assert!(exposed.contains(read), "{read}: {exposed}");
    }
    assert!(!called.headers.contains_key("access-control-allow-credentials"));

    let foreign = answer(preflight(&gateway.api, "https://evil.example")).await;
    assert_eq!(foreign.status, 400, "{foreign:?}");
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    let called = answer(call(&gateway.api, "https://evil.example")).await;
    assert!(!called.headers.contains_key("access-control-allow-origin"));
}
