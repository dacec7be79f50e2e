//! Whole reads of real folders.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use shared_models::DocumentType;
use tempfile::TempDir;

use super::beneath::Beneath;
use super::walk::Walk;
use crate::run::run;
use crate::tools::memory;
use crate::tools::patterns::Patterns;
use crate::{EntitySink, ReadSummary, Seen, SourceAccess, SourceEntity, SourceError};

mod gaps;
mod outside;
pub(crate) mod stand;

const MIB: u64 = 1024 * 1024;

/// A root and, beside it, a folder that nobody may see.
struct Folders {
    base: TempDir,
}

impl Folders {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("root")).unwrap();
        fs::create_dir(base.path().join("outside")).unwrap();
        fs::write(base.path().join("outside/secret.txt"), "secret").unwrap();
        Self { base }
    }

    fn root(&self) -> std::path::PathBuf {
        self.base.path().join("root")
    }

    fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn read(&self, config: Value) -> Result<(Vec<SourceEntity>, ReadSummary), SourceError> {
        read(&limits_of(&self.root()), "docs", config).await
    }
}

/// `folder` is the root `name`.
fn access_to(name: &str, folder: &Path) -> SourceAccess {
    let roots = format!("{name}={}", folder.display());
    SourceAccess::for_tests(|settings| settings.files.roots = roots.parse().unwrap())
}

/// `folder` is the root `docs`.
fn limits_of(folder: &Path) -> SourceAccess {
    access_to("docs", folder)
}

async fn read(
    limits: &SourceAccess,
    root: &str,
    mut config: Value,
) -> Result<(Vec<SourceEntity>, ReadSummary), SourceError> {
    for (name, default) in [("path", Value::Null), ("include", json!([])), ("exclude", json!([]))] {
        config.as_object_mut().unwrap().entry(name).or_insert(default);
    }
    let credentials = json!({"root": root});
    let (sink, mut entities) = EntitySink::new(1);
    let reading = run("files", config.as_object().unwrap(), credentials.as_object().unwrap(), limits, None, sink);
    let collecting = async {
        let mut all = Vec::new();
        while let Some(entity) = entities.recv().await {
            all.push(entity);
        }
        all
    };
    let (outcome, all) = tokio::join!(reading, collecting);
    outcome.map(|summary| (all, summary))
}

fn ids(entities: &[SourceEntity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.id.as_str()).collect()
}

#[tokio::test]
async fn files_come_in_order_with_their_facts() {
    let folders = Folders::new();
    folders.write("b/code.rs", "fn main() {}");
    folders.write("a.md", "hello");
    folders.write("b/c/ä b.txt", "deep");
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    assert_eq!(ids(&entities), ["a.md", "b/c/ä b.txt", "b/code.rs"]);
    assert_eq!(summary.skipped.count(), 0);

    let deep = &entities[1];
    assert_eq!((deep.class, deep.document_type), ("FileEntity", DocumentType::File));
    assert_eq!((deep.name.as_str(), deep.text.as_str()), ("ä b.txt", "deep"));
    assert_eq!(deep.web_url, "file://docs/b/c/%C3%A4%20b.txt");
    let crumbs: Vec<_> = deep.breadcrumbs.iter().map(|crumb| (&*crumb.entity_id, &*crumb.name)).collect();
    assert_eq!(crumbs, [("b", "b"), ("b/c", "c")]);
    assert_eq!(deep.file.as_ref().unwrap().bytes, "deep");
    assert!(deep.updated_at.is_some() && deep.created_at.is_none());
    assert_eq!(deep.fields["size"], 4);
    assert_eq!(deep.fields["mime_type"], "text/plain");

    let code = &entities[2];
    assert_eq!((code.class, code.document_type), ("CodeFileEntity", DocumentType::CodeFile));
    assert_eq!(code.fields["language"], "rust");
}

#[tokio::test]
async fn a_second_read_yields_the_same() {
    let folders = Folders::new();
    folders.write("a.md", "hello");
    let (one, _) = folders.read(json!({})).await.unwrap();
    let (two, _) = folders.read(json!({})).await.unwrap();
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}

#[tokio::test]
async fn patterns_are_relative_to_the_path_and_ids_to_the_root() {
    let folders = Folders::new();
    folders.write("x/keep/a.md", "a");
    folders.write("x/keep/b.txt", "b");
    folders.write("x/drop/c.md", "c");
    folders.write("keep/d.md", "d");
    let config = json!({"path": "./x/", "include": ["keep/*.md", "*.rs"], "exclude": ["drop"]});
    let (entities, _) = folders.read(config).await.unwrap();
    assert_eq!(ids(&entities), ["x/keep/a.md"]);
}

