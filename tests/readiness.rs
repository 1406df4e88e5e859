//! What the service manager hears of the real binary while it starts and reloads.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod rig;

use nix::sys::signal::Signal;
use rig::Daemon;
use rig::Manager;
use rig::Rig;

fn started(rig: &Rig) -> (Daemon, Manager) {
    let manager = Manager::at(&rig.path("notify"));
    let mut command = rig.run_command();
    command.env("NOTIFY_SOCKET", &manager.path);
    (rig.daemon_with(command), manager)
}

#[test]
fn a_daemon_that_waits_for_its_engine_asks_for_time_and_is_not_ready_by_a_reload() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 0\nmax = 2"));
    std::fs::rename(rig.path("engine.sock"), rig.path("away")).unwrap();
    let (daemon, manager) = started(&rig);
    let heard = manager.hears("STATUS=waiting for the container engine");
    assert!(heard.iter().all(|message| !message.contains("READY=1")), "{heard:?}");
    assert!(heard.iter().filter(|m| m.contains("STATUS=")).all(|m| m.contains("EXTEND_TIMEOUT_USEC=")));
    // The reload is done, and it is no start.
    rig.write(&rig.good("min = 0\nmax = 3"));
    daemon.signal(Signal::SIGHUP);
    daemon.says("is in force");
    manager.heard();
    let heard = manager.hears("STATUS=waiting for the container engine");
    assert!(heard.iter().all(|message| !message.contains("READY=1")), "{heard:?}");
    std::fs::rename(rig.path("away"), rig.path("engine.sock")).unwrap();
    let heard = manager.hears("READY=1");
    let last = heard.last().unwrap();
    assert!(!last.contains("EXTEND_TIMEOUT_USEC"), "{heard:?}");
}

#[test]
fn a_reload_of_a_daemon_that_is_ready_is_told_from_beginning_to_end() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 0\nmax = 2"));
    let (daemon, manager) = started(&rig);
    manager.hears("READY=1");
    for text in ["[pools", &rig.good("min = 0\nmax = 3")] {
        rig.write(text);
        daemon.signal(Signal::SIGHUP);
        let mut heard = manager.hears("READY=1");
        heard.retain(|m| m.starts_with("RELOADING") || m.starts_with("READY"));
        assert!(heard[0].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{heard:?}");
        assert!(heard.len() == 2 && heard[1].starts_with("READY=1"), "{heard:?}");
    }
    daemon.signal(Signal::SIGTERM);
    manager.hears("STOPPING=1");
}
