//! What a list of a bucket has to be like before anything is concluded from it, and what it must not make a purge do.

use std::time::Duration;

use futures::StreamExt as _;
use shared_models::SyncId;
use shared_stores::arf::{ArfStore, PurgeEnd};
use test_support::TestBucket;
use url::Url;

use crate::arf_bucket::open;
use crate::canned::{Canned, CannedServer};
use crate::support::{TIMEOUT, install_tls, syncs_in};

const SLICE: Duration = Duration::from_secs(3);
const UNREADABLE: &str = "failed in the object store: the answer is unreadable";
const NOT_ASKED_FOR: &str = "failed in the object store: it lists what wasn't asked for";

fn prefix(sync: SyncId) -> String {
    format!("team/unweave/raw/{sync}/")
}

fn objects(inner: &str) -> String {
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{inner}</ListBucketResult>")
}

fn object(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><LastModified>2026-11-30T10:00:00Z</LastModified><Size>1</Size></Contents>")
}

fn versions(inner: &str) -> String {
    format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{inner}</ListVersionsResult>")
}

fn version(key: &str) -> String {
    format!("<Version><Key>{key}</Key><VersionId>v</VersionId></Version>")
}

fn common(prefix: &str) -> String {
    format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>")
}

/// With all versions, or without.
fn open_as(all: bool, endpoint: &Url) -> ArfStore {
    let store = open(endpoint);
    if all { store.with_all_versions().unwrap() } else { store }
}

fn google(endpoint: &Url) -> ArfStore {
    install_tls();
    let key = serde_json::json!({
        "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": "",
        "gcs_base_url": endpoint.as_str().trim_end_matches('/'),
    });
    let settings = [("google_service_account_key", key.to_string()), ("allow_http", "true".to_owned())];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ArfStore::from_url_with(&"gs://bucket/team/unweave".parse().unwrap(), &settings).unwrap()
}

