//! What can happen to the listener: signals, the worker's end, an answer to its poll.

use std::sync::mpsc::Sender;

use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitPidFlag;
use nix::sys::wait::WaitStatus;
use nix::sys::wait::waitpid;
use serde_json::Value;

use crate::client::Failure;

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// Told to end.
    Stop(Signal),
    /// A child ended, with this code (128 + n by a signal).
    Child(i32, i32),
    /// The poll came back.
    Poll(Result<Value, Failure>),
}

/// Blocks the signals we wait for, in this thread and all that it starts, and tells of them. As
/// PID 1 this is what makes them arrive at all. Children that nobody waits for are reaped here too.
pub(crate) fn watch(to: Sender<Event>) -> nix::Result<()> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        set.add(signal);
    }
    set.thread_block()?;
    std::thread::spawn(move || {
        while let Ok(signal) = set.wait() {
            let sent = match signal {
                Signal::SIGCHLD => reap(&to),
                other => to.send(Event::Stop(other)).is_ok(),
            };
            if !sent {
                return;
            }
        }
    });
    Ok(())
}

fn reap(to: &Sender<Event>) -> bool {
    loop {
        let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, code),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return true,
            Ok(_) => continue,
        };
        if to.send(Event::Child(pid.as_raw(), code)).is_err() {
            return false;
        }
    }
}
