//! What the service manager, or a terminal, asks by signal.

use std::io;

use tokio::signal::unix;
use tokio::signal::unix::SignalKind;

/// Something asked by signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: stop in good order.
    Stop,
    /// A second one of those: stop at once.
    StopNow,
}

/// The signals of this process, from now on.
#[derive(Debug)]
pub struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    stopping: bool,
}

impl Signals {
    /// Takes over SIGHUP, SIGTERM and SIGINT. Must be called within a tokio runtime, and before `READY=1` goes out:
    /// systemd may send SIGHUP right after it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            stopping: false,
        })
    }

    /// The next signal. Cancel-safe: one that is not waited for stays until it is.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => return Signal::Reload,
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        if std::mem::replace(&mut self.stopping, true) { Signal::StopNow } else { Signal::Stop }
    }
}
