//! A bucket that keeps versions: what a purge leaves there, what can be read of it, and how it is purged, too.

use std::time::Duration;

use bytes::Bytes;
use shared_models::{BlobKey, EntityKey, SyncId, Verification};
use shared_stores::arf::{ArfError, ArfStore, BlobCipher, BlobCounts, BlobForm, EntityBlobs, PurgeEnd, RawFileBlob};
use test_support::{TestS3, TestVersionedBucket};

use crate::arf_bucket::{open, open_with_secret};
use crate::canned::{Canned, CannedServer};
use crate::support::{TIMEOUT, syncs_in};

const SECRET: &[u8] = b"{\"text\": \"the quick brown fox\"}";

fn key(number: usize) -> EntityKey {
    EntityKey::unkeyed("StubEntity", &number.to_string())
}

fn prefix(sync: SyncId) -> String {
    format!("team/unweave/raw/{sync}/")
}

/// Writes each entity twice, the first also a file, and removes the last.
async fn fill(store: &ArfStore, sync: SyncId, form: &BlobForm, entities: usize) {
    for _ in 0..2 {
        for number in 0..entities {
            store.put_blob(sync, form.capture(key(number), Bytes::from_static(SECRET)), TIMEOUT).await.unwrap();
        }
    }
    store.put_blob(sync, form.file(key(0), Bytes::from_static(SECRET)), TIMEOUT).await.unwrap();
    let last = EntityBlobs { key: key(entities - 1), file: RawFileBlob::None };
    store.delete_entity(sync, &last, TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn an_ordinary_purge_leaves_versions_which_nobody_can_read_without_the_key() {
    let bucket = TestVersionedBucket::start().await;
    let (store, sync, blob_key) = (open(&bucket.url), SyncId::random(), BlobKey::random());
    let cipher = BlobCipher::new(sync, &blob_key);
    fill(&store, sync, &BlobForm::Sealed(BlobCipher::new(sync, &blob_key)), 3).await;
    assert_eq!(store.verification(), Verification::EmptyListing);
    let step = store.purge(sync, TIMEOUT).await;
    assert_eq!(step.removed, BlobCounts { entities: 2, files: 1, ..BlobCounts::default() });
    assert!(step.is_exhausted().unwrap());
    assert!(store.is_empty(sync).await.unwrap(), "versions aren't what an ordinary listing sees");

    let left = bucket.versions(&prefix(sync)).await;
    let (markers, versions): (Vec<_>, Vec<_>) = left.into_iter().partition(|version| version.is_marker);
    assert_eq!((versions.len(), markers.len()), (7, 4));
    let others = [BlobCipher::new(sync, &BlobKey::random()), BlobCipher::new(SyncId::random(), &blob_key)];
    for version in versions {
        let content = bucket.content(&version).await;
        let path = version.key.strip_prefix("team/unweave/raw/").unwrap();
        let (_, path) = path.split_once('/').unwrap();
        assert!(!content.windows(5).any(|window| window == b"quick"));
        for other in &others {
            assert!(other.open(path, &content).is_err());
        }
        assert_eq!(cipher.open(path, &content).unwrap(), SECRET, "only the key that went with the row opens it");
    }
}

#[tokio::test]
async fn a_purge_of_all_versions_leaves_neither_a_version_nor_a_marker() {
    let bucket = TestVersionedBucket::start().await;
    let (sync, other) = (SyncId::random(), SyncId::random());
    let store = open(&bucket.url).with_all_versions().unwrap();
    assert_eq!(store.verification(), Verification::EmptyVersionListing);
    for sync in [sync, other] {
        fill(&store, sync, &BlobForm::Plain, 3).await;
    }
    let of_other = bucket.versions(&prefix(other)).await;
    assert_eq!(of_other.len(), 8);
    // Six versions of captures, a marker, and a file.
    let counts = store.list_counts(sync).await.unwrap();
    assert_eq!(counts, BlobCounts { entities: 7, files: 1, ..BlobCounts::default() });
    assert_eq!(store.count_up_to(sync, 8).await.unwrap(), Some(8));
    assert_eq!(syncs_in(&store).await.unwrap().syncs, [sync, other].into());

    let step = store.purge(sync, TIMEOUT).await;
    assert_eq!(step.removed, counts);
    assert!(step.is_exhausted().unwrap());
    assert_eq!(bucket.versions(&prefix(sync)).await, []);
    assert!(store.is_empty(sync).await.unwrap());
    assert_eq!(bucket.versions(&prefix(other)).await, of_other);
    assert_eq!(syncs_in(&store).await.unwrap().syncs, [other].into());
}

#[tokio::test]
async fn what_an_ordinary_purge_left_is_found_once_versions_count() {
    let bucket = TestVersionedBucket::start().await;
    let (store, sync) = (open(&bucket.url), SyncId::random());
    fill(&store, sync, &BlobForm::Plain, 2).await;
    assert!(store.purge(sync, TIMEOUT).await.is_exhausted().unwrap());
    assert!(store.is_empty(sync).await.unwrap());

    let store = store.with_all_versions().unwrap();
    assert!(!store.is_empty(sync).await.unwrap());
    assert_eq!(syncs_in(&store).await.unwrap().syncs, [sync].into());
    assert!(store.purge(sync, TIMEOUT).await.is_exhausted().unwrap());
    assert!(store.is_empty(sync).await.unwrap());
    assert_eq!(bucket.versions(&prefix(sync)).await, []);
}

#[tokio::test]
async fn more_versions_than_a_page_are_purged_page_by_page_and_the_manifest_goes_last() {
    let bucket = TestVersionedBucket::start().await;
    let (store, sync) = (open(&bucket.url).with_all_versions().unwrap(), SyncId::random());
    bucket.fill((0..1_100).map(|number| format!("{}entities/{number:05}.json", prefix(sync)))).await;
    bucket.fill([format!("{}manifest.json", prefix(sync))]).await;
    let step = store.purge(sync, Duration::ZERO).await;
    assert_eq!(step.removed.entities, 1_000);
    assert!(!step.is_exhausted().unwrap());
    let left = bucket.versions(&prefix(sync)).await;
    assert_eq!(left.len(), 101);
    assert!(left.iter().any(|version| version.key.ends_with("/manifest.json")));
    let step = store.purge(sync, TIMEOUT).await;
    assert_eq!((step.removed.total(), step.removed.manifest), (101, 1));
    assert!(step.is_exhausted().unwrap());
    assert_eq!(bucket.versions(&prefix(sync)).await, []);
}

#[tokio::test]
async fn requests_for_versions_are_signed_and_a_store_without_them_is_told() {
    let server = TestS3::start().await;
    let store = open(&server.url).with_all_versions().unwrap();
    let error = store.is_empty(SyncId::random()).await.unwrap_err();
    assert_eq!(error.to_string(), "list versions failed in the object store: the store doesn't support it");
    assert!(!error.is_retryable());
    let stranger = open_with_secret(&server.url, "another").with_all_versions().unwrap();
    let error = stranger.is_empty(SyncId::random()).await.unwrap_err();
    assert_eq!(error.to_string(), "list versions failed in the object store: access denied");
}

#[tokio::test]
async fn whatever_is_no_list_of_versions_is_an_error() {
    let list = |inner: &str| format!("<ListVersionsResult>{inner}</ListVersionsResult>");
    let answers = [
        String::new(),
        "<html>welcome</html>".to_owned(),
        list(""),
        list("<IsTruncated>true</IsTruncated>"),
        list("<IsTruncated>maybe</IsTruncated>"),
        "<ListVersionsResult><IsTruncated>false</IsTruncated>".to_owned(),
        "<Error><Code>InternalError</Code><Message>sorry</Message></Error>".to_owned(),
        // What a server answers that overlooks the question.
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key></Contents></ListBucketResult>"
            .to_owned(),
    ];
    for answer in answers {
        let server = CannedServer::always(200, &answer).await;
        let store = open(&server.url).with_all_versions().unwrap();
        let sync = SyncId::random();
        assert!(store.is_empty(sync).await.is_err(), "{answer}");
        assert!(matches!(store.purge(sync, TIMEOUT).await.end, PurgeEnd::Failed(ArfError::Store { .. })), "{answer}");
    }
    let empty = list("<IsTruncated>false</IsTruncated>");
    let objects = |inner: &str| format!("<ListBucketResult><IsTruncated>false</IsTruncated>{inner}</ListBucketResult>");
    let sync = SyncId::random();
    let object = format!(
        "<Contents><Key>{}manifest.json</Key><LastModified>2026-11-30T10:00:00Z</LastModified><Size>1</Size></Contents>",
        prefix(sync)
    );
    for (plain, is_empty) in [(objects(""), true), (objects(&object), false)] {
        let answers = vec![Canned::new(200, &empty), Canned::new(200, plain)];
        let server = CannedServer::start(answers).await;
        let store = open(&server.url).with_all_versions().unwrap();
        assert_eq!(store.is_empty(sync).await.unwrap(), is_empty, "versions alone prove nothing");
    }
}

#[tokio::test]
async fn versions_that_are_held_are_told_and_the_others_go() {
    let sync = SyncId::random();
    let named = |number: u32| format!("<Key>{}entities/{number}.json</Key>", prefix(sync));
    let with_id = |number: u32| format!("{}<VersionId>v{number}</VersionId>", named(number));
    let versions: String = (1..=4).map(|number| format!("<Version>{}</Version>", with_id(number))).collect();
    let list = format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{versions}</ListVersionsResult>");
    let denied = "<Code>AccessDenied</Code><Message>held</Message>";
    // Some servers name no version, and one says nothing at all of the last.
    let answer = format!(
        "<DeleteResult><Deleted>{}</Deleted><Error>{}{denied}</Error><Error>{}{denied}</Error></DeleteResult>",
        with_id(1),
        with_id(2),
        named(3)
    );
    let slow = Canned::new(503, "<Error><Code>SlowDown</Code></Error>");
    let server = CannedServer::start(vec![slow, Canned::new(200, list), Canned::new(200, answer)]).await;
    let step = open(&server.url).with_all_versions().unwrap().purge(sync, TIMEOUT).await;
    assert_eq!(step.removed.total(), 1);
    let told = step.is_exhausted().unwrap_err().to_string();
    assert_eq!(told, "the object store refused to remove 3 blobs: AccessDenied");
    let asked = server.asked();
    assert_eq!(asked.iter().map(|asked| asked.method.as_str()).collect::<Vec<_>>(), ["GET", "GET", "POST"]);
    let body = String::from_utf8(asked[2].body.clone()).unwrap();
    assert!((1..=4).all(|number| body.contains(&format!("<VersionId>v{number}</VersionId>"))), "{body}");
}

#[tokio::test]
async fn an_answer_that_names_nothing_removes_nothing() {
    let sync = SyncId::random();
    let version = format!("<Version><Key>{}a</Key><VersionId>v</VersionId></Version>", prefix(sync));
    let list = format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{version}</ListVersionsResult>");
    let server = CannedServer::start(vec![Canned::new(200, list), Canned::new(200, "<DeleteResult/>")]).await;
    let step = open(&server.url).with_all_versions().unwrap().purge(sync, TIMEOUT).await;
    assert_eq!(step.removed.total(), 0);
    let told = step.is_exhausted().unwrap_err().to_string();
    assert_eq!(told, "the object store refused to remove 1 blobs: its answer doesn't name them");
}

#[test]
fn only_s3_takes_the_request_to_purge_versions() {
    crate::support::install_tls();
    let folder = tempfile::tempdir().unwrap();
    let local = ArfStore::from_url(&url::Url::from_file_path(folder.path()).unwrap()).unwrap();
    let google = [(
        "google_service_account_key",
        r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#,
    )];
    let google = ArfStore::from_url_with(&"gs://bucket/team".parse().unwrap(), &google).unwrap();
    for store in [local, google] {
        let told = store.with_all_versions().unwrap_err().to_string();
        assert!(told.contains("ARF_PURGE_VERSIONS can't be set for this ARF_URL"), "{told}");
    }
}
