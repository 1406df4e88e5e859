//! The control API over a real Unix socket, byte by byte where it matters.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;

use std::io::Read;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

use cli_fleet::FakeDaemon;
use cli_fleet::snapshot;
use ghrunner::http::ControlSocket;
use ghrunner::http::SocketError;
use ghrunner::http::dto;

/// Sends one request and reads until the server closes: status, head, body.
fn exchange(socket: &Path, request: &str) -> (u16, String, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

fn get(socket: &Path, path: &str) -> (u16, String, String) {
    exchange(socket, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
}

fn post(socket: &Path, path: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    exchange(
        socket,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ),
    )
}

#[test]
fn what_is_sent_can_be_read_back() {
    let daemon = FakeDaemon::start();
    let (status, _, body) = get(&daemon.socket, "/api/v1/status");
    assert_eq!(status, 200);
    let read: dto::Status = serde_json::from_str(&body).unwrap();
    assert_eq!(read, dto::Status::from(&snapshot()));
}

#[test]
fn errors_are_problems() {
    let daemon = FakeDaemon::start();
    for (path, code) in [
        ("/api/v1/pools/nope", "no_such_pool"),
        ("/api/v1/runners/nope", "no_such_runner"),
        ("/v1/status", "no_such_path"),
        ("/api/v1/nope", "no_such_path"),
    ] {
        let (status, head, body) = get(&daemon.socket, path);
        assert_eq!(status, 404, "{path}");
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        let problem: ghrunner::http::Problem = serde_json::from_str(&body).unwrap();
        assert_eq!(problem.code, code, "{path}");
    }
    assert_eq!(post(&daemon.socket, "/api/v1/status", "").0, 405);
    assert_eq!(get(&daemon.socket, "/api/v1/runners/x/logs?tail=many").0, 400);
    assert_eq!(get(&daemon.socket, "/api/v1/runners/x/logs?tails=5").0, 400);
}

#[test]
fn a_body_is_read_strictly_and_only_so_far() {
    let daemon = FakeDaemon::start();
    assert_eq!(post(&daemon.socket, "/api/v1/mode", r#"{"mode":"repository","dry_run":true}"#).0, 200);
    assert_eq!(post(&daemon.socket, "/api/v1/mode", r#"{"mode":"monarchy"}"#).0, 422);
    assert_eq!(post(&daemon.socket, "/api/v1/mode", r#"{"mode":"repository","dryrun":true}"#).0, 422);
    assert_eq!(post(&daemon.socket, "/api/v1/mode", "{").0, 400);
    let large = format!(r#"{{"mode":"repository","x":"{}"}}"#, "y".repeat(20_000));
    assert_eq!(post(&daemon.socket, "/api/v1/mode", &large).0, 413);
    assert_eq!(daemon.asked(), ["mode Repository dry_run=true"]);
}

#[test]
fn the_socket_is_for_owner_and_group_only_and_gone_after_the_stop() {
    let daemon = FakeDaemon::start();
    let path = daemon.socket.clone();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    drop(daemon);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_daemons_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ghrunner.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(UnixStream::connect(&path).is_err());
    let socket = ControlSocket::bind(&path).unwrap();
    assert!(UnixStream::connect(socket.path()).is_ok());
}

#[tokio::test]
async fn a_living_daemon_keeps_its_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run/ghrunner.sock");
    let first = ControlSocket::bind(&path).unwrap();
    let error = ControlSocket::bind(&path).unwrap_err();
    let pid = std::process::id();
    assert!(matches!(error, SocketError::AlreadyRuns { .. }), "{error}");
    assert!(error.to_string().contains(&format!("already runs as process {pid}")), "{error}");
    assert!(UnixStream::connect(first.path()).is_ok(), "the refusal left the socket alone");
}

#[tokio::test]
async fn a_daemon_without_a_lock_keeps_its_socket_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ghrunner.sock");
    let _other = UnixListener::bind(&path).unwrap();
    assert!(matches!(ControlSocket::bind(&path), Err(SocketError::AlreadyRuns { pid: Some(_), .. })));
}

#[tokio::test]
async fn a_file_in_the_way_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ghrunner.sock");
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(ControlSocket::bind(&path), Err(SocketError::NotASocket { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

/// Needs root, to become somebody else; then it is the real kernel's word about the real peer.
#[test]
fn a_stranger_is_refused_even_where_the_socket_is_open_to_all() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let daemon = FakeDaemon::start();
    let run = daemon.socket.parent().unwrap();
    let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    open(run.parent().unwrap(), 0o755);
    // A copy, since the build's own folder may be closed to strangers.
    let binary = run.join("ghrunner");
    std::fs::copy(env!("CARGO_BIN_EXE_ghrunner"), &binary).unwrap();
    open(&binary, 0o755);
    let status = |arguments: &[&str]| {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new(&binary);
        command.arg("--socket").arg(&daemon.socket).args(arguments).uid(65_534).gid(65_534);
        let output = command.env_remove("RUNTIME_DIRECTORY").output().unwrap();
        (output.status.code(), cli_fleet::stderr(&output))
    };
    let (code, text) = status(&["status"]);
    assert_eq!(code, Some(77), "{text}");
    assert!(text.contains("you may not open"), "{text}");
    open(&daemon.socket, 0o666);
    for arguments in [&["status"][..], &["rollback", "--yes"], &["pools", "drain", "build"]] {
        let (code, text) = status(arguments);
        assert_eq!(code, Some(77), "{text}");
        assert!(text.contains("user 65534 may not operate ghrunner"), "{text}");
    }
    assert_eq!(daemon.asked(), [""; 0]);
}
