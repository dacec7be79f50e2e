//! `/`: a page for people, and the contract's 404 for programs.

use reqwest::Method;

use crate::gateway::{Answer, Gateway, answer};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

/// Asked without a key.
async fn front(gateway: &Gateway, accept: Option<&str>) -> Answer {
    let request = gateway.api.request(Method::GET, "/");
    answer(accept.iter().fold(request, |request, accept| request.header("accept", *accept))).await
}

#[tokio::test]
async fn a_browser_gets_a_page_that_works_without_any_other_server() {
    let gateway = Gateway::start().await;
    for accept in [BROWSER, "text/html"] {
        let page = front(&gateway, Some(accept)).await;
        assert_eq!(page.status, 200, "{accept}");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["vary"], "accept");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'; base-uri"), "{policy}");
        for outside in ["http:", "https:", "//", "<script", "style=", "onload"] {
            assert!(!page.text.contains(outside), "{outside}");
        }
        let links: Vec<&str> = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let wanted = ["/docs/favicon-32x32.png", "/docs/front.css", "/docs", "/openapi.json", "/health/ready"];
        assert_eq!(links, wanted);
        for link in links {
            // Readiness says 200 or, where something is away, 503.
            let status = answer(gateway.api.request(Method::GET, link)).await.status.as_u16();
            assert!(status == 200 || (link == "/health/ready" && status == 503), "{link}: {status}");
        }
    }
    let style = answer(gateway.api.request(Method::GET, "/docs/front.css")).await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    assert!(!style.text.contains("url(") && !style.text.contains("@import"), "{}", style.text);
}

#[tokio::test]
async fn a_program_gets_the_contracts_404() {
    let gateway = Gateway::start().await;
    for accept in [None, Some("*/*"), Some("application/json"), Some("application/json, text/html;q=0"), Some("?")] {
        let refused = front(&gateway, accept).await;
        refused.refuses(404, "Not Found");
        assert_eq!(refused.headers["vary"], "accept", "{accept:?}");
    }
    let head = answer(gateway.api.request(Method::HEAD, "/").header("accept", BROWSER)).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    answer(gateway.api.request(Method::POST, "/").header("accept", BROWSER)).await.refuses(405, "Method Not Allowed");
}

/// Those are run by a test of the whole system.
#[test]
fn the_pages_steps_are_those_of_the_readme() {
    let page = include_str!("../src/documentation/front.html");
    let readme = include_str!("../../README.md");
    let steps = page.split("<pre>").skip(1).map(|rest| rest.split("</pre>").next().unwrap());
    let unescaped = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let lines: Vec<String> = steps.flat_map(str::lines).map(unescaped).collect();
    assert!(lines.len() > 10, "{lines:?}");
    for line in lines {
        assert!(readme.lines().any(|known| known == line), "not in the README: {line}");
    }
}
