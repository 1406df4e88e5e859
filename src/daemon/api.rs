//! The API over TCP as the configuration names it.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::DaemonError;
use crate::config::Config;
use crate::config::Listen;
use crate::config::SecretSource;
use crate::config::TlsFiles;
use crate::http;
use crate::http::Api;
use crate::http::ApiSettings;
use crate::http::Bearers;
use crate::http::Certificate;
use crate::http::ControlSocket;
use crate::http::Role;
use crate::http::Transport;
use crate::model::Secret;
use crate::systemd::Secrets;
use crate::systemd::Sockets;

/// How often the certificate's files are looked at: whoever renews them need not tell.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The largest certificate or key that is read: chains have some kilobytes.
const MAX_BYTES: u64 = 1 << 20;
/// Shorter credentials could be guessed by trying.
const SHORT: usize = 20;

/// By which name a socket unit may pass the socket of the API over TCP (`FileDescriptorName=`).
pub const API_SOCKET: &str = "api";
/// By which name one may pass the control socket.
pub const CONTROL_SOCKET: &str = "control";

/// Brings the API what the file says. Cheap to clone.
#[derive(Clone)]
pub(super) struct Settings {
    secrets: Arc<Secrets>,
    known: Arc<Mutex<Known>>,
    tell: watch::Sender<Arc<ApiSettings>>,
}

/// What the file said last, and the certificate that was good last.
#[derive(Default)]
struct Known {
    bearers: Vec<(String, Role, Secret)>,
    origins: Vec<String>,
    files: Option<TlsFiles>,
    stamp: Option<Stamp>,
    certificate: Option<Certificate>,
}

/// What changes when a file is written or replaced.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

/// Listens, if the file says where.
///
/// # Errors
/// The address cannot be had.
pub(super) fn start(
    config: &Config,
    secrets: &Arc<Secrets>,
    sockets: &mut Sockets,
    api: Api,
    stop: &CancellationToken,
) -> Result<Settings, DaemonError> {
    let (tell, settings) = watch::channel(Arc::default());
    let bringer = Settings { secrets: Arc::clone(secrets), known: Arc::default(), tell };
    bringer.bring(config);
    let Some(wanted) = &config.api else { return Ok(bringer) };
    let failed = |source| DaemonError::System { what: "listen for the API (api.listen)", source };
    let listener = listener(wanted.listen, sockets).map_err(failed)?;
    let connections = usize::try_from(wanted.connections).unwrap_or(usize::MAX);
    let token = stop.clone();
    tokio::spawn(async move {
        if let Err(error) = http::serve_tcp(listener, connections, api, settings, token).await {
            tracing::error!("The API cannot be served over TCP: {error}");
        }
    });
    tokio::spawn(bringer.clone().follow_files(stop.clone()));
    Ok(bringer)
}

/// The API's socket: the one that was passed, else one bound to the address.
///
/// # Errors
/// The address cannot be had, or a socket was to be passed and none was.
pub fn listener(listen: Listen, sockets: &mut Sockets) -> io::Result<TcpListener> {
    if let Some(passed) = sockets.take_named_tcp(API_SOCKET)? {
        return Ok(passed);
    }
    match listen {
        Listen::Passed => Err(io::Error::other(format!(
            "systemd passed no socket; a socket unit with ListenStream= and FileDescriptorName={API_SOCKET} does"
        ))),
        Listen::Address(address) => {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        }
    }
}

/// The control socket: the one that was passed, else one at the usual place. Members of `api.read_group` may look.
///
/// # Errors
/// It cannot be had, or another daemon has it.
pub fn control_socket(
    usual: &Path,
    readers: Option<&str>,
    sockets: &mut Sockets,
) -> Result<ControlSocket, DaemonError> {
    let failed = |source| DaemonError::System { what: "take the control socket that was passed", source };
    let socket = match sockets.take_named_unix(CONTROL_SOCKET).map_err(failed)? {
        Some(passed) => ControlSocket::passed(passed, usual)?,
        None => ControlSocket::bind(usual)?,
    };
    let gid = readers.and_then(|name| {
        let gid = http::group(name);
        if gid.is_none() {
            tracing::warn!("api.read_group: there is no group {name}; nobody may only look");
        }
        gid
    });
    Ok(socket.with_readers(gid)?)
}

