//! GitHub Enterprise Server speaks HTTPS, with a certificate of whatever authority its company has.

use std::sync::Arc;

use serde_json::json;
use sync_worker::sources::SourceError;
use test_support::install_tls_provider;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use url::Url;

use super::{GithubServer, TOKEN, config, credentials, limits, read_with};
use crate::stage::Stage;

/// Takes TLS connections for a server that speaks none.
struct TlsFront {
    url: Url,
    certificate: String,
    _tasks: JoinSet<()>,
}

impl TlsFront {
    async fn start(server: &GithubServer) -> Self {
        install_tls_provider();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let tls =
            ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(forward(listener, TlsAcceptor::from(Arc::new(tls)), server.url()));
        Self { url, certificate: cert.pem(), _tasks: tasks }
    }
}

async fn forward(listener: TcpListener, tls: TlsAcceptor, to: Url) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, to) = (tls.clone(), format!("127.0.0.1:{}", to.port().unwrap()));
        connections.spawn(async move {
            if let Ok(mut inside) = tls.accept(stream).await {
                let mut outside = TcpStream::connect(to).await.unwrap();
                let _closed = copy_bidirectional(&mut inside, &mut outside).await;
            }
        });
    }
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_gets_no_token() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    let front = TlsFront::start(&server).await;
    let error = read_with(&limits(&front.url), config(None), credentials(TOKEN)).await.error();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_company_s_own_authority_is_trusted_when_the_operator_says_so() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    let front = TlsFront::start(&server).await;
    let stage = Stage::new().await;
    stage.write_file("authority.pem", &front.certificate);
    let authority = stage.file("authority.pem");
    let settings = [("GITHUB_API_URLS", front.url.as_str()), ("SSL_CERT_FILE", authority.to_str().unwrap())];
    let _worker = stage.worker_with(&settings).await;
    let connection = stage.connection("github", json!({"repo_name": "octo/spoon"})).await;
    stage.give_credentials(connection, json!({"personal_access_token": TOKEN, "api_url": front.url})).await;
    assert_eq!(stage.sync(connection).await.entities_inserted, 2);
}
