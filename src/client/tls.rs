//! TLS as a client: whom to believe.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::ClientError;

/// The largest file of authorities that is read, in bytes: the system's own bundle has a quarter of a megabyte.
const MAX_BYTES: u64 = 4 << 20;

/// The system's authorities, and those of the file.
///
/// # Errors
/// The file cannot be read, or holds none.
pub(super) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let bad = |why: &dyn std::fmt::Display| ClientError::Endpoint(format!("{}: {why}", path.display()));
        let mut pem = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut pem));
        read.map_err(|why| bad(&why))?;
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|why| bad(&why))?;
            roots.add(certificate).map_err(|why| bad(&why))?;
        }
        if roots.len() == before {
            return Err(bad(&"it holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|why| ClientError::Endpoint(why.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
