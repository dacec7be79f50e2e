//! What becomes of a repository.

use crate::{EntitySink, ReadSummary};
use serde_json::json;
use shared_models::DocumentType;

use super::{GithubServer, Read, TOKEN, collected, config, credentials, limits, read, read_with, refused};

#[tokio::test]
async fn repository_folders_and_files_become_entities_that_know_where_they_are() {
    let server = GithubServer::with(&[("README.md", "# Spoon"), ("src/bend er/main.rs", "fn main() {}\n")]).await;
    let (entities, skipped) = read(&server).await.all();
    let listed: Vec<(&str, &str, &str)> =
        entities.iter().map(|entity| (entity.class, entity.id.as_str(), entity.web_url.as_str())).collect();
    assert_eq!(
        listed,
        [
            ("GitHubRepositoryEntity", "4711", "https://github.test/octo/spoon"),
            ("GitHubCodeFileEntity", "octo/spoon/README.md", "https://github.test/octo/spoon/blob/main/README.md"),
            ("GitHubDirectoryEntity", "octo/spoon/src", "https://github.test/octo/spoon/tree/main/src"),
            (
                "GitHubDirectoryEntity",
                "octo/spoon/src/bend er",
                "https://github.test/octo/spoon/tree/main/src/bend%20er"
            ),
            (
                "GitHubCodeFileEntity",
                "octo/spoon/src/bend er/main.rs",
                "https://github.test/octo/spoon/blob/main/src/bend%20er/main.rs"
            ),
        ]
    );
    assert_eq!(skipped, 0);
    let file = entities.last().unwrap();
    assert_eq!(
        (file.name.as_str(), file.document_type, file.text.as_str()),
        ("main.rs", DocumentType::CodeFile, "fn main() {}\n")
    );
    let crumbs: Vec<(&str, &str)> =
        file.breadcrumbs.iter().map(|crumb| (crumb.entity_type, crumb.entity_id.as_str())).collect();
    assert_eq!(
        crumbs,
        [
            ("GitHubRepositoryEntity", "4711"),
            ("GitHubDirectoryEntity", "octo/spoon/src"),
            ("GitHubDirectoryEntity", "octo/spoon/src/bend er"),
        ]
    );
    assert_eq!(file.fields["language"], "rust");
    assert_eq!(file.fields["path_in_repo"], "src/bend er/main.rs");
    assert_eq!((&file.fields["repo_owner"], &file.fields["repo_name"]), (&json!("octo"), &json!("spoon")));
    assert_eq!((&file.fields["size"], &file.fields["line_count"]), (&json!(13), &json!(2)));
    assert_eq!(file.file.as_ref().unwrap().bytes.as_ref(), b"fn main() {}\n");
    assert!(entities[0].created_at.is_some() && entities[0].text.contains("Bends without force"));
}

#[tokio::test]
async fn pull_requests_that_are_asked_for_are_told_not_to_be_read() {
    let server = GithubServer::with(&[("a.rs", "a")]).await;
    for (wanted, warnings) in [(true, vec!["sync_pull_requests: pull requests are not read here"]), (false, vec![])] {
        let mut config = config(None);
        config.insert("sync_pull_requests".to_owned(), json!(wanted));
        let read = read_with(&limits(&server.url()), config, credentials(TOKEN)).await;
        assert_eq!(read.outcome.unwrap().warnings, warnings);
    }
}

#[tokio::test]
async fn a_run_costs_one_request_per_text_file_and_three_more() {
    let server = GithubServer::with(&[("a.rs", "a"), ("b/c.rs", "c"), ("b/d/e.rs", "e"), ("empty", "")]).await;
    server.write("logo.png", b"\x89PNG");
    server.push("main");
    let read = read(&server).await;
    assert_eq!(read.files(), ["a.rs", "b/c.rs", "b/d/e.rs", "empty"]);
    assert_eq!(server.asked().len(), 3 + 3, "{:?}", server.asked());
}