/// What each way to ask a store says of its only answer.
async fn told_by_all(store: &ArfStore, sync: SyncId) -> Vec<String> {
    let PurgeEnd::Failed(purge) = store.purge(sync, SLICE).await.end else { panic!("purged") };
    let census = store.census().collect::<Vec<_>>().await.into_iter().find_map(Result::err).expect("no census");
    let errors = [
        store.is_empty(sync).await.expect_err("taken for empty, or not"),
        store.count_up_to(sync, 1_000).await.expect_err("counted up to"),
        store.list_counts(sync).await.expect_err("counted"),
        store.ready(TIMEOUT).await.expect_err("taken for a store"),
        census,
        purge,
    ];
    errors.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn del_7_whatever_is_no_list_of_objects_is_an_error() {
    let answers = [
        String::new(),
        "<!DOCTYPE html><html><head><title>Console</title></head><body>log in</body></html>".to_owned(),
        "<html><body>log in</body></html>".to_owned(),
        "<ListAllMyBucketsResult><Buckets><Bucket><Name>bucket</Name></Bucket></Buckets></ListAllMyBucketsResult>"
            .to_owned(),
        "<ListBucketResult/>".to_owned(),
        "<ListBucketResult></ListBucketResult>".to_owned(),
        "<ListBucketResult><IsTruncated/></ListBucketResult>".to_owned(),
        "<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>".to_owned(),
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>".to_owned(),
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken/></ListBucketResult>".to_owned(),
        "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned(),
        "<Other><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult></Other>".to_owned(),
        objects("<IsTruncated>true</IsTruncated>"),
        objects("") + "<more/>",
        objects("") + "more",
        objects("text"),
        objects("<Contents/>"),
        objects("<Contents><Key/></Contents>"),
        objects("<CommonPrefixes/>"),
        objects("<Objects><Object><Key>k</Key></Object></Objects>"),
        objects(&version("k")),
        objects("<EncodingType>url</EncodingType><Contents><Key>%ff</Key></Contents>"),
        objects("<EncodingType>rot13</EncodingType>"),
        versions(""),
    ];
    for answer in answers {
        let server = CannedServer::always(200, &answer).await;
        for told in told_by_all(&open(&server.url), SyncId::random()).await {
            assert_eq!(told, format!("list blobs {UNREADABLE}"), "{answer}");
        }
        assert!(server.asked().iter().all(|asked| asked.method == "GET"), "{answer}");
    }
    let error = "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>";
    let server = CannedServer::always(200, error).await;
    let told = open(&server.url).is_empty(SyncId::random()).await.unwrap_err().to_string();
    assert_eq!(told, "list blobs failed in the object store: it answered 200 OK InternalError");
}

#[tokio::test]
async fn del_7_whatever_is_no_list_of_versions_is_an_error() {
    let answers = [
        "<html><body>log in</body></html>".to_owned(),
        versions("") + "<more/>",
        versions(&object("k")),
        versions("<Versions><Version><Key>k</Key></Version></Versions>"),
        versions("<IsTruncated>false</IsTruncated>"),
        "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker/></ListVersionsResult>".to_owned(),
        // Without an id the removal would be that of the object, which adds a delete marker.
        versions("<Version><Key>k</Key></Version>"),
        versions("<Version><Key>k</Key><VersionId/></Version>"),
        versions("<DeleteMarker><Key>k</Key></DeleteMarker>"),
    ];
    for answer in answers {
        let server = CannedServer::always(200, &answer).await;
        for told in told_by_all(&open_as(true, &server.url), SyncId::random()).await {
            assert_eq!(told, format!("list versions {UNREADABLE}"), "{answer}");
        }
        assert!(server.asked().iter().all(|asked| asked.method == "GET"), "{answer}");
    }
}

#[tokio::test]
async fn del_7_no_list_of_versions_proves_anything_before_one_of_objects_does() {
    let sync = SyncId::random();
    let cut_off = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>";
    let manifest = objects(&object(&format!("{}manifest.json", prefix(sync))));
    for (plain, is_empty) in [
        (vec!["<html/>".to_owned()], None),
        (vec![versions("")], None),
        (vec![objects("")], Some(true)),
        (vec![manifest.clone()], Some(false)),
        // A page without any object isn't the end.
        (vec![cut_off.to_owned(), manifest], Some(false)),
    ] {
        let answers = [versions("")].into_iter().chain(plain.clone()).map(|body| Canned::new(200, body)).collect();
        let server = CannedServer::start(answers).await;
        let told = open_as(true, &server.url).is_empty(sync).await;
        assert_eq!(told.ok(), is_empty, "{plain:?}");
    }
}

#[tokio::test]
async fn a_list_may_have_any_namespace_and_words_of_its_server() {
    let sync = SyncId::random();
    let key = format!("{}files/a", prefix(sync));
    let more = format!("<Name>bucket</Name><Prefix>{}</Prefix><Tenant>t</Tenant><KeyCount>1</KeyCount>", prefix(sync));
    let list = objects(&format!("{more}{}", object(&key))).replace(
        "<ListBucketResult>",
        "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n",
    );
    let server = CannedServer::always(200, list).await;
    assert_eq!(open(&server.url).count_up_to(sync, 10).await.unwrap(), Some(1));
}

#[tokio::test]
async fn del_4_a_list_that_names_anything_else_is_an_error_and_nothing_of_it_is_removed() {
    let (sync, other) = (SyncId::random(), SyncId::random());
    let own = format!("{}files/a", prefix(sync));
    for foreign in ["another/system".to_owned(), prefix(other) + "manifest.json", own.to_uppercase(), "a".to_owned()] {
        let removed = format!("<DeleteResult><Deleted><Key>{foreign}</Key></Deleted></DeleteResult>");
        for (name, list) in [
            ("objects", objects(&(object(&own) + &object(&foreign)))),
            ("versions", versions(&(version(&own) + &version(&foreign)))),
            ("google", objects(&(object(&own) + &object(&foreign)))),
        ] {
            let server = CannedServer::start(vec![Canned::new(200, list), Canned::new(200, &removed)]).await;
            let store = if name == "google" { google(&server.url) } else { open_as(name == "versions", &server.url) };
            let step = store.purge(sync, SLICE).await;
            assert_eq!(step.removed.total(), 0, "{name}");
            let told = step.is_exhausted().unwrap_err().to_string();
            assert!(told.ends_with(NOT_ASKED_FOR), "{name}: {foreign}: {told}");
            assert!(server.asked().iter().all(|asked| asked.method == "GET"), "{name}: {foreign}");
        }
    }
}

#[tokio::test]
async fn del_4_counts_and_censuses_of_something_else_are_errors() {
    let sync = SyncId::random();
    let raw = "team/unweave/raw/";
    for inner in [
        object("another/system"),
        common("another/"),
        common("team/unweave/raw-2/"),
        // A server that overlooks the delimiter would hide syncs.
        object(&format!("{raw}{sync}/manifest.json")),
        format!("<Prefix>team/other/raw/</Prefix>{}", common(&format!("{raw}{sync}/"))),
    ] {
        let server = CannedServer::always(200, objects(&inner)).await;
        for store in [open(&server.url), google(&server.url)] {
            let is_google = format!("{store:?}").contains("Google");
            if is_google && inner.contains("team/other") {
                continue;
            }
            let told = syncs_in(&store).await.unwrap_err().to_string();
            assert!(told.ends_with(NOT_ASKED_FOR), "{inner}: {told}");
        }
    }
    let server = CannedServer::always(200, objects(&object("another/system"))).await;
    for told in told_by_all(&open(&server.url), sync).await {
        assert_eq!(told, format!("list blobs {NOT_ASKED_FOR}"));
    }
    // An empty list of something else isn't an empty store.
    let server = CannedServer::always(200, objects(&format!("<Prefix>{}</Prefix>", prefix(SyncId::random())))).await;
    assert!(open(&server.url).is_empty(sync).await.unwrap_err().to_string().ends_with(NOT_ASKED_FOR));
}

#[tokio::test]
async fn a_list_that_goes_in_a_circle_is_an_error_at_once() {
    let marker = |marker: &str| {
        format!(
            "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>{marker}</NextKeyMarker></ListVersionsResult>"
        )
    };
    let token = |token: &str| {
        format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
        )
    };
    let sync = SyncId::random();
    for (name, pages) in [
        ("objects", vec![token("t")]),
        ("versions", vec![marker("k")]),
        ("google", vec![token("t")]),
        ("objects", [token("a"), token("b"), token("a"), token("b")].to_vec()),
    ] {
        for ask in ["count", "look", "census", "purge"] {
            let server = CannedServer::start(pages.iter().map(|page| Canned::new(200, page)).collect()).await;
            let store = if name == "google" { google(&server.url) } else { open_as(name == "versions", &server.url) };
            let asking = async {
                match ask {
                    "count" => store.list_counts(sync).await.unwrap_err(),
                    "look" => store.count_up_to(sync, 1_000).await.unwrap_err(),
                    "census" => syncs_in(&store).await.unwrap_err(),
                    _ => store.purge(sync, TIMEOUT).await.is_exhausted().unwrap_err(),
                }
            };
            let told = tokio::time::timeout(SLICE, asking).await.expect("an end").to_string();
            assert!(told.ends_with("failed in the object store: its list goes in a circle"), "{name} {ask}: {told}");
            assert!(server.asked().len() <= 4, "{name} {ask}: {} requests", server.asked().len());
        }
    }
}

