//! A server that answers like GitHub: one repository with branches, commits, trees and blobs, and faults on demand.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The token that it takes.
pub const TOKEN: &str = "ghp_test";
/// Git knows it without an object; it can't be asked for here.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const FOLDER: &str = "040000";

/// One repository, `octo/spoon`.
pub struct GithubServer {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Sizes that are told of files instead of their own.
    sizes: BTreeMap<String, u64>,
    /// Path, git mode and content of what is in the working tree.
    files: BTreeMap<String, (&'static str, Vec<u8>)>,
    /// Names and their trees.
    branches: BTreeMap<String, String>,
    trees: HashMap<String, Vec<Value>>,
    blobs: HashMap<String, Vec<u8>>,
    name: String,
    old_name: Option<String>,
    size: u64,
    max_listed: usize,
    faults: Vec<Fault>,
    asked: Vec<String>,
}

/// A prepared answer to requests whose path has `part`.
struct Fault {
    part: &'static str,
    left: usize,
    answer: ResponseTemplate,
}

struct Responder(Arc<Mutex<State>>);

impl GithubServer {
    /// The repository `octo/spoon` without a commit.
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            sizes: BTreeMap::new(),
            files: BTreeMap::new(),
            branches: BTreeMap::new(),
            trees: HashMap::new(),
            blobs: HashMap::new(),
            name: "octo/spoon".to_owned(),
            old_name: None,
            size: 0,
            max_listed: 100_000,
            faults: Vec::new(),
            asked: Vec::new(),
        }));
        // Of its own: a pooled one gets late requests of the test that had it before.
        let server = MockServer::builder().disable_request_recording().start().await;
        Mock::given(any()).respond_with(Responder(state.clone())).mount(&server).await;
        Self { server, state }
    }

    /// The repository with these files on `main`.
    pub async fn with(files: &[(&str, &str)]) -> Self {
        let server = Self::start().await;
        for (path, content) in files {
            server.write(path, content.as_bytes());
        }
        server.push("main");
        server
    }

    /// Base of its API.
    pub fn url(&self) -> Url {
        self.server.uri().parse().unwrap()
    }

    /// Puts a file into the working tree.
    pub fn write(&self, path: &str, content: &[u8]) {
        self.put(path, "100644", content);
    }

    /// Puts something of a git mode into the working tree.
    pub fn put(&self, path: &str, mode: &'static str, content: &[u8]) {
        self.state().files.insert(path.to_owned(), (mode, content.to_owned()));
    }

    /// Puts a file of which the size alone is told.
    pub fn put_sized(&self, path: &str, size: u64) {
        self.write(path, b"");
        self.state().sizes.insert(path.to_owned(), size);
    }

    /// Takes a file out of the working tree.
    pub fn remove(&self, path: &str) {
        self.state().files.remove(path).unwrap();
    }

    /// Loses the content of a file that was pushed.
    pub fn lose(&self, path: &str) {
        let mut state = self.state();
        let name = name_of(&state.files[path].1);
        state.blobs.remove(&name).unwrap();
    }

    /// Makes what was written a commit of `branch`.
    pub fn push(&self, branch: &str) {
        let mut state = self.state();
        state.size = 1;
        let tree = state.store_tree("");
        state.branches.insert(branch.to_owned(), tree);
    }

    /// Requests for the old name are redirected from now on.
    pub fn rename(&self, name: &str) {
        let mut state = self.state();
        state.old_name = Some(std::mem::replace(&mut state.name, name.to_owned()));
    }

    /// Lists longer than this are cut.
    pub fn list_at_most(&self, entries: usize) {
        self.state().max_listed = entries;
    }

    /// Says that the repository has this size.
    pub fn claim_size(&self, size: u64) {
        self.state().size = size;
    }

    /// Answers the next `times` requests whose path has `part` with `answer`.
    pub fn fail(&self, part: &'static str, times: usize, answer: ResponseTemplate) {
        self.state().faults.push(Fault { part, left: times, answer });
    }

    /// Faults no more.
    pub fn recover(&self) {
        self.state().faults.clear();
    }

    /// Paths and queries of the requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// Requests whose path or query has `part`.
    pub fn asked_for(&self, part: &str) -> usize {
        self.state().asked.iter().filter(|path| path.contains(part)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// An answer that refuses, with GitHub's form of a message.
pub fn refused(status: u16, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"message": message}))
}

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock();
        let path = request.url.path().to_owned();
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        state.asked.push(format!("{path}{query}"));
        if request.headers.get("authorization").is_none_or(|token| token != format!("Bearer {TOKEN}").as_str()) {
            return refused(401, "Bad credentials");
        }
        if let Some(fault) = state.faults.iter_mut().find(|fault| fault.left > 0 && path.contains(fault.part)) {
            fault.left -= 1;
            return fault.answer.clone();
        }
        state.answer(request)
    }
}