#[tokio::test]
async fn what_is_no_text_is_counted_and_what_is_no_file_is_not() {
    let server = GithubServer::with(&[("a.txt", "text"), ("tool", "ELF\0\0\0")]).await;
    server.write("logo.png", b"\x89PNG");
    server.write("huge.csv", &vec![b'x'; (10 << 20) + 1]);
    server.write("model.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n");
    server.put("link", "120000", b"../../etc/passwd");
    server.put("vendor", "160000", b"another repository");
    server.push("main");
    let read = read(&server).await;
    let skipped = read.outcome.as_ref().unwrap().skipped.count();
    assert_eq!(read.files(), ["a.txt"]);
    assert_eq!(skipped, 4);
    // Binary by content and the pointer had to be looked at; links are never followed.
    assert_eq!(server.asked_for("/git/blobs/"), 3);
}

#[tokio::test]
async fn a_long_text_is_kept_whole_and_searched_in_its_beginning() {
    let server = GithubServer::start().await;
    server.write("long.csv", "0123456789abcde\n".repeat(200_000).as_bytes());
    server.push("main");
    let (entities, skipped) = read(&server).await.all();
    let file = &entities[1];
    assert_eq!((file.text.len(), file.file.as_ref().unwrap().bytes.len(), skipped), (1 << 20, 3_200_000, 0));
    assert_eq!(file.fields["line_count"], json!(null));
}

#[tokio::test]
async fn a_list_that_github_cuts_is_read_folder_by_folder() {
    let names: Vec<String> =
        (0..60).map(|number| format!("part{}/sub{}/file{number}.rs", number % 3, number % 6)).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let server = GithubServer::with(&files).await;
    let (whole, _) = read(&server).await.all();
    assert_eq!(whole.len(), 1 + 3 + 6 + 60);
    // Cut at the root; then in each of its folders as well.
    for (entries, lists) in [(25, 2 + 3), (12, 2 + 3 * 2 + 6)] {
        server.list_at_most(entries);
        let before = server.asked_for("/git/trees/");
        let (by_folder, _) = read(&server).await.all();
        assert_eq!(format!("{whole:?}"), format!("{by_folder:?}"));
        assert_eq!(server.asked_for("/git/trees/") - before, lists);
    }
}

#[tokio::test]
async fn a_folder_of_more_entries_than_github_lists_is_a_gap_and_the_rest_is_read() {
    let files = [("big/a.txt", "a"), ("big/b.txt", "b"), ("big/c.txt", "c"), ("small/a.txt", "a")];
    let server = GithubServer::with(&files).await;
    for (entries, cut, kept, gone) in [
        (2, vec!["octo/spoon/big"], "octo/spoon/big/c.txt", "octo/spoon/small/b.txt"),
        (1, vec!["octo/spoon/big", "octo/spoon"], "octo/spoon/small/a.txt", "octo/other/a.txt"),
    ] {
        server.list_at_most(entries);
        let Read { entities, outcome } = read(&server).await;
        let ReadSummary { skipped, seen, .. } = outcome.unwrap();
        let told: Vec<&str> = skipped.told().iter().map(|told| told.entity_id.as_str()).collect();
        assert_eq!(told, cut);
        assert!(skipped.told().iter().all(|told| told.reason == "it has more entries than GitHub lists"));
        assert!(!seen.means_gone(kept) && seen.means_gone(gone));
        let read: Vec<&str> = entities.iter().map(|entity| entity.id.as_str()).collect();
        assert!(read.contains(&"octo/spoon/big/a.txt") && !read.contains(&"octo/spoon/big/c.txt"), "{read:?}");
        assert_eq!(read.contains(&"octo/spoon/small/a.txt"), entries == 2, "{read:?}");
    }
}

#[tokio::test]
async fn the_branch_that_is_named_is_read() {
    let server = GithubServer::with(&[("a.txt", "main")]).await;
    server.write("b.txt", b"feature");
    server.push("feature/one");
    let api = limits(&server.url());
    let read = read_with(&api, config(Some("feature/one")), credentials(TOKEN)).await;
    let (entities, _) = read.all();
    assert_eq!(entities.len(), 3);
    assert!(entities[2].web_url.ends_with("/blob/feature/one/b.txt"), "{}", entities[2].web_url);
}

