//! HTTPS and HTTP/2, with certificates that are replaced under the running gateway.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair};
use reqwest::{Certificate, Version};
use test_support::{Service, TestDatabase, wait_until};

use crate::gateway::{START, addresses, environment};

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, made: &CertifiedKey<KeyPair>) {
        fs::write(self.path("tls.key"), made.signing_key.serialize_pem()).unwrap();
        fs::write(self.path("tls.crt"), made.cert.pem()).unwrap();
    }
}

fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// A client that trusts this certificate alone.
fn client(trusted: &CertifiedKey<KeyPair>) -> reqwest::Client {
    let trusted = Certificate::from_pem(trusted.cert.pem().as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().unwrap()
}

async fn start(files: &Files, database: &TestDatabase) -> Service {
    let (certificate, key) = (files.path("tls.crt"), files.path("tls.key"));
    let settings = [("TLS_CERTIFICATE", certificate.as_str()), ("TLS_PRIVATE_KEY", key.as_str())];
    crate::gateway::spawn(database, &settings)
}

async fn health_url(service: &mut Service) -> String {
    addresses(service).await.0.replace("http://127.0.0.1", "https://localhost") + "/health"
}

#[tokio::test]
async fn https_speaks_http_2_and_takes_renewed_certificates() {
    let files = Files { folder: tempfile::tempdir().unwrap() };
    let (first, second) = (certificate(), certificate());
    files.write(&first);
    let database = TestDatabase::create().await;
    let mut service = start(&files, &database).await;
    let url = health_url(&mut service).await;

    let answer = client(&first).get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    assert!(answer.headers()["strict-transport-security"].to_str().unwrap().starts_with("max-age="));
    assert!(client(&second).get(&url).send().await.is_err());

    // A key without its certificate: what was served is served on.
    service.expects.event("a periodic task failed; it runs again");
    fs::write(files.path("tls.key"), second.signing_key.serialize_pem()).unwrap();
    wait_until("the pair that doesn't fit is refused", START, async || service.log().contains("don't fit")).await;
    assert_eq!(client(&first).get(&url).send().await.unwrap().status(), 200);

    files.write(&second);
    wait_until("the new certificate is served", START, async || client(&second).get(&url).send().await.is_ok()).await;
    assert!(client(&first).get(&url).send().await.is_err());
    assert!(!service.log().contains("PRIVATE KEY-----"));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_ends_the_start_with_its_reason() {
    let files = Files { folder: tempfile::tempdir().unwrap() };
    let database = TestDatabase::create().await;
    let (first, second) = (certificate(), certificate());
    let (crt, key) = (files.path("tls.crt"), files.path("tls.key"));
    let settings = environment(&database, &[("TLS_CERTIFICATE", crt.as_str()), ("TLS_PRIVATE_KEY", key.as_str())]);
    let expect = async |why: &str| {
        for arguments in [&[][..], &["--check-config"]] {
            let mut service = Service::spawn_with("api-gateway", arguments, settings.clone());
            assert_eq!(service.exited(START).await.code(), Some(2), "{}", service.tail());
            let log = service.log();
            assert!(log.lines().count() == 1 && log.contains(why), "{log}");
        }
    };
    expect("read TLS_CERTIFICATE").await;
    files.write(&first);
    fs::write(files.path("tls.key"), second.signing_key.serialize_pem()).unwrap();
    expect("don't fit").await;
    fs::write(files.path("tls.key"), "nonsense").unwrap();
    expect("TLS_PRIVATE_KEY holds no private key").await;
    fs::write(Path::new(&files.path("tls.crt")), "nonsense").unwrap();
    expect("TLS_CERTIFICATE holds no certificate").await;
}

#[tokio::test]
async fn one_file_without_the_other_is_refused() {
    let database = TestDatabase::create().await;
    let mut service = Service::spawn("api-gateway", environment(&database, &[("TLS_CERTIFICATE", "/nowhere.crt")]));
    assert!(!service.exited(Duration::from_secs(10)).await.success());
    assert!(service.tail().contains("TLS_PRIVATE_KEY"), "{}", service.tail());
}
