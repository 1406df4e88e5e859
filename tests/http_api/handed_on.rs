//! The real daemon: sockets that the service manager holds and passes on, and who may do what at the control socket.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use ghrunner::client::Endpoint;
use ghrunner::client::blocking::Client;
use ghrunner::client::call;
use ghrunner::model::Secret;
use nix::unistd::Group;
use nix::unistd::Uid;

use crate::rig::Rig;
use crate::rig::eventually;

const CREDENTIAL: &str = "a-credential-that-may-look";

/// The command as a service manager starts it: with these two sockets, by these names.
fn handed(command: &Command, names: &str, control: UnixListener, api: std::net::TcpListener) -> Command {
    let shell = "export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$0\" \"$@\" 3<&0 4<&1 </dev/null >/dev/null";
    let mut wrapped = Command::new("sh");
    wrapped.args(["-c", shell]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped.env("LISTEN_FDNAMES", names);
    wrapped.stdin(Stdio::from(OwnedFd::from(control))).stdout(Stdio::from(OwnedFd::from(api)));
    wrapped
}

fn credential(rig: &Rig) -> String {
    fs::write(rig.path("read"), CREDENTIAL).unwrap();
    open(&rig.path("read"), 0o600);
    format!("read = [{{ file = \"{}\" }}]", rig.path("read").display())
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn passed_sockets_are_taken_by_their_names_and_left_where_they_are() {
    let rig = Rig::new();
    rig.write(&format!("{}\n[api]\nlisten = \"systemd\"\n{}\n", rig.good(""), credential(&rig)));
    let held = rig.path("held");
    let control = UnixListener::bind(&held).unwrap();
    let api = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Endpoint::network(format!("http://{}", api.local_addr().unwrap()), Secret::new(CREDENTIAL));
    // Nobody serves them yet: who asks now waits, and is answered.
    let early = Client::at_socket(&held);
    let early =
        std::thread::spawn(move || early.ask(call::whoami().within(Duration::from_secs(50))).unwrap());
    let mut daemon = rig.daemon_as(handed(&rig.run_command(), "control:api", control, api));
    assert_eq!(early.join().unwrap().role, "operate");
    let over_tcp = Client::new(&place).unwrap();
    assert_eq!(over_tcp.ask(call::whoami()).unwrap().role, "read");
    assert!(!rig.path("run/s").exists(), "no second control socket beside the one that was passed");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ended().success(), "{}", daemon.said());
    assert!(held.exists(), "it is the service manager's");
}

#[test]
fn where_a_socket_was_to_be_passed_and_none_was_the_daemon_says_so() {
    let rig = Rig::new();
    rig.write(&format!("{}\n[api]\nlisten = \"systemd\"\n{}\n", rig.good(""), credential(&rig)));
    let (code, said) = rig.ends();
    assert_ne!(code, 0);
    assert!(said.contains("api.listen") && said.contains("FileDescriptorName=api"), "{said}");
}

/// Needs root, to become somebody else; then it is the real kernel's word about the real peer.
#[test]
fn members_of_the_read_group_look_and_others_do_nothing() {
    let group = Group::from_gid(65_534.into()).ok().flatten();
    let (true, Some(group)) = (Uid::effective().is_root(), group) else { return };
    let rig = Rig::new();
    rig.write(&format!("{}\n[api]\nread_group = \"{}\"\n", rig.good(""), group.name));
    let _daemon = rig.daemon();
    rig.shows(&["build"]);
    // A copy, since the build's own folder may be closed to strangers.
    let binary = rig.path("ghrunner");
    fs::copy(env!("CARGO_BIN_EXE_ghrunner"), &binary).unwrap();
    open(&binary, 0o755);
    open(binary.parent().unwrap(), 0o755);
    let ask = |gid: u32, arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.arg("--socket").arg(rig.path("run/s")).args(arguments).uid(65_533).gid(gid);
        let output = command.env_remove("RUNTIME_DIRECTORY").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(ask(65_534, &["status"]), (Some(0), String::new()));
    assert_eq!(ask(65_534, &["pools", "show", "build"]).0, Some(0));
    for steering in [&["pools", "drain", "build"][..], &["runners", "stop", "x", "--force"], &["reload"]] {
        let (code, text) = ask(65_534, steering);
        assert_eq!(code, Some(77), "{text}");
        assert!(text.contains("may look and not steer"), "{text}");
    }
    let (code, text) = ask(65_532, &["status"]);
    assert_eq!(code, Some(77), "{text}");
    assert!(text.contains("user 65533 may not operate ghrunner"), "{text}");
    eventually(|| rig.ask(&["pools", "drain", "build"]).status.success()).unwrap();
}

#[test]
fn a_group_that_is_not_there_is_named() {
    let rig = Rig::new();
    rig.write(&format!("{}\n[api]\nread_group = \"no-such-group-here\"\n", rig.good("")));
    let checked = rig.command(&["check"]).arg(rig.path("pools.toml")).output().unwrap();
    let text = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success() && text.contains("no group no-such-group-here"), "{text}");
    let daemon = rig.daemon();
    daemon.says("there is no group no-such-group-here");
    let mode = || fs::metadata(rig.path("run/s")).map(|meta| meta.permissions().mode() & 0o777).ok();
    eventually(|| mode() == Some(0o660)).unwrap();
}
