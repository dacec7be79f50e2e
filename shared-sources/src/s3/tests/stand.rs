//! A bucket in which things can be made to go wrong.

use serde_json::json;
use url::Url;

use super::{Object, S3Server, access};
use crate::Source;
use crate::conformance::{Asked, Silence, Stand};

pub(crate) const SECRET: &str = test_support::S3_SECRET;

pub(crate) struct S3Stand {
    server: S3Server,
    /// Where it is asked.
    url: Url,
}

impl Stand for S3Stand {
    const SOURCE: Source = Source::S3;

    async fn start() -> Self {
        let server = S3Server::start().await;
        for (key, text) in [("a.txt", "one"), ("b/c.rs", "fn two() {}"), ("b/d/e.md", "three")] {
            server.put(key, Object::text(text));
        }
        Self { url: server.url.clone(), server }
    }

    fn asked(&self) -> Asked {
        Asked {
            config: json!({"bucket": "bucket", "prefix": null, "include": [], "exclude": []}),
            credentials: json!({
                "endpoint": null, "region": "eu-central-1", "path_style": true, "access_key_id": "AKIATEST",
                "secret_access_key": SECRET,
            }),
            access: access(&self.url),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(SECRET.to_owned())
    }

    async fn empty(&mut self) -> Option<usize> {
        self.server.clear();
        Some(0)
    }

    async fn hide(&mut self) -> Option<String> {
        self.server.put("b/c.rs", Object { refused: Some((403, "AccessDenied")), ..Object::text("fn two() {}") });
        Some("b/c.rs".to_owned())
    }

    async fn add_odd(&mut self) -> Option<String> {
        self.server.put("b/odd-17.bin", Object::bytes(b"\0\x01\x02"));
        Some("b/odd-17.bin".to_owned())
    }

    async fn fail(&mut self) -> Option<&'static str> {
        self.server.fail(500, "InternalError");
        Some("500 Internal Server Error, InternalError; tried 4 times more")
    }

    async fn fall_silent(&mut self, step: usize) -> Option<Silence> {
        let asked = ["list-type=2", "GET /bucket/a.txt"].get(step)?;
        let silence = Silence::after(asked, self.url.port().unwrap()).await;
        self.url.set_port(Some(silence.port)).unwrap();
        Some(silence)
    }

    /// Empty ones, which cost no request.
    async fn fill(&mut self, entities: usize) -> bool {
        self.server.clear();
        self.server.list_endless(entities);
        true
    }

    /// The server sends as much of it as anybody takes.
    async fn fill_with_one(&mut self) -> bool {
        self.server.clear();
        self.server.put("huge.txt", Object { claimed_size: Some(1 << 30), ..Object::text(&"word ".repeat(300_000)) });
        true
    }
}
