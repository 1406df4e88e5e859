//! Signals as the daemon takes them. Alone in its file: a signal is for the whole process.

use ghrunner::systemd::Signal;
use ghrunner::systemd::Signals;
use nix::sys::signal;
use nix::unistd::Pid;

#[tokio::test]
async fn hangup_reloads_and_the_second_stop_is_at_once() {
    let mut signals = Signals::listen().unwrap();
    let send = |what| signal::kill(Pid::this(), what).unwrap();
    send(signal::Signal::SIGHUP);
    assert_eq!(signals.next().await, Signal::Reload);
    send(signal::Signal::SIGTERM);
    assert_eq!(signals.next().await, Signal::Stop);
    send(signal::Signal::SIGHUP);
    assert_eq!(signals.next().await, Signal::Reload);
    send(signal::Signal::SIGINT);
    assert_eq!(signals.next().await, Signal::StopNow);
}
