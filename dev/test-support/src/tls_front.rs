//! Speaks TLS in front of a server that doesn't.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use url::Url;

use crate::install_tls_provider;

/// Takes TLS connections for a server that speaks none.
pub struct TlsFront {
    /// Where it listens.
    pub url: Url,
    /// The certificate, as PEM, which is its own authority.
    pub certificate: String,
    _tasks: JoinSet<()>,
}

impl TlsFront {
    /// A front of what listens at `server`.
    pub async fn start(server: Url) -> Self {
        install_tls_provider();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let tls =
            ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(forward(listener, TlsAcceptor::from(Arc::new(tls)), server));
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