#[tokio::test]
async fn a_missing_path_or_root_is_named_without_the_machine_path() {
    let folders = Folders::new();
    let error = folders.read(json!({"path": "nowhere"})).await.unwrap_err().to_string();
    assert!(error.starts_with("path 'nowhere' cannot be opened: No such file"), "{error}");

    let gone = folders.root().join("gone");
    let limits = access_to("gone", &gone);
    let error = read(&limits, "gone", json!({})).await.unwrap_err().to_string();
    assert!(error.starts_with("root 'gone' cannot be opened"), "{error}");
    assert!(!error.contains(gone.to_str().unwrap()));
    let error = read(&limits, "other", json!({})).await.unwrap_err();
    assert!(matches!(&error, SourceError::Misconfigured(text) if text.contains("'other'")), "{error}");
}

#[tokio::test]
async fn binary_files_are_counted_and_text_is_found_in_any_encoding() {
    let folders = Folders::new();
    folders.write("img/logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    folders.write("blob.rs", b"\0\x01\x02");
    folders.write("empty.txt", "");
    folders.write("utf16.txt", b"\xff\xfeK\0\xe4\0s\0e\0");
    folders.write("western.txt", b"K\xe4se");
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    assert_eq!((summary.skipped.count(), summary.seen), (2, Seen::Everything));
    let texts: Vec<_> = entities.iter().map(|entity| (&*entity.id, &*entity.text)).collect();
    assert_eq!(texts, [("empty.txt", "empty.txt\nempty.txt"), ("utf16.txt", "Käse"), ("western.txt", "Käse")]);
    assert!(entities.iter().all(|entity| entity.class == "FileEntity" && entity.file.is_some()));
}

#[tokio::test]
async fn of_a_huge_file_only_the_beginning_is_read() {
    let folders = Folders::new();
    folders.write("huge.txt", "word ".repeat(10));
    let file = fs::OpenOptions::new().write(true).open(folders.root().join("huge.txt")).unwrap();
    file.set_len(1 << 40).unwrap();
    folders.write("long.txt", "word ".repeat(300_000));
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    // Of the terabyte, zeros follow the words: it is no text.
    assert_eq!((ids(&entities), summary.skipped.count()), (vec!["long.txt"], 1));
    let long = &entities[0];
    assert_eq!(long.text.len(), 1024 * 1024);
    assert_eq!((&long.fields["truncated"], &long.fields["size"]), (&json!(true), &json!(1_500_000)));
    assert_eq!(long.fields["sha256"], Value::Null);
    assert!(long.file.is_none());
}

#[tokio::test]
async fn names_that_are_not_utf8_are_escaped() {
    let folders = Folders::new();
    folders.write(OsStr::from_bytes(b"caf\xe9.txt"), "coffee");
    let (entities, _) = folders.read(json!({})).await.unwrap();
    assert_eq!(ids(&entities), ["/caf%E9.txt"]);
    assert_eq!((entities[0].name.as_str(), &entities[0].fields["path"]), ("caf%E9.txt", &json!("caf%E9.txt")));
    assert_eq!(entities[0].web_url, "file://docs/caf%E9.txt");
    assert_eq!(entities[0].fields["extension"], "txt");
}

#[tokio::test]
async fn of_a_deep_path_the_outermost_and_the_innermost_folders_are_told() {
    let folders = Folders::new();
    let path = (0..50).map(|depth| depth.to_string()).collect::<Vec<_>>().join("/");
    folders.write(format!("{path}/a.txt"), "deep");
    let (entities, _) = folders.read(json!({})).await.unwrap();
    let names: Vec<_> = entities[0].breadcrumbs.iter().map(|crumb| crumb.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[1], names[31]), (32, "0", "19", "49"));
    assert_eq!(entities[0].breadcrumbs[31].entity_id, path);
}

#[tokio::test]
async fn a_chunk_is_bounded() {
    let folders = Folders::new();
    for number in 0..40 {
        folders.write(format!("{number:02}.txt"), "x");
    }
    let start = Beneath::open_root(&folders.root()).unwrap();
    let patterns = Patterns::new(&[], &[]).unwrap();
    let mut walk = Walk::new(start, std::path::PathBuf::new(), "docs".to_owned(), patterns, MIB);
    let mut seen = 0;
    while !walk.is_done() {
        let chunk = walk.next_chunk(&mut memory::reserve(1).await).unwrap();
        assert!(chunk.len() <= 16);
        seen += chunk.len();
    }
    assert_eq!(seen, 40);
}

#[tokio::test]
async fn reading_stops_when_nobody_takes_entities() {
    let folders = Folders::new();
    for number in 0..100 {
        folders.write(format!("{number}.txt"), "x");
    }
    let limits = limits_of(&folders.root());
    let config = json!({"path": null, "include": [], "exclude": []});
    let credentials = json!({"root": "docs"});
    let (sink, mut entities) = EntitySink::new(1);
    let reading = run("files", config.as_object().unwrap(), credentials.as_object().unwrap(), &limits, None, sink);
    let taking = async {
        entities.recv().await.unwrap();
        drop(entities);
    };
    let (outcome, ()) = tokio::join!(reading, taking);
    assert!(matches!(outcome, Err(SourceError::Stopped)));
}
