//! A socket that the service manager holds: what is sent while nobody serves it waits, and is taken.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use ghrunner::config::Config;
use ghrunner::daemon::webhook::intake_listener;
use ghrunner::http::IntakeLimits;
use ghrunner::systemd::Sockets;
use tokio::io::AsyncWriteExt as _;

use crate::bench::*;

/// No name of ours.
const STRANGER: &str = "varlink";

/// Runs the child below with `listener` as the one socket that was passed, under this name.
async fn serve_passed(name: &str) -> (Option<u16>, bool) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody serves it yet.
    let mut early = connect("127.0.0.1", address).await;
    early.write_all(&Post::job(1).bytes()).await.unwrap();
    let shell = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\" 3<&0 </dev/null";
    let words =
        [["sh", "-c", shell].map(str::to_owned).to_vec(), child("passed::a_child_that_was_passed_a_socket")];
    let mut command = command(&words.concat());
    command.env("LISTEN_FDNAMES", name).stdin(Stdio::from(OwnedFd::from(listener))).stdout(Stdio::null());
    if name == STRANGER {
        // It complains at length, as it should.
        command.stderr(Stdio::null());
    }
    let ended = tokio::task::spawn_blocking(move || command.status().unwrap());
    let status = status(&mut early).await;
    (status, ended.await.unwrap().success())
}

#[tokio::test]
async fn a_delivery_that_came_before_the_start_is_taken() {
    assert_eq!(serve_passed("webhook").await, (Some(202), true));
    assert_eq!(serve_passed("ghrunner.socket").await, (Some(202), true), "without a name it has its unit's");
}

#[tokio::test]
async fn a_socket_of_another_name_is_not_taken() {
    assert_eq!(serve_passed(STRANGER).await, (None, false));
}

#[tokio::test]
async fn a_child_that_was_passed_a_socket() {
    if !is_child() {
        return;
    }
    let text = "[github]\ntoken = { credential = \"t\" }\n[http]\nlisten = \"systemd\"\n";
    let config = Config::from_text("t", text).into_result().unwrap();
    let mut sockets = Sockets::from_env();
    let listener = intake_listener(&config, &mut sockets).unwrap().unwrap();
    assert!(std::env::var_os("LISTEN_FDS").is_none(), "it is not passed on");
    assert!(intake_listener(&config, &mut sockets).is_err(), "there was one only");
    let mut bench = Bench::on(listener, settings(), IntakeLimits::default());
    bench.open_book();
    bench.until(|heard| heard.hooks.accepted == 1).await;
    // The answer may still be on its way.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
}

#[test]
fn where_nothing_is_configured_nothing_listens() {
    let github = "[github]\ntoken = { credential = \"t\" }\n";
    let config = |more: &str| Config::from_text("t", &format!("{github}{more}")).into_result().unwrap();
    let mut sockets = Sockets::from_env();
    assert!(intake_listener(&config(""), &mut sockets).unwrap().is_none());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[http]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    let error = intake_listener(&config(&listen), &mut sockets).unwrap_err();
    assert!(error.to_string().contains("http.listen"), "{error}");
    let error = intake_listener(&config("[http]\nlisten = \"systemd\"\n"), &mut sockets).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("ListenStream="), "{cause}");
}
