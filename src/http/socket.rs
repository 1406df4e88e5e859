//! The socket's file: made safely, never taken from a daemon that lives.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

use nix::fcntl::Flock;
use nix::fcntl::FlockArg;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::Uid;
use tokio::net::UnixListener;

use super::Operators;

/// Owner and group may connect, which on a socket means writing (unix(7)).
const SOCKET_MODE: u32 = 0o660;

/// All may connect, where members of a further group are to be answered.
const OPEN_MODE: u32 = 0o666;

/// The runtime directory, where it has to be made: all may enter, so that clients learn why they are refused.
const DIR_MODE: u32 = 0o755;

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon holds it.
    #[error("ghrunner already runs{} and holds {path}; stop that one first, or give this one another --runtime-dir", .pid.map(|p| format!(" as process {p}")).unwrap_or_default())]
    AlreadyRuns {
        /// The socket.
        path: PathBuf,
        /// Its process, where the kernel tells.
        pid: Option<i32>,
    },
    /// A file is in the way that is no socket.
    #[error("{path} is there and is no socket; move it away")]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The socket that was passed cannot be looked at.
    #[error(
        "the control socket that systemd passed has no path; its unit's ListenStream= is a path in the file system"
    )]
    Nameless,
    /// The system refused.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

/// The control socket. Dropping one that was bound here removes the file; one that was passed is the service manager's.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    operators: Operators,
    listener: Option<UnixListener>,
    passed: bool,
    /// Held as long as this lives: the kernel lets go of it however the process ends.
    _lock: Flock<fs::File>,
}

impl ControlSocket {
    /// Binds the socket, making its directory if need be and replacing a dead daemon's file.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Another daemon lives there, something else is in the way, or the system refuses.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        make_dir(path)?;
        let lock = lock(path)?;
        refuse_if_taken(path)?;
        let listener = bind_aside(path)?;
        Ok(Self {
            operators: operators(path)?,
            path: path.to_owned(),
            listener: Some(listener),
            passed: false,
            _lock: lock,
        })
    }

    /// Takes a socket that the service manager holds, which must not block. Its file's group may operate, and its mode is the
    /// manager's affair. `usual` is where this daemon's socket would be else: by a lock there two daemons notice each other.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Another daemon lives there, the socket has no file, or the system refuses.
    pub fn passed(listener: std::os::unix::net::UnixListener, usual: &Path) -> Result<Self, SocketError> {
        make_dir(usual)?;
        let lock = lock(usual)?;
        let address = listener.local_addr().map_err(|e| failed("look at", usual, e))?;
        let path = address.as_pathname().ok_or(SocketError::Nameless)?;
        let listener = UnixListener::from_std(listener).map_err(|e| failed("use", path, e))?;
        Ok(Self {
            operators: operators(path)?,
            path: path.to_owned(),
            listener: Some(listener),
            passed: true,
            _lock: lock,
        })
    }

    /// Lets members of a group look, too. All of this host may knock then, and whoever is not known is refused: a file has one
    /// group only, and it is the operators'.
    ///
    /// # Errors
    /// The system refuses.
    pub fn with_readers(mut self, gid: Option<u32>) -> Result<Self, SocketError> {
        self.operators.readers = gid;
        if gid.is_some() && !self.passed {
            let open = fs::Permissions::from_mode(OPEN_MODE);
            fs::set_permissions(&self.path, open).map_err(|e| failed("set the mode of", &self.path, e))?;
        }
        Ok(self)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who may use it: see [`Operators`].
    pub fn operators(&self) -> &Operators {
        &self.operators
    }

    /// The listener, once.
    pub(super) fn take_listener(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if self.passed {
            return;
        }
        // Without the file a client is told at once that nothing runs. Failing to remove it only costs the next start a
        // connect test.
        let _ = fs::remove_file(&self.path);
    }
}

/// Who may operate at this file.
fn operators(path: &Path) -> Result<Operators, SocketError> {
    let gid = fs::metadata(path).map_err(|e| failed("look at", path, e))?.gid();
    Ok(Operators { uid: Uid::effective().as_raw(), gid, readers: None })
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> SocketError {
    SocketError::Io { what, path: path.to_owned(), source }
}

fn make_dir(path: &Path) -> Result<(), SocketError> {
    let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty() && !d.exists()) else {
        return Ok(());
    };
    fs::create_dir_all(dir).map_err(|e| failed("create", dir, e))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(DIR_MODE))
        .map_err(|e| failed("set the mode of", dir, e))
}

/// Two daemons that start in the same instant both find no living socket; the lock lets one of them through.
fn lock(path: &Path) -> Result<Flock<fs::File>, SocketError> {
    let lock_path = path.with_extension("lock");
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|e| failed("open", &lock_path, e))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EAGAIN => {
            SocketError::AlreadyRuns { path: path.to_owned(), pid: listening_pid(path) }
        }
        other => failed("lock", &lock_path, other.into()),
    })
}

/// The process that listens there, if one does.
fn listening_pid(path: &Path) -> Option<i32> {
    let stream = UnixStream::connect(path).ok()?;
    getsockopt(&stream, PeerCredentials).ok().map(|cred| cred.pid())
}

fn refuse_if_taken(path: &Path) -> Result<(), SocketError> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed("look at", path, e)),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(stream) => {
            let pid = getsockopt(&stream, PeerCredentials).ok().map(|cred| cred.pid());
            Err(SocketError::AlreadyRuns { path: path.to_owned(), pid })
        }
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(e) => Err(failed("try", path, e)),
    }
}

/// Binds beside the place and renames into it: nobody ever meets a socket with a mode that is not its own, and a stale
/// file is replaced in one step.
fn bind_aside(path: &Path) -> Result<UnixListener, SocketError> {
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&aside);
    let listener = UnixListener::bind(&aside).map_err(|e| failed("bind", &aside, e))?;
    fs::set_permissions(&aside, fs::Permissions::from_mode(SOCKET_MODE))
        .and_then(|()| fs::rename(&aside, path))
        .map_err(|e| failed("put in place", path, e))?;
    Ok(listener)
}