impl State {
    fn answer(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path();
        if let Some(rest) = self.old_name.as_ref().and_then(|old| path.strip_prefix(&format!("/repos/{old}"))) {
            return ResponseTemplate::new(301)
                .insert_header("location", format!("/repos/{}{rest}", self.name).as_str());
        }
        let Some(rest) = path.strip_prefix(&format!("/repos/{}", self.name)) else { return refused(404, "Not Found") };
        let parameter = |name: &str| request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            [""] => ok(&self.repository()),
            ["branches"] => self.list_branches(request, parameter("page").and_then(|page| page.parse().ok())),
            ["branches", name] => match self.branches.get(&name.replace("%2F", "/")) {
                Some(tree) => ok(&branch(&name.replace("%2F", "/"), tree)),
                None => refused(404, "Branch not found"),
            },
            ["git", "trees", _] if self.branches.is_empty() => refused(409, "Git Repository is empty."),
            ["git", "trees", sha] => self.tree(sha, parameter("recursive").is_some()),
            ["git", "blobs", sha] => match self.blobs.get(*sha) {
                Some(_)
                    if request.headers.get("accept").is_none_or(|kind| kind != "application/vnd.github.raw+json") =>
                {
                    refused(415, "only raw blobs here")
                }
                Some(content) => ResponseTemplate::new(200).set_body_bytes(content.clone()),
                None => refused(404, "Not Found"),
            },
            _ => refused(404, "Not Found"),
        }
    }

    fn repository(&self) -> Value {
        let name = self.name.rsplit('/').next().unwrap();
        json!({
            "id": 4711, "name": name, "full_name": self.name, "html_url": format!("https://github.test/{}", self.name),
            "default_branch": "main", "description": "Bends without force", "language": "Rust", "fork": false,
            "private": true, "size": self.size, "stargazers_count": 3, "watchers_count": 3, "forks_count": 0,
            "open_issues_count": 1, "created_at": "2024-01-02T03:04:05Z", "updated_at": "2024-02-03T04:05:06Z",
        })
    }

    /// Thirty to a page, as GitHub does when nobody asks for more.
    fn list_branches(&self, request: &Request, page: Option<usize>) -> ResponseTemplate {
        let page = page.unwrap_or(1);
        let names: Vec<Value> =
            self.branches.keys().skip((page - 1) * 30).take(30).map(|name| json!({"name": name})).collect();
        let answer = ok(&Value::from(names));
        if page * 30 >= self.branches.len() {
            return answer;
        }
        let mut next = request.url.clone();
        next.set_query(Some(&format!("page={}", page + 1)));
        answer.insert_header("link", format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\"").as_str())
    }

    fn tree(&self, sha: &str, is_recursive: bool) -> ResponseTemplate {
        let mut entries = Vec::new();
        if !self.trees.contains_key(sha) {
            return refused(404, "Not Found");
        }
        self.list(sha, "", is_recursive, &mut entries);
        let truncated = entries.len() > self.max_listed;
        entries.truncate(self.max_listed);
        ok(&json!({"sha": sha, "tree": entries, "truncated": truncated}))
    }

    fn list(&self, sha: &str, prefix: &str, is_recursive: bool, entries: &mut Vec<Value>) {
        for entry in self.trees.get(sha).unwrap() {
            if entries.len() > self.max_listed {
                return;
            }
            let path = format!("{prefix}{}", entry["path"].as_str().unwrap());
            let mut listed = entry.as_object().cloned().unwrap();
            listed.insert("path".to_owned(), path.clone().into());
            entries.push(listed.into());
            if is_recursive && entry["mode"] == FOLDER {
                self.list(entry["sha"].as_str().unwrap(), &format!("{path}/"), is_recursive, entries);
            }
        }
    }

    /// Stores what is below `prefix` and returns its tree's name.
    fn store_tree(&mut self, prefix: &str) -> String {
        let inside = |(path, (mode, content)): (&String, &(&'static str, Vec<u8>))| {
            Some((path.strip_prefix(prefix)?.to_owned(), *mode, content.clone()))
        };
        let files: Vec<(String, &'static str, Vec<u8>)> =
            self.files.range(prefix.to_owned()..).map_while(inside).collect();
        let mut entries: BTreeMap<String, Value> = BTreeMap::new();
        for (path, mode, content) in files {
            let (name, is_folder) = match path.split_once('/') {
                Some((folder, _)) => (folder.to_owned(), true),
                None => (path, false),
            };
            if entries.contains_key(&name) {
                continue;
            }
            let entry = if is_folder {
                let sha = self.store_tree(&format!("{prefix}{name}/"));
                json!({"path": name, "mode": FOLDER, "type": "tree", "sha": sha})
            } else if mode == "160000" {
                json!({"path": name, "mode": mode, "type": "commit", "sha": name_of(&content)})
            } else {
                let own_size = u64::try_from(content.len()).unwrap();
                let size = self.sizes.get(&format!("{prefix}{name}")).copied().unwrap_or(own_size);
                let sha = name_of(&content);
                self.blobs.insert(sha.clone(), content);
                json!({"path": name, "mode": mode, "type": "blob", "sha": sha, "size": size})
            };
            entries.insert(name, entry);
        }
        let entries: Vec<Value> = entries.into_values().collect();
        if entries.is_empty() {
            return EMPTY_TREE.to_owned();
        }
        let sha = name_of(format!("tree {}", Value::from(entries.clone())).as_bytes());
        self.trees.insert(sha.clone(), entries);
        sha
    }
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn branch(name: &str, tree: &str) -> Value {
    let commit = name_of(format!("commit {tree}").as_bytes());
    json!({"name": name, "commit": {"sha": commit, "commit": {"tree": {"sha": tree}}}})
}

fn name_of(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content)).split_at(40).0.to_owned()
}
