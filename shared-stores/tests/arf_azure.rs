//! The ARF store on Azure: against Azurite, Microsoft's emulator, which `make test-azure` installs and names.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};
use shared_models::{BlobKey, CollectionId, EntityKey, OrganizationId, SyncId};
use shared_stores::arf::{ArfError, ArfStore, BlobCipher, BlobCounts, BlobForm, EntityBlobs, Manifest, RawFileBlob};
use tempfile::TempDir;
use test_support::{free_port, wait_until};

use crate::support::{TIMEOUT, install_tls, syncs_in};

/// Azurite's one account. The key is in Microsoft's documentation, and no secret.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const START: Duration = Duration::from_secs(60);

pub struct Azurite {
    endpoint: String,
    process: Child,
    _folder: TempDir,
}

impl Azurite {
    /// With a container, `blobs`.
    pub async fn start() -> Self {
        install_tls();
        let program = std::env::var_os("AZURITE").expect("AZURITE names the program: run `make test-azure`");
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port().to_string());
        let mut command = Command::new(program);
        command.args(["--inMemoryPersistence", "--silent", "--disableTelemetry", "--blobPort", &port]);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let azurite = Self { endpoint: format!("http://127.0.0.1:{port}/{ACCOUNT}"), process, _folder: folder };
        wait_until("the container is made", START, async || azurite.make_container().await).await;
        azurite
    }

    async fn make_container(&self) -> bool {
        let url = format!("{}/blobs?restype=container", self.endpoint);
        let mut request: HttpRequest =
            http::Request::put(&url).header("content-length", 0).body(HttpRequestBody::empty()).unwrap();
        let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).unwrap());
        AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).unwrap();
        let sent = reqwest::Client::new().put(url).headers(request.headers().clone()).send().await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }

    /// Settings of `object_store` with which its containers are opened.
    pub fn settings(&self) -> [(&str, &str); 4] {
        [
            ("azure_storage_endpoint", self.endpoint.as_str()),
            ("azure_storage_account_name", ACCOUNT),
            ("azure_storage_account_key", KEY),
            ("allow_http", "true"),
        ]
    }

    fn open(&self, container: &str) -> ArfStore {
        ArfStore::from_url_with(&format!("az://{container}/team/unweave").parse().unwrap(), &self.settings()).unwrap()
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _status = self.process.wait();
    }
}

fn key(number: u32) -> EntityKey {
    EntityKey::unkeyed("StubEntity", &number.to_string())
}

fn manifest(sync: SyncId) -> Manifest {
    let now = chrono::DateTime::UNIX_EPOCH;
    Manifest {
        sync_id: sync,
        source_short_name: "stub".to_owned(),
        collection_id: CollectionId::random(),
        organization_id: OrganizationId::random(),
        created_at: now,
        updated_at: now,
        sync_jobs: Vec::new(),
    }
}

async fn fill(store: &ArfStore, sync: SyncId, count: u32) -> Manifest {
    let manifest = manifest(sync);
    store.put_manifest(&manifest, TIMEOUT).await.unwrap();
    let form = BlobForm::Sealed(BlobCipher::new(sync, &BlobKey::random()));
    for number in 0..count {
        store.put_blob(sync, form.capture(key(number), Bytes::from_static(b"{}")), TIMEOUT).await.unwrap();
    }
    store.put_blob(sync, form.file(key(0), Bytes::from_static(b"x")), TIMEOUT).await.unwrap();
    manifest
}

#[tokio::test]
#[ignore = "needs Azurite: make test-azure"]
async fn a_container_is_filled_counted_and_purged_and_others_stay() {
    let azurite = Azurite::start().await;
    let (store, sync, other) = (azurite.open("blobs"), SyncId::random(), SyncId::random());
    store.ready(TIMEOUT).await.unwrap();
    assert!(store.is_empty(sync).await.unwrap());
    // More than one bulk removal takes, which is 256.
    let written = fill(&store, sync, 600).await;
    fill(&store, other, 2).await;
    assert_eq!(store.manifest(sync).await.unwrap(), Some(written));
    let counts = store.list_counts(sync).await.unwrap();
    assert_eq!(counts, BlobCounts { manifest: 1, entities: 600, files: 1, ..BlobCounts::default() });
    assert_eq!(store.count_up_to(sync, 10).await.unwrap(), None);
    assert_eq!(syncs_in(&store).await.unwrap().syncs, [sync, other].into());

    let step = store.purge(sync, TIMEOUT).await;
    assert_eq!(step.removed, counts);
    assert!(step.is_exhausted().unwrap());
    assert!(store.is_empty(sync).await.unwrap());
    assert_eq!(store.list_counts(other).await.unwrap().total(), 4);
    assert_eq!(syncs_in(&store).await.unwrap().syncs, [other].into());
    let again = store.purge(sync, TIMEOUT).await;
    assert_eq!((again.removed.total(), again.is_exhausted().unwrap()), (0, true));
}

#[tokio::test]
#[ignore = "needs Azurite: make test-azure"]
async fn an_entity_is_removed_with_its_file_and_twice_is_no_error() {
    let azurite = Azurite::start().await;
    let (store, sync) = (azurite.open("blobs"), SyncId::random());
    fill(&store, sync, 1).await;
    for _ in 0..2 {
        store.delete_entity(sync, &EntityBlobs { key: key(0), file: RawFileBlob::Keyed }, TIMEOUT).await.unwrap();
    }
    assert_eq!(store.list_counts(sync).await.unwrap(), BlobCounts { manifest: 1, ..BlobCounts::default() });
}

#[tokio::test]
#[ignore = "needs Azurite: make test-azure"]
async fn a_container_that_is_not_there_is_never_an_empty_one() {
    let azurite = Azurite::start().await;
    let (store, sync) = (azurite.open("nowhere"), SyncId::random());
    let gone = |error: ArfError| {
        assert!(error.to_string().ends_with("failed in the object store: the bucket isn't there"), "{error}");
    };
    gone(store.is_empty(sync).await.unwrap_err());
    gone(store.list_counts(sync).await.unwrap_err());
    gone(store.manifest(sync).await.unwrap_err());
    gone(syncs_in(&store).await.unwrap_err());
    gone(store.purge(sync, TIMEOUT).await.is_exhausted().unwrap_err());
    gone(store.delete_entity(sync, &EntityBlobs { key: key(0), file: RawFileBlob::None }, TIMEOUT).await.unwrap_err());
}

#[tokio::test]
#[ignore = "needs Azurite: make test-azure"]
async fn an_azurite_that_went_away_is_an_error() {
    let mut azurite = Azurite::start().await;
    let (store, sync) = (azurite.open("blobs"), SyncId::random());
    fill(&store, sync, 3).await;
    azurite.process.kill().unwrap();
    azurite.process.wait().unwrap();
    assert!(store.is_empty(sync).await.is_err());
    assert!(store.purge(sync, TIMEOUT).await.is_exhausted().is_err());
    assert!(store.with_all_versions().is_err(), "versions of Azure aren't removed");
}
