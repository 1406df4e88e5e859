//! The wire: octocrab over hyper and rustls, through a proxy where there is one.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::Request;
use http::Uri;
use http_body_util::BodyExt as _;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use octocrab::AuthState;
use octocrab::OctoBody;
use octocrab::Octocrab;
use octocrab::OctocrabBuilder;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::answer::Answer;
use super::spec::CredentialSpec;
use super::spec::Tuning;
use crate::model::percent::decode;

/// How long an unused connection is kept: GitHub closes them after about a minute, and a request on one that is just
/// being closed is lost.
const KEEP_IDLE: Duration = Duration::from_secs(30);

/// A way to one GitHub.
pub(super) struct Transport {
    octocrab: Octocrab,
    tunnelled: bool,
}

/// No answer.
#[derive(Debug)]
pub(super) struct NoAnswer {
    /// The system's words.
    pub(super) why: String,
    /// Whether the request may have arrived all the same.
    pub(super) sent: bool,
    /// Whether there was an answer, but too large a one.
    pub(super) too_large: bool,
}

impl Transport {
    /// Makes the way that a credential asks for. Needs a runtime.
    pub(super) fn new(spec: &CredentialSpec, tuning: &Tuning) -> Result<Self, String> {
        let tls = tls(spec.ca_file.as_deref(), is_secure(spec))?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_IDLE));
        let octocrab = match &spec.proxy {
            None => assemble(https(tls, tcp), tuning),
            Some(proxy) => {
                let (proxy, authorization) = parse_proxy(proxy)?;
                let mut tunnel = Tunnel::new(proxy, https(tls.clone(), tcp));
                if let Some(authorization) = authorization {
                    tunnel = tunnel.with_auth(authorization);
                }
                assemble(https(tls, tunnel), tuning)
            }
        };
        Ok(Self { octocrab, tunnelled: spec.proxy.is_some() })
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn send(&self, request: Request<OctoBody>, tuning: &Tuning) -> Result<Answer, NoAnswer> {
        self.send_within(request, tuning.request_timeout, tuning.body_limit).await
    }

    /// The same, within a time of its own.
    pub(super) async fn send_within(
        &self,
        mut request: Request<OctoBody>,
        limit: Duration,
        body_limit: usize,
    ) -> Result<Answer, NoAnswer> {
        if self.tunnelled {
            name_port(request.uri_mut());
        }
        let exchange = async {
            let response = self.octocrab.send(request).await.map_err(|why| NoAnswer {
                why: causes(&why),
                sent: !is_connect(&why),
                too_large: false,
            })?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, body_limit).collect().await.map_err(|why| NoAnswer {
                too_large: why.downcast_ref::<LengthLimitError>().is_some(),
                why: causes(why.as_ref()),
                sent: true,
            })?;
            Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", limit.as_secs_f32());
            Err(NoAnswer { why, sent: true, too_large: false })
        })
    }
}

/// Whether anything on the way speaks TLS.
fn is_secure(spec: &CredentialSpec) -> bool {
    let addresses = [Some(&spec.url), spec.api_url.as_ref(), spec.proxy.as_ref()];
    addresses.into_iter().flatten().any(|address| address.to_ascii_lowercase().starts_with("https://"))
}

