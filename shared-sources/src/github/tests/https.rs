//! GitHub Enterprise Server speaks HTTPS, with a certificate of whatever authority its company has.

use test_support::TlsFront;

use super::{GithubServer, TOKEN, config, credentials, limits, read_with};
use crate::SourceError;

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_gets_no_token() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    let front = TlsFront::start(server.url()).await;
    let error = read_with(&limits(&front.url), config(None), credentials(TOKEN)).await.error();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(server.asked().len(), 0);
}
