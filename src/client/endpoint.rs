//! Where a daemon is, and by what it knows who asks.

use std::path::Path;
use std::path::PathBuf;

use crate::model::Secret;

/// Where a daemon is, and by what it knows who asks.
///
/// ```
/// use ghrunner::client::Endpoint;
/// use ghrunner::model::Secret;
///
/// let here = Endpoint::socket("/run/ghrunner/ghrunner.sock");
/// let there = Endpoint::network("https://ci.example:8443", Secret::new("…")).with_ca_file("/etc/ssl/ours.pem");
/// assert!(format!("{there:?}").contains("***"));
/// ```
#[derive(Debug, Clone)]
pub struct Endpoint(pub(super) Place);

#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The daemon looks at the process that connects.
    Socket(PathBuf),
    /// The daemon looks at the credential.
    Network { base: String, credential: Secret, ca_file: Option<PathBuf>, in_the_clear: bool },
}

impl Endpoint {
    /// The control socket of a daemon on this machine, usually `/run/ghrunner/ghrunner.sock`.
    pub fn socket(path: impl Into<PathBuf>) -> Self {
        Self(Place::Socket(path.into()))
    }

    /// A daemon that has an `[api]` table, by its address, such as `https://ci.example:8443`, with one of the credentials
    /// that the table names. The address may have a path, below which a proxy has put the API.
    ///
    /// Certificates are held against the system's authorities. An address with `http://` is refused unless it is this
    /// machine's own: see [`Endpoint::in_the_clear`].
    pub fn network(base: impl Into<String>, credential: Secret) -> Self {
        Self(Place::Network { base: base.into(), credential, ca_file: None, in_the_clear: false })
    }

    /// With further authorities for certificates, from a PEM file. Says nothing of a socket.
    #[must_use]
    pub fn with_ca_file(mut self, path: impl AsRef<Path>) -> Self {
        if let Place::Network { ca_file, .. } = &mut self.0 {
            *ca_file = Some(path.as_ref().to_owned());
        }
        self
    }

    /// Lets the credential go over the network as everybody on the way can read it, where the address is one with
    /// `http://`. Says nothing of a socket.
    #[must_use]
    pub fn in_the_clear(mut self) -> Self {
        if let Place::Network { in_the_clear, .. } = &mut self.0 {
            *in_the_clear = true;
        }
        self
    }
}
