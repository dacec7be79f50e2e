//! TLS, with a server in front of the tests' PostgreSQL that speaks it.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::*;

/// An authority and what it has certified.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server for `name`.
    fn certify(&self, name: &str) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        config.with_no_client_auth().with_single_cert(chain, key).unwrap()
    }
}

/// Takes the request for TLS off each connection and hands the rest on in plain to the tests' PostgreSQL.
struct Front {
    address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

impl Front {
    /// Without `tls` it says that it has none, as PostgreSQL does.
    async fn start(database: &TestDatabase, tls: Option<ServerConfig>) -> Self {
        let url: Url = database.url.parse().unwrap();
        let behind = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        let accepting = async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, behind) = (tls.clone(), behind.clone());
                connections.spawn(async move { drop(serve(stream, tls, &behind).await) });
            }
        };
        Self { address, _accepting: AbortOnDropHandle::new(tasks.spawn(accepting)) }
    }
}

async fn serve(mut stream: TcpStream, tls: Option<TlsAcceptor>, behind: &str) -> std::io::Result<()> {
    let mut request = [0; 8];
    stream.read_exact(&mut request).await?;
    assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47], "a request for TLS, and nothing before it");
    let Some(tls) = tls else {
        stream.write_all(b"N").await?;
        let after = stream.read(&mut request).await?;
        assert_eq!(after, 0, "nothing follows in plain");
        return Ok(());
    };
    stream.write_all(b"S").await?;
    let mut stream = tls.accept(stream).await?;
    copy_bidirectional(&mut stream, &mut TcpStream::connect(behind).await?).await?;
    Ok(())
}

async fn read_through(front: &Front, database: &TestDatabase, root: Option<&str>) -> (Outcome, usize) {
    let mut credentials = credentials(database);
    credentials["host"] = json!("localhost");
    credentials["port"] = json!(front.address.port());
    credentials["sslmode"] = json!("require");
    credentials["sslrootcert"] = json!(root);
    let config = json!({"schema": "shop", "tables": []});
    run_with(&credentials, &config, 1, async |entities| collect(entities).await.len()).await
}

fn refusal(outcome: Outcome) -> String {
    match outcome {
        Err(SourceError::Unreachable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_read() {
    let database = shop("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2)").await;
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let front = Front::start(&database, Some(authority.certify("localhost"))).await;
    let (outcome, count) = read_through(&front, &database, Some(&authority.pem)).await;
    outcome.unwrap();
    assert_eq!(count, 3);
    // A bundle of authorities, with text between them.
    let bundle = format!("first\n{}\nsecond\n{}", other.pem, authority.pem);
    read_through(&front, &database, Some(&bundle)).await.0.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_prove_its_name_gets_no_password() {
    let database = shop("").await;
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let front = Front::start(&database, Some(authority.certify("localhost"))).await;
    for root in [None, Some(other.pem.as_str())] {
        let text = refusal(read_through(&front, &database, root).await.0);
        assert!(text.contains("invalid peer certificate: UnknownIssuer"), "{text}");
    }
    let elsewhere = Front::start(&database, Some(authority.certify("elsewhere.example"))).await;
    let text = refusal(read_through(&elsewhere, &database, Some(&authority.pem)).await.0);
    assert!(text.contains("certificate not valid for name \"localhost\""), "{text}");
    let plain = Front::start(&database, None).await;
    let text = refusal(read_through(&plain, &database, Some(&authority.pem)).await.0);
    assert!(text.contains("TLS"), "{text}");
}

#[tokio::test]
async fn a_certificate_without_tls_is_a_mistake_and_not_ignored() {
    let database = shop("").await;
    let credentials = changed(credentials(&database), "sslrootcert", Authority::new("ours").pem);
    let config = json!({"schema": "shop", "tables": []});
    let error = run_with(&credentials, &config, 1, collect).await.0.unwrap_err();
    assert_eq!(error.to_string(), "sslrootcert needs sslmode 'require'");
    let credentials = changed(changed(credentials, "sslmode", "require"), "sslrootcert", "hunter2");
    let error = run_with(&credentials, &config, 1, collect).await.0.unwrap_err();
    assert_eq!(error.to_string(), "sslrootcert is not a certificate of an authority as PEM text");
}
