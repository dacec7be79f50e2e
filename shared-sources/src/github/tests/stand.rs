//! A repository in which things can be made to go wrong.

use serde_json::json;

use super::{GithubServer, TOKEN, limits, refused};
use crate::Source;
use crate::conformance::{Asked, Stand};

const FILES_OF_A_FOLDER: usize = 1_000;

pub(crate) struct GithubStand {
    server: GithubServer,
}

impl Stand for GithubStand {
    const SOURCE: Source = Source::Github;

    async fn start() -> Self {
        Self { server: GithubServer::with(&[("a.txt", "one"), ("b/c.rs", "fn two() {}"), ("b/d/e.md", "three")]).await }
    }

    fn asked(&self) -> Asked {
        Asked {
            config: json!({"repo_name": "octo/spoon", "branch": null}),
            credentials: json!({"personal_access_token": TOKEN, "api_url": null}),
            access: limits(&self.server.url()),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(TOKEN.to_owned())
    }

    /// The repository itself stays.
    async fn empty(&mut self) -> Option<usize> {
        self.server = GithubServer::start().await;
        Some(1)
    }

    /// A file whose content can't be had fails the run.
    async fn hide(&mut self) -> Option<String> {
        self.server.fail("/git/blobs/", usize::MAX, refused(404, "Not Found"));
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

    /// Empty ones, which cost no request, in lists that GitHub cuts.
    async fn fill(&mut self, entities: usize) -> bool {
        self.server = GithubServer::start().await;
        for folder in 0..entities.div_ceil(FILES_OF_A_FOLDER) {
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
