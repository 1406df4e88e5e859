//! The wire: hyper and rustls.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::StatusCode;
use http::Uri;
use http::header::CONTENT_TYPE;
use http::header::RETRY_AFTER;
use http::header::USER_AGENT;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use prost::Message as _;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::settings::Settings;
use super::trouble;
use super::trouble::Trouble;
use super::wire::ExportTraceServiceResponse;
use super::wire::PartialSuccess;

/// What the specification adds to an endpoint for traces.
const PATH: &str = "/v1/traces";
/// The largest answer that is read: it says how many spans were refused, and why.
const ANSWER: usize = 64 * 1024;
/// How long an unused connection is kept: longer than the batches of a quiet fleet lie apart.
const KEEP_IDLE: Duration = Duration::from_secs(60);
const PROTOBUF: &str = "application/x-protobuf";

/// A way to one collector.
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

impl Client {
    /// Makes the way. Reads certificates, and connects to nothing yet.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let uri = format!("{}{PATH}", settings.endpoint).parse::<Uri>();
        let uri = uri.map_err(|why| format!("endpoint in [telemetry] is no address: {why}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ghrunner/", env!("CARGO_PKG_VERSION"))));
        for (name, secret) in &settings.headers {
            let unfit =
                || format!("header {name} in [telemetry] cannot be sent: it holds what no header may");
            let key = name.parse::<HeaderName>().map_err(|_| unfit())?;
            let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| unfit())?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.timeout));
        let tls = tls(settings.ca_file.as_deref(), uri.scheme_str() == Some("https"))?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self { http, uri, headers, timeout: settings.timeout })
    }

    /// Hands over a request's body; gives what the collector did not take of it.
    pub(super) async fn send(&self, body: Bytes) -> Result<PartialSuccess, Trouble> {
        let sent = tokio::time::timeout(self.timeout, self.exchange(body)).await;
        sent.unwrap_or_else(|_| Err(trouble::late(self.timeout)))
    }

    async fn exchange(&self, body: Bytes) -> Result<PartialSuccess, Trouble> {
        let mut request = Request::post(self.uri.clone()).body(Full::new(body)).map_err(|why| away(&why))?;
        *request.headers_mut() = self.headers.clone();
        let (head, body) = self.http.request(request).await.map_err(|why| away(&why))?.into_parts();
        if head.status != StatusCode::OK {
            let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            return Err(trouble::of(head.status.as_u16(), retry_after));
        }
        // They were taken; whoever says so in words that cannot be read has taken them all the same.
        let is_protobuf = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == PROTOBUF);
        let answer = Limited::new(body, ANSWER).collect().await.map(http_body_util::Collected::to_bytes);
        let answer = answer.ok().filter(|_| is_protobuf);
        let read = answer.and_then(|answer| ExportTraceServiceResponse::decode(answer).ok());
        Ok(read.and_then(|answer| answer.partial_success).unwrap_or_default())
    }
}

/// TLS with the system's roots, where they are needed, and the file's.
fn tls(ca_file: Option<&Path>, system: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if system {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = ca_file {
        let bad = |why: &dyn std::fmt::Display| format!("ca_file in [telemetry], {}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|why| bad(&why))?;
        let found =
            CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|why| bad(&why))?;
        if found.is_empty() {
            return Err(bad(&"it holds no certificate"));
        }
        for certificate in found {
            roots.add(certificate).map_err(|why| bad(&why))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|why| format!("TLS: {why}"))?.with_root_certificates(roots).with_no_client_auth())
}

fn away(error: &(dyn Error + 'static)) -> Trouble {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !causes.iter().any(|cause| cause.contains(&text)) {
            causes.push(text);
        }
        next = error.source();
    }
    trouble::away(&causes.join(": "))
}