impl Settings {
    /// Takes what the file says now; credentials and certificates are read anew.
    pub(super) fn bring(&self, config: &Config) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let api = config.api.as_ref();
        let sources = api.into_iter().flat_map(|api| {
            let of = |role| move |source| (role, source);
            api.read.iter().map(of(Role::Read)).chain(api.operate.iter().map(of(Role::Operate)))
        });
        known.bearers = sources.filter_map(|(role, source)| self.credential(role, source)).collect();
        known.origins = api.map(|api| api.cors_origins.clone()).unwrap_or_default();
        let files = api.and_then(|api| api.tls.clone());
        if files != known.files {
            known.certificate = None;
        }
        known.files = files;
        self.read_certificate(&mut known);
        self.publish(&known);
    }

    /// One that cannot be read leaves the others in use.
    fn credential(&self, role: Role, source: &SecretSource) -> Option<(String, Role, Secret)> {
        let name = name(source);
        match self.secrets.resolve(source) {
            Ok(found) => {
                if let Some(warning) = found.warning {
                    tracing::warn!("{warning}");
                }
                if found.secret.reveal().trim().len() < SHORT {
                    tracing::warn!(
                        "The API's credential {name} has fewer than {SHORT} characters and could be guessed; \
                         `openssl rand -base64 32` makes a good one"
                    );
                }
                Some((name, role, found.secret))
            }
            Err(error) => {
                tracing::error!("The API's credential {name} is not accepted from anybody: {error}");
                None
            }
        }
    }

    /// The certificate of the files as they are; one that is no good leaves the last good one in use.
    fn read_certificate(&self, known: &mut Known) {
        let Some(files) = known.files.clone() else {
            (known.certificate, known.stamp) = (None, None);
            return;
        };
        known.stamp = Some(stamp(&files));
        match certificate(&files) {
            Ok(certificate) => known.certificate = Some(certificate),
            Err(why) if known.certificate.is_some() => {
                tracing::error!("The API keeps its last good certificate: {why}");
            }
            Err(why) => {
                tracing::error!("The API answers nobody over TCP, for want of a good certificate: {why}")
            }
        }
    }

    fn publish(&self, known: &Known) {
        let transport = match (&known.files, &known.certificate) {
            (None, _) => Transport::Plain,
            (Some(_), Some(certificate)) => Transport::Tls(certificate.clone()),
            (Some(_), None) => Transport::Broken,
        };
        self.tell.send_replace(Arc::new(ApiSettings {
            bearers: Bearers::new(known.bearers.iter().cloned()),
            origins: known.origins.clone(),
            transport,
        }));
    }

    /// Takes a renewed certificate by itself.
    async fn follow_files(self, stop: CancellationToken) {
        while tokio::time::timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(files) = &known.files else { continue };
            if known.stamp.as_ref() != Some(&stamp(files)) {
                tracing::info!("The API's certificate or key has changed and is read again");
                self.read_certificate(&mut known);
                self.publish(&known);
            }
        }
    }
}

/// What a credential is called where it is spoken of: never what it is.
fn name(source: &SecretSource) -> String {
    match source {
        SecretSource::Credential(name) | SecretSource::Env(name) => name.clone(),
        SecretSource::File(path) => {
            path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
        }
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.cert, &files.key].map(|path| {
        let found = fs::metadata(path).ok()?;
        Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
    })
}

fn certificate(files: &TlsFiles) -> Result<Certificate, String> {
    let (chain, key) = (read(&files.cert)?, read(&files.key)?);
    let key = String::from_utf8(key).map_err(|_| format!("{} is no PEM file", files.key.display()))?;
    Certificate::of_pem(&chain, &Secret::new(key))
        .map_err(|why| format!("{}, {}: {why}", files.cert.display(), files.key.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let unreadable = |why: std::io::Error| format!("{}: {why}", path.display());
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(unreadable)?.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
