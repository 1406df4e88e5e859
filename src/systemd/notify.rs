//! Telling the service manager how things stand, by sd_notify(3).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

/// systemd shows one line; a longer text would only be cut somewhere else.
const STATUS_MAX_CHARS: usize = 200;

/// The line to the service manager; silent when there is none. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    socket: Option<Arc<UnixDatagram>>,
}

impl Notifier {
    /// Speaks to `$NOTIFY_SOCKET`, or to nobody when it is absent or cannot be reached.
    pub fn from_env() -> Self {
        match env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) {
            None => Self::default(),
            Some(path) => Self::to(&path).unwrap_or_else(|error| {
                tracing::warn!("Cannot reach the service manager's notification socket: {error}");
                Self::default()
            }),
        }
    }

    /// Speaks to this socket: an absolute path, or `@name` for an abstract one.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn to(path: &OsString) -> io::Result<Self> {
        let address = match path.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(path)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not hold up a pass.
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        Ok(Self { socket: Some(Arc::new(socket)) })
    }

    /// `READY=1`: start-up, or a reload, is over. With it the status line, so that no moment shows the one without the
    /// other.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// `EXTEND_TIMEOUT_USEC=` and what the start waits for: it takes longer than the unit's `TimeoutStartSec=` allows, and
    /// the next word comes within `next`.
    pub fn starting(&self, status: &str, next: Duration) {
        let usec = u32::try_from(next.as_micros()).unwrap_or(u32::MAX);
        self.send(&[NotifyState::ExtendTimeoutUsec(usec), NotifyState::Status(&one_line(status))]);
    }

    /// `STATUS=`: what `systemctl status` shows.
    pub fn status(&self, line: &str) {
        self.send(&[NotifyState::Status(&one_line(line))]);
    }

    /// `WATCHDOG=1`. To be called when a pass has ended, and only then: a timer would go on ticking beside a loop that
    /// hangs.
    pub fn watchdog(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    /// `RELOADING=1` with `MONOTONIC_USEC=`, without which `Type=notify-reload` does not know whether this answers its
    /// SIGHUP or an older one. [`Notifier::ready`] ends it, however the reload went.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("Cannot read the monotonic clock: {error}"),
        }
    }

    /// `STOPPING=1`.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping, NotifyState::Status("stopping; runners go on by themselves")]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::debug!(%error, "Cannot tell the service manager");
        }
    }
}

/// A line end would begin another assignment.
fn one_line(text: &str) -> String {
    let flat = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = flat.clone().take(STATUS_MAX_CHARS).collect();
    if flat.count() > STATUS_MAX_CHARS {
        line.push('…');
    }
    line
}

/// Within which time the manager wants to hear of a finished pass (`$WATCHDOG_USEC`, for this process only).
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Notifier, UnixDatagram, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (Notifier::to(&path.into_os_string()).unwrap(), manager, dir)
    }

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let n = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..n].to_vec()).unwrap()
    }

    #[test]
    fn says_what_sd_notify_describes() {
        let (notifier, manager, _dir) = pair();
        notifier.ready("3 of 4 runners");
        assert_eq!(heard(&manager), "READY=1\nSTATUS=3 of 4 runners\n");
        notifier.watchdog();
        assert_eq!(heard(&manager), "WATCHDOG=1\n");
        notifier.starting("waiting", Duration::from_secs(2));
        assert_eq!(heard(&manager), "EXTEND_TIMEOUT_USEC=2000000\nSTATUS=waiting\n");
        notifier.stopping();
        assert!(heard(&manager).starts_with("STOPPING=1\nSTATUS="));
    }

    #[test]
    fn a_reload_carries_the_time_it_began() {
        let (notifier, manager, _dir) = pair();
        notifier.reloading();
        let message = heard(&manager);
        let usec = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
        let now = nix::time::ClockId::CLOCK_MONOTONIC.now().map(Duration::from).unwrap();
        assert!(now.as_micros() - usec.parse::<u128>().unwrap() < 5_000_000, "{message}");
    }

    #[test]
    fn a_status_cannot_smuggle_in_another_assignment() {
        let (notifier, manager, _dir) = pair();
        notifier.status("bad\nMAINPID=1");
        assert_eq!(heard(&manager), "STATUS=bad MAINPID=1\n");
        notifier.status(&"x".repeat(500));
        assert!(heard(&manager).chars().count() < 220);
    }

    #[test]
    fn is_silent_without_a_manager() {
        let notifier = Notifier::default();
        notifier.ready("x");
        notifier.reloading();
        let (gone, manager, _dir) = pair();
        drop(manager);
        gone.status("nobody hears this");
    }

    #[test]
    fn reaches_an_abstract_socket() {
        let name = format!("ghrunner-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        Notifier::to(&OsString::from(format!("@{name}"))).unwrap().watchdog();
        assert_eq!(heard(&manager), "WATCHDOG=1\n");
    }
}
