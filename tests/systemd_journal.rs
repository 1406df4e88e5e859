//! What journald receives, by its native protocol, at a socket that a test has put in the real one's place.
//!
//! journald's path is fixed, so the test runs itself again in a mount namespace with an empty `/run`; that takes root.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use ghrunner::systemd::LogFormat;
use ghrunner::systemd::init_logging;

/// An empty `/run` of its own, then this binary's ignored test.
const INSIDE: &str = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && exec \"$0\" --ignored --exact \
                      fields_arrive_by_their_names --nocapture";

#[test]
fn journald_gets_fields() {
    let unshare = |line: &str| {
        let me = std::env::current_exe().unwrap();
        Command::new("unshare").args(["--mount", "sh", "-c", line]).arg(me).output()
    };
    // Not everyone who builds this may make namespaces.
    if !unshare("mount -t tmpfs none /run").is_ok_and(|o| o.status.success()) {
        return;
    }
    let output = unshare(INSIDE).unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

/// One message of the native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>), the last of equal names kept.
fn receive(journal: &UnixDatagram) -> BTreeMap<String, String> {
    let mut buffer = vec![0; 64 * 1024];
    let n = journal.recv(&mut buffer).unwrap();
    let mut rest = &buffer[..n];
    let mut fields = BTreeMap::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').unwrap();
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        let line = String::from_utf8(line.to_vec()).unwrap();
        if let Some((name, value)) = line.split_once('=') {
            fields.insert(name.to_owned(), value.to_owned());
            rest = after;
            continue;
        }
        let (length, after) = after.split_at(8);
        let length = usize::try_from(u64::from_le_bytes(length.try_into().unwrap())).unwrap();
        fields.insert(line, String::from_utf8(after[..length].to_vec()).unwrap());
        rest = &after[length + 1..];
    }
    fields
}

/// As [`receive`], past the empty probe that is sent at the start.
fn message(journal: &UnixDatagram) -> BTreeMap<String, String> {
    std::iter::repeat_with(|| receive(journal)).find(|fields| fields.contains_key("MESSAGE")).unwrap()
}

#[test]
#[ignore = "run by journald_gets_fields, in a namespace of its own"]
fn fields_arrive_by_their_names() {
    let journal = UnixDatagram::bind("/run/systemd/journal/socket").unwrap();
    journal.set_read_timeout(Some(Duration::from_secs(10))).unwrap();

    init_logging(LogFormat::Journal, "info").unwrap();
    let pass = tracing::info_span!("pass", pass = 412);
    pass.in_scope(|| {
        let error = std::io::Error::other("no space left");
        tracing::warn!(pool = "build", runner = %"ghrunner-build-0", %error, "Cannot start a runner");
    });
    tracing::debug!("not to be heard");
    let fields = message(&journal);
    for (name, value) in [
        ("MESSAGE", "Cannot start a runner"),
        ("POOL", "build"),
        ("RUNNER", "ghrunner-build-0"),
        ("ERROR", "no space left"),
        ("PASS", "412"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "ghrunner"),
    ] {
        assert_eq!(fields.get(name).map(String::as_str), Some(value), "{name}: {fields:?}");
    }
    tracing::info!("everyday news");
    assert_eq!(message(&journal)["PRIORITY"], "6");

    the_binary_finds_the_journal(&journal);
}

/// Standard error leads to the journal when `$JOURNAL_STREAM` names its very file.
fn the_binary_finds_the_journal(journal: &UnixDatagram) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let stat = nix::sys::stat::fstat(&theirs).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_ghrunner"))
        .args(["run", "--config", "/nonexistent/pools.toml"])
        .env("JOURNAL_STREAM", format!("{}:{}", stat.st_dev, stat.st_ino))
        .stderr(OwnedFd::from(theirs))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(78));
    let first = message(journal);
    assert!(first["MESSAGE"].contains("/nonexistent/pools.toml"), "{first:?}");
    assert_eq!(first["PRIORITY"], "3");
    let mut stray = String::new();
    std::io::Read::read_to_string(&mut &ours, &mut stray).unwrap();
    assert_eq!(stray, "", "nothing is said twice");
}
