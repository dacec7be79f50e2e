//! Removals in S3: exactly the keys that were listed, whatever they are made of, and only by answers that name them.

use std::time::Duration;

use shared_models::SyncId;
use shared_stores::arf::{ArfStore, BlobCounts, PurgeEnd};
use test_support::{BucketRequests, TestBucket, s3_settings};

use crate::arf_bucket::open;
use crate::canned::{Canned, CannedServer};
use crate::support::install_tls;

const SLICE: Duration = Duration::from_secs(10);

fn prefix(sync: SyncId) -> String {
    format!("team/unweave/raw/{sync}/")
}

fn list(keys: &[String]) -> Canned {
    let each: String = keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
    Canned::new(200, format!("<ListBucketResult><IsTruncated>false</IsTruncated>{each}</ListBucketResult>"))
}

fn answer(inner: &str) -> Canned {
    Canned::new(200, format!("<DeleteResult>{inner}</DeleteResult>"))
}

/// Names that `object_store` takes for others, or for none.
const STRANGE: [&str; 22] = [
    "a//b",
    "/",
    "//",
    "a/../b",
    "..",
    "./a",
    "a/.",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\r\n",
    " a",
    "a ",
    "a\u{1}b",
    "\u{7f}",
    "a b+c%20d&e=f?g#h;i",
    "<a>&amp;</a>",
    "\\..\\b",
    "\u{fffe}",
    "日本語/ü\u{301}",
    "entities/",
    "",
];

#[tokio::test]
async fn strange_names_are_removed_and_keep_nothing_else_in_place() {
    let (server, sync, other) = (TestBucket::start().await, SyncId::random(), SyncId::random());
    let ordinary = ["manifest.json", "entities/1.json", "files/1"];
    let all = || STRANGE.iter().chain(&ordinary);
    server.fill(all().map(|name| prefix(sync) + name));
    server.fill(all().map(|name| prefix(other) + name));
    // What would go if a name were tidied up on the way.
    let neighbours = ["b", "a", "a/b"].map(|name| format!("team/unweave/raw/{name}"));
    server.fill(neighbours.clone());
    let store = open(&server.url);
    let count = u64::try_from(all().count()).unwrap();
    assert_eq!(store.list_counts(sync).await.unwrap().total(), count);
    let step = store.purge(sync, SLICE).await;
    assert_eq!(step.removed.total(), count, "{step:?}");
    assert!(step.is_exhausted().unwrap());
    let left = server.keys();
    assert!(!left.iter().any(|key| key.starts_with(&prefix(sync))), "{left:?}");
    assert_eq!(left.len(), STRANGE.len() + ordinary.len() + neighbours.len());
    assert!(store.is_empty(sync).await.unwrap());
}

#[tokio::test]
async fn a_name_that_no_request_can_say_is_refused_and_removes_nothing_else() {
    let (server, sync) = (TestBucket::start().await, SyncId::random());
    // `..` is no part of any URL, and control characters none of XML.
    let unsayable = prefix(sync) + "a/../\u{1}";
    server.fill([unsayable.clone(), prefix(sync) + "\u{1}", prefix(sync) + "b"]);
    let step = open(&server.url).purge(sync, SLICE).await;
    assert_eq!(step.removed.total(), 2);
    let told = step.is_exhausted().unwrap_err().to_string();
    assert_eq!(told, "the object store refused to remove 1 blobs: the store takes no such name");
    assert_eq!(server.keys(), [unsayable]);
}

