//! TLS with a certificate of one's own, and a proxy.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use ghrunner::github::CredentialSpec;
use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::model::Scope;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json as value;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use crate::server::*;

fn org() -> Scope {
    "orgs/acme".parse().unwrap()
}

fn fixture(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/github").join(file)
}

/// A server behind TLS, with the certificate that `ca.pem` signed.
async fn tls_hub() -> Hub {
    let (hub, listener) = Hub::bind(|_| json(200, value!({ "total_count": 0, "runners": [] }))).await;
    let certificate = CertificateDer::from_pem_file(fixture("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("server-key.pem")).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let serving = hub.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (hub, acceptor) = (serving.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    hub.serve(stream).await;
                }
            });
        }
    });
    hub
}

fn tls_spec(hub: &Hub) -> CredentialSpec {
    CredentialSpec {
        url: format!("https://localhost:{}", hub.port),
        ca_file: Some(fixture("ca.pem")),
        ..token_spec(hub)
    }
}

#[tokio::test]
async fn a_certificate_of_one_s_own_authority_is_trusted_where_it_is_named() {
    let hub = tls_hub().await;
    let client = client(vec![tls_spec(&hub)], &Hands::new());
    client.list(&name(), &org()).await.unwrap();
    assert_eq!(hub.lines(), ["GET /orgs/acme/actions/runners?per_page=100"]);
}

#[tokio::test]
async fn without_it_nothing_is_sent_and_the_reason_is_told() {
    let hub = tls_hub().await;
    let stranger = CredentialSpec { ca_file: None, ..tls_spec(&hub) };
    let client = client(vec![stranger], &Hands::new());
    let error = client.list(&name(), &org()).await.unwrap_err();
    assert!(
        matches!(&error, GitHubError::Unreachable { why, .. } if why.contains("signed by nobody who is trusted")),
        "{error}"
    );
    assert_eq!(hub.lines().len(), 0);
}

#[tokio::test]
async fn a_certificate_file_that_is_none_is_named() {
    let hub = tls_hub().await;
    for file in ["missing.pem", "README.md"] {
        let spec = CredentialSpec { ca_file: Some(fixture(file)), ..tls_spec(&hub) };
        let client = client(vec![spec], &Hands::new());
        let error = client.list(&name(), &org()).await.unwrap_err();
        assert!(matches!(&error, GitHubError::Unusable { why, .. } if why.contains(file)), "{error}");
        assert!(client.states()[0].refused.is_some());
    }
}

/// A proxy that keeps the heads of what it was asked, and opens tunnels or not.
async fn proxy(status: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = heads.clone();
    tokio::spawn(async move {
        while let Ok((mut inbound, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if inbound.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let to = head.split(' ').nth(1).unwrap().to_owned();
                kept.lock().unwrap().push(head);
                let answer = format!("HTTP/1.1 {status}\r\n\r\n");
                inbound.write_all(answer.as_bytes()).await.unwrap();
                if status.starts_with("200") {
                    let mut outbound = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
                }
            });
        }
    });
    (port, heads)
}

#[tokio::test]
async fn requests_go_through_the_proxy_with_tls_end_to_end() {
    let hub = tls_hub().await;
    let (port, heads) = proxy("200 OK").await;
    let spec =
        CredentialSpec { proxy: Some(format!("http://alice:p%40ss@127.0.0.1:{port}")), ..tls_spec(&hub) };
    let client = client(vec![spec], &Hands::new());
    client.list(&name(), &org()).await.unwrap();
    client.list(&name(), &org()).await.unwrap();
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1, "one connection serves both");
    assert!(heads[0].starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", hub.port)), "{}", heads[0]);
    assert!(heads[0].contains("Proxy-Authorization: Basic YWxpY2U6cEBzcw==\r\n"), "{}", heads[0]);
    assert!(!heads[0].contains("t0ken"));
    assert_eq!(hub.lines().len(), 2);
}

#[tokio::test]
async fn plain_http_goes_through_the_proxy_too() {
    let hub = Hub::start(|_| json(200, value!({ "total_count": 0, "runners": [] }))).await;
    let (port, heads) = proxy("200 OK").await;
    let spec = CredentialSpec { proxy: Some(format!("127.0.0.1:{port}")), ..token_spec(&hub) };
    let client = client(vec![spec], &Hands::new());
    client.list(&name(), &org()).await.unwrap();
    assert!(heads.lock().unwrap()[0].starts_with(&format!("CONNECT 127.0.0.1:{} ", hub.port)));
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let hub = tls_hub().await;
    let (port, _) = proxy("407 Proxy Authentication Required").await;
    let spec =
        CredentialSpec { proxy: Some(format!("http://alice:s3cret@127.0.0.1:{port}")), ..tls_spec(&hub) };
    let client = client(vec![spec], &Hands::new());
    let error = client.list(&name(), &org()).await.unwrap_err().to_string();
    assert!(error.contains("proxy authorization required") && !error.contains("s3cret"), "{error}");
    assert_eq!(hub.lines().len(), 0);
}