#[tokio::test]
async fn an_empty_marker_of_a_version_is_not_sent_on() {
    let sync = SyncId::random();
    for (given, sent) in
        [("<NextVersionIdMarker/>", false), ("", false), ("<NextVersionIdMarker>v</NextVersionIdMarker>", true)]
    {
        let first = format!(
            "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>{}a</NextKeyMarker>{given}</ListVersionsResult>",
            prefix(sync)
        );
        let server = CannedServer::start(vec![Canned::new(200, first), Canned::new(200, versions(""))]).await;
        assert_eq!(open_as(true, &server.url).list_counts(sync).await.unwrap().total(), 0);
        let second = server.asked()[1].query.clone();
        assert!(second.contains("key-marker=team%2Funweave"), "{second}");
        assert_eq!(second.contains("version-id-marker"), sent, "{second}");
    }
}

#[tokio::test]
async fn a_strange_name_hides_no_sync() {
    let (server, sync) = (TestBucket::start().await, SyncId::random());
    let names = ["team/unweave/raw/", "team/unweave/raw//x", "team/unweave/raw/a\nb/x", "team/unweave/raw/../x"];
    server.fill(names.map(str::to_owned).into_iter().chain([format!("{}manifest.json", prefix(sync))]));
    let census = syncs_in(&open(&server.url)).await.unwrap();
    assert_eq!((census.syncs, census.unreadable), ([sync].into(), 3));
}

#[test]
fn what_our_own_requests_cannot_do_is_refused_when_the_store_is_opened() {
    install_tls();
    for name in ["aws_skip_signature", "aws_s3_express"] {
        let error = ArfStore::from_url_with(&"s3://bucket/team".parse().unwrap(), &[(name, "true")]).unwrap_err();
        assert!(error.to_string().contains(&name.to_uppercase()), "{error}");
    }
}