#[tokio::test]
async fn folder_markers_are_removed() {
    let (server, sync) = (TestBucket::start().await, SyncId::random());
    server.fill(["", "entities/", "files/", "entities/1.json"].map(|name| prefix(sync) + name));
    let step = open(&server.url).purge(sync, SLICE).await;
    assert_eq!(step.removed, BlobCounts { entities: 2, files: 1, other: 1, ..BlobCounts::default() });
    assert!(step.is_exhausted().unwrap());
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn a_removal_names_the_raw_keys_that_were_listed() {
    let sync = SyncId::random();
    let keys: Vec<String> = ["a//b", "c/../d", "e&amp;f", "g&#13;h"].map(|name| prefix(sync) + name).into();
    let said: String = keys.iter().map(|key| format!("<Deleted><Key>{key}</Key></Deleted>")).collect();
    let server = CannedServer::start(vec![list(&keys), answer(&said), list(&[])]).await;
    let step = open(&server.url).purge(sync, SLICE).await;
    assert_eq!(step.removed.total(), 4);
    assert!(step.is_exhausted().unwrap());
    let body = String::from_utf8(server.asked()[1].body.clone()).unwrap();
    for key in keys {
        assert!(body.contains(&format!("<Object><Key>{key}</Key></Object>")), "{key}: {body}");
    }
    assert!(body.contains("<Quiet>false</Quiet>"), "{body}");
}

#[tokio::test]
async fn del_7_an_answer_that_names_no_key_is_no_removal() {
    let sync = SyncId::random();
    let (key, other) = (prefix(sync) + "a", prefix(sync) + "b");
    let unsaid = "the object store refused to remove 1 blobs: its answer doesn't name them";
    for (inner, told) in [
        (String::new(), unsaid),
        (format!("<Deleted><Key>{other}</Key></Deleted>"), unsaid),
        ("<Error><Key>who</Key><Code>AccessDenied</Code><Message>m</Message></Error>".to_owned(), unsaid),
        (
            format!("<Error><Key>{key}</Key><Code>AccessDenied</Code></Error>"),
            "the object store refused to remove 1 blobs: AccessDenied",
        ),
        (
            format!("<Deleted><Key>{key}</Key></Deleted><Error><Key>{key}</Key><Code>InternalError</Code></Error>"),
            "the object store refused to remove 1 blobs: InternalError",
        ),
        ("<Deleted/>".to_owned(), "remove blobs failed in the object store: the answer is unreadable"),
        ("<Error><Key>k</Key></Error>".to_owned(), "remove blobs failed in the object store: the answer is unreadable"),
    ] {
        let server = CannedServer::start(vec![list(std::slice::from_ref(&key)), answer(&inner)]).await;
        let step = open(&server.url).purge(sync, SLICE).await;
        assert_eq!(step.removed.total(), 0, "{inner}");
        assert_eq!(step.is_exhausted().unwrap_err().to_string(), told, "{inner}");
    }
    let gone = format!("<Error><Key>{key}</Key><Code>NoSuchKey</Code></Error>");
    let server = CannedServer::start(vec![list(&[key]), answer(&gone), list(&[])]).await;
    let step = open(&server.url).purge(sync, SLICE).await;
    assert_eq!(
        (step.removed.total(), step.is_exhausted().unwrap()),
        (0, true),
        "what isn't there is as good as removed"
    );
}

#[tokio::test]
async fn what_is_held_is_told_though_it_is_removed_one_by_one() {
    let (server, sync) = (TestBucket::start().await, SyncId::random());
    let held = prefix(sync) + "\u{1}";
    server.fill([held.clone(), prefix(sync) + "\u{2}", prefix(sync) + "a"]);
    server.hold([held.clone()]);
    let step = open(&server.url).purge(sync, SLICE).await;
    assert_eq!(step.removed.total(), 2);
    let told = step.is_exhausted().unwrap_err().to_string();
    assert_eq!(told, "the object store refused to remove 1 blobs: access denied");
    assert_eq!(server.keys(), [held]);
}

#[tokio::test]
async fn credentials_that_may_not_remove_are_told() {
    let sync = SyncId::random();
    let denied = Canned::new(403, "<Error><Code>AccessDenied</Code></Error>");
    let server = CannedServer::start(vec![list(&[prefix(sync) + "a", prefix(sync) + "b"]), denied]).await;
    let PurgeEnd::Failed(error) = open(&server.url).purge(sync, SLICE).await.end else { panic!("purged") };
    assert_eq!(
        (error.to_string().as_str(), error.code()),
        ("the object store refused to remove 2 blobs: access denied", "arf_refused")
    );
}

#[tokio::test]
async fn a_store_without_bulk_removals_is_asked_for_each() {
    let (server, sync) = (TestBucket::start().await, SyncId::random());
    server.fill((0..50).map(|number| format!("{}entities/{number}.json", prefix(sync))));
    install_tls();
    let settings = s3_settings(&server.url);
    let mut settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    settings.push(("aws_disable_bulk_delete", "true"));
    let store = ArfStore::from_url_with(&"s3://bucket/team/unweave".parse().unwrap(), &settings).unwrap();
    let step = store.purge(sync, SLICE).await;
    assert_eq!((step.removed.total(), step.is_exhausted().unwrap()), (50, true));
    assert_eq!(server.asked(), BucketRequests { lists: 2, bulk_removals: 0, others: 50 });
    assert_eq!(server.keys(), Vec::<String>::new());
}