#[tokio::test]
async fn a_branch_that_is_missing_is_named_with_those_that_are_there() {
    let server = GithubServer::with(&[("a.txt", "main")]).await;
    let api = limits(&server.url());
    let missing = read_with(&api, config(Some("nope")), credentials(TOKEN)).await.error().to_string();
    assert_eq!(missing, "the repository 'octo/spoon' has no branch 'nope'; it has main");
    // On the second page, and cut.
    for number in 0..40 {
        server.push(&format!("b{number:02}"));
    }
    let missing = read_with(&api, config(Some("nope")), credentials(TOKEN)).await.error().to_string();
    assert!(missing.ends_with("b18, b19 and others"), "{missing}");
    let missing = read_with(&api, config(Some("..")), credentials(TOKEN)).await.error().to_string();
    assert_eq!(missing, "'..' is not the name of a branch");
}

#[tokio::test]
async fn only_a_repository_that_is_empty_in_every_respect_is_empty() {
    let server = GithubServer::start().await;
    let (entities, _) = read(&server).await.all();
    assert_eq!(entities.len(), 1);
    for part in ["/branches/main", "/branches"] {
        server.fail(part, 1, refused(409, "Git Repository is empty."));
    }
    let (entities, _) = read(&server).await.all();
    assert_eq!(entities.len(), 1);
    server.claim_size(12);
    let error = read(&server).await.error().to_string();
    assert!(error.ends_with("nothing is taken for removed"), "{error}");
    // A branch that comes and goes isn't empty either.
    server.write("a.txt", b"text");
    server.push("main");
    server.fail("/branches/main", 1, refused(404, "Branch not found"));
    let error = read(&server).await.error().to_string();
    assert_eq!(error, "the repository 'octo/spoon' has no branch 'main'; it has main");
}

#[tokio::test]
async fn a_commit_without_files_is_no_gap() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    server.remove("a.txt");
    server.push("main");
    let (entities, _) = read(&server).await.all();
    assert_eq!(entities.len(), 1);
}

#[tokio::test]
async fn a_push_in_the_middle_of_a_run_changes_nothing_of_it() {
    let server = GithubServer::with(&[("a.txt", "old"), ("b.txt", "old"), ("c/d.txt", "old")]).await;
    let (sink, mut entities) = EntitySink::new(1);
    let (config, credentials, limits) = (config(None), credentials(TOKEN), limits(&server.url()));
    let run = crate::run::run("github", &config, &credentials, &limits, None, sink);
    let taking = async {
        // The repository comes once the commit is known.
        entities.recv().await.unwrap();
        for path in ["a.txt", "b.txt", "c/d.txt"] {
            server.write(path, b"new");
        }
        server.push("main");
        collected(entities).await
    };
    let (outcome, entities) = tokio::join!(run, taking);
    outcome.unwrap();
    let texts: Vec<&str> =
        entities.iter().filter(|entity| entity.file.is_some()).map(|entity| entity.text.as_str()).collect();
    assert_eq!(texts, ["old"; 3]);
}

#[tokio::test]
async fn texts_in_other_encodings_are_read() {
    let server = GithubServer::start().await;
    server.write("latin.txt", b"K\xe4se");
    server.write("utf16.txt", b"\xff\xfeK\0\xe4\0s\0e\0");
    server.push("main");
    let (entities, _) = read(&server).await.all();
    assert_eq!(entities[1..].iter().map(|entity| entity.text.as_str()).collect::<Vec<_>>(), ["Käse"; 2]);
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_keeps_its_ids() {
    let server = GithubServer::with(&[("a.txt", "a"), ("b.txt", "b")]).await;
    server.rename("octo/fork");
    let read = read(&server).await;
    assert_eq!(read.files(), ["a.txt", "b.txt"]);
    assert_eq!(server.asked_for("/repos/octo/spoon"), 1);
}
