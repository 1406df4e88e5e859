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

/// The bound control socket. Dropping it removes the file.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    operators: Operators,
    listener: Option<UnixListener>,
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
        let gid = fs::metadata(path).map_err(|e| failed("look at", path, e))?.gid();
        let operators = Operators { uid: Uid::effective().as_raw(), gid };
        Ok(Self { path: path.to_owned(), operators, listener: Some(listener), _lock: lock })
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
        // Without the file a client is told at once that nothing runs. Failing to remove it only costs the next start a
        // connect test.
        let _ = fs::remove_file(&self.path);
    }
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
