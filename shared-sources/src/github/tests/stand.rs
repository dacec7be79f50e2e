//! A repository in which things can be made to go wrong.

use serde_json::json;
use url::Url;

use super::{GithubServer, TOKEN, limits, refused};
use crate::Source;
use crate::conformance::{Asked, Silence, Stand};

/// With the folder itself they are a thousand entities.
const FILES_OF_A_FOLDER: usize = 999;

pub(crate) struct GithubStand {
    server: GithubServer,
    /// Where it is asked.
    url: Url,
}

impl GithubStand {
    fn at(server: GithubServer) -> Self {
        Self { url: server.url(), server }
    }
}

impl Stand for GithubStand {
    const SOURCE: Source = Source::Github;

    async fn start() -> Self {
        let files = [("a.txt", "one"), ("b/c.rs", "fn two() {}"), ("b/d/e.md", "three")];
        Self::at(GithubServer::with(&files).await)
    }

    fn asked(&self) -> Asked {
        Asked {
            config: json!({"repo_name": "octo/spoon", "branch": null}),
            credentials: json!({"personal_access_token": TOKEN, "api_url": null}),
            access: limits(&self.url),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(TOKEN.to_owned())
    }

    /// The repository itself stays.
    async fn empty(&mut self) -> Option<usize> {
        *self = Self::at(GithubServer::start().await);
        Some(1)
    }

    /// The tree still names it.
    async fn hide(&mut self) -> Option<String> {
        self.server.lose("b/c.rs");
        Some("octo/spoon/b/c.rs".to_owned())
    }

    async fn add_odd(&mut self) -> Option<String> {
        self.server.write("b/odd-17.bin", b"\0\x01\x02");
        self.server.push("main");
        Some("octo/spoon/b/odd-17.bin".to_owned())
    }

    async fn fail(&mut self) -> Option<&'static str> {
        self.server.fail("/octo/spoon", usize::MAX, refused(500, "oops"));
        Some("500 Internal Server Error: oops")
    }

    async fn fall_silent(&mut self, step: usize) -> Option<Silence> {
        let asked = ["/repos/octo/spoon", "/branches/", "/git/trees/", "/git/blobs/"].get(step)?;
        let silence = Silence::after(asked, self.url.port().unwrap()).await;
        self.url.set_port(Some(silence.port)).unwrap();
        Some(silence)
    }

    /// Empty ones, which cost no request, in lists that GitHub cuts.
    async fn fill(&mut self, entities: usize) -> bool {
        *self = Self::at(GithubServer::start().await);
        for folder in 0..entities.div_ceil(FILES_OF_A_FOLDER + 1) {
            for file in 0..FILES_OF_A_FOLDER {
                self.server.write(&format!("{folder}/{file}"), b"");
            }
        }
        self.server.list_at_most(2 * FILES_OF_A_FOLDER);
        self.server.push("main");
        true
    }

    /// It isn't read at all: larger files than 10 MiB are left out.
    async fn fill_with_one(&mut self) -> bool {
        self.server.put_sized("huge.txt", 1 << 30);
        self.server.push("main");
        true
    }
}