/// TLS with the system's roots, where they are needed, and the file's.
fn tls(ca_file: Option<&Path>, system: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if system {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = ca_file {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|why| format!("ca_file {shown}: {why}"))?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|why| format!("ca_file {shown} is no PEM file: {why}"))?;
            roots
                .add(certificate)
                .map_err(|why| format!("ca_file {shown} holds a certificate that is none: {why}"))?;
            found += 1;
        }
        if found == 0 {
            return Err(format!("ca_file {shown} holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|why| format!("TLS: {why}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn https<C>(tls: ClientConfig, inner: C) -> HttpsConnector<C> {
    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(inner)
}

/// octocrab around hyper around a connector, whose time to connect (TCP, proxy and TLS) is limited.
fn assemble<C>(connector: C, tuning: &Tuning) -> Octocrab
where
    C: tower_service::Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: hyper_util::client::legacy::connect::Connection
        + hyper::rt::Read
        + hyper::rt::Write
        + Send
        + Unpin
        + 'static,
    C::Future: Send + Unpin + 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connector = OctocrabBuilder::new()
        .set_connect_timeout(Some(tuning.connect_timeout))
        .set_connect_timeout_service(connector);
    let client = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP_IDLE)
        .build(connector);
    match OctocrabBuilder::new_empty().with_service(client).with_auth(AuthState::None).build() {
        Ok(octocrab) => octocrab,
        Err(never) => match never {},
    }
}

/// Says port 80 where it is meant: the tunnel takes an address without a port for one with 443.
fn name_port(uri: &mut Uri) {
    if uri.scheme_str() != Some("http") || uri.port().is_some() {
        return;
    }
    let mut parts = uri.clone().into_parts();
    parts.authority = uri.host().and_then(|host| format!("{host}:80").parse().ok());
    if let Ok(named) = Uri::from_parts(parts) {
        *uri = named;
    }
}

/// A proxy's address, and what it wants to hear of user and password.
fn parse_proxy(text: &str) -> Result<(Uri, Option<HeaderValue>), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    if scheme != "http" && scheme != "https" {
        return Err(format!("proxy: {scheme:?} is not spoken here; http and https are"));
    }
    let rest = rest.trim_end_matches('/');
    let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
    let uri: Uri = format!("{scheme}://{host}/").parse().map_err(|_| "proxy: it is no address".to_owned())?;
    if uri.path() != "/" || host.is_empty() {
        return Err("proxy: it is no address".to_owned());
    }
    let authorization = user.map(|user| {
        let plain = decode(user);
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(plain)))
            .map(|mut value| {
                value.set_sensitive(true);
                value
            })
            .map_err(|_| "proxy: its user and password cannot be sent".to_owned())
    });
    Ok((uri, authorization.transpose()?))
}

/// An error with what lies below it.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// Whether not even a connection came about, so that nothing can have arrived.
fn is_connect(error: &(dyn Error + 'static)) -> bool {
    chain(error).filter_map(|e| e.downcast_ref::<legacy::Error>()).any(legacy::Error::is_connect)
}

/// An error's causes in words, without octocrab's wrapping and without saying anything twice.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for error in chain(error).filter(|e| !e.is::<octocrab::Error>()) {
        let text = error.to_string();
        if !said.iter().any(|s| s.contains(&text)) {
            said.push(text);
        }
    }
    if said.is_empty() { "the connection broke".to_owned() } else { plainly(&said.join(": ")) }
}

/// What the layers below say of the mistakes that people make, in words that tell what to do.
fn plainly(text: &str) -> String {
    let known = [
        (
            "Connection refused",
            "connection refused; nobody listens there (is the address right, or a proxy needed?)",
        ),
        ("dns error", "the name cannot be resolved (is the address right, and DNS at work?)"),
        ("InvalidContentType", "what answers there speaks no TLS (is the port right, or http:// meant?)"),
        (
            "UnknownIssuer",
            "its certificate is signed by nobody who is trusted here (name its authority with ca_file)",
        ),
    ];
    match known.iter().find(|(sign, _)| text.contains(sign)) {
        Some((_, words)) => (*words).to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_with_or_without_a_user() {
        let (uri, user) = parse_proxy("http://proxy.example:3128/").unwrap();
        assert_eq!((uri.to_string().as_str(), user), ("http://proxy.example:3128/", None));
        let (uri, user) = parse_proxy("https://al%40ice:p%3Aw@proxy.example").unwrap();
        assert_eq!(uri.to_string(), "https://proxy.example/");
        assert_eq!(user.unwrap(), format!("Basic {}", STANDARD.encode("al@ice:p:w")));
        assert_eq!(parse_proxy("proxy:3128").unwrap().0.to_string(), "http://proxy:3128/");
        for bad in ["socks5://u:secret@p", "http://u:secret@", "http://u:secret@a b", "http://u:secret@h/x"] {
            let why = parse_proxy(bad).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn the_port_of_plain_http_is_named_for_a_tunnel() {
        let named = |text: &str| {
            let mut uri: Uri = text.parse().unwrap();
            name_port(&mut uri);
            uri.to_string()
        };
        assert_eq!(named("http://ghes.example/api/v3/x?y=1"), "http://ghes.example:80/api/v3/x?y=1");
        assert_eq!(named("http://ghes.example:8080/x"), "http://ghes.example:8080/x");
        assert_eq!(named("https://ghes.example/x"), "https://ghes.example/x");
    }
}
