//! TLS for the API: a certificate and its key, as text of two files.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::model::Secret;

/// A certificate that can be shown. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificate(pub(super) Arc<ServerConfig>);

impl Certificate {
    /// Of PEM texts: the certificate with its chain, and its key.
    ///
    /// # Errors
    /// In words: one is no PEM, or they do not belong together.
    pub fn of_pem(chain: &[u8], key: &Secret) -> Result<Self, String> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = found.map_err(|why| format!("the certificate is no PEM file: {why}"))?;
        if chain.is_empty() {
            return Err("the certificate's file holds none".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
        // Without the parser's words, which may hold a part of the key.
        let key = key.map_err(|_| "the key's file holds no private key in PEM form".to_owned())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_no_client_auth();
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|why| format!("certificate and key do not go together: {why}"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}
