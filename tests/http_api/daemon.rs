//! The real daemon: what the file says of the API, and what the journal says of those who steer.

use std::fs;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::rig::Daemon;
use crate::rig::Rig;
use crate::rig::eventually;
use crate::served::Answer;
use crate::served::bearer;
use crate::served::exchange;
use crate::served::fs_read;
use crate::served::over_tls;

const FIRST: &str = "the-first-credential-of-all";
const SECOND: &str = "the-second-credential-of-all";

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A daemon whose file has this `[api]` table, beside two credentials.
fn daemon(rig: &Rig, address: SocketAddr, further: &str) -> Daemon {
    let place = |name: &str| rig.path(name).display().to_string();
    secret(&rig.path("read"), "only-looks-at-the-fleet");
    secret(&rig.path("operate"), FIRST);
    rig.write(&format!(
        "{}\n[api]\nlisten = \"{address}\"\nread = [{{ file = \"{}\" }}]\noperate = [{{ file = \"{}\" }}]\n{further}",
        rig.good(""),
        place("read"),
        place("operate")
    ));
    let daemon = rig.daemon();
    rig.shows(&["build"]);
    daemon
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn ask(address: SocketAddr, line: &str, credential: &str, body: &str) -> Answer {
    let (bearer, length) = (bearer(credential), body.len());
    exchange(
        address,
        &format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{bearer}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nx-request-id: the-test\r\n\r\n{body}"
        ),
    )
}

#[test]
fn a_boost_over_the_network_is_shown_told_and_taken_back() {
    let (rig, address) = (Rig::new(), free());
    let daemon = daemon(&rig, address, "");
    let up = ask(address, "POST /api/v1/pools/build/scale-up", FIRST, r#"{"count":2,"for":"30m"}"#);
    assert_eq!(up.status, 200, "{}", up.body);
    let told = daemon.says("asked: POST /api/v1/pools/build/scale-up (200)");
    assert!(told.contains("the-test") && told.contains("operate"), "{told}");
    assert!(!told.contains(FIRST), "{told}");
    let shown = || {
        serde_json::from_str::<serde_json::Value>(&ask(address, "GET /api/v1/pools/build", FIRST, "").body)
            .unwrap()
    };
    eventually(|| shown()["boost"]["count"] == 2).unwrap();
    assert_eq!(ask(address, "POST /api/v1/pools/build/scale-down", FIRST, r#"{"count":1}"#).status, 200);
    eventually(|| shown()["boost"]["count"] == 1).unwrap();
    assert_eq!(ask(address, "POST /api/v1/runners/scale-down", FIRST, "{}").status, 200);
    eventually(|| shown()["boost"].is_null()).unwrap();
    let all = ask(address, "POST /api/v1/runners/scale-up", FIRST, r#"{"count":3}"#);
    assert!(all.body.contains("1 pool is boosted"), "{}", all.body);
    eventually(|| shown()["boost"]["count"] == 3).unwrap();
    let refused = ask(address, "POST /api/v1/pools/build/drain", "only-looks-at-the-fleet", "");
    assert_eq!(refused.status, 403);
}

#[test]
fn a_changed_credential_holds_after_a_reload() {
    let (rig, address) = (Rig::new(), free());
    let daemon = daemon(&rig, address, "");
    secret(&rig.path("operate"), SECOND);
    daemon.signal(Signal::SIGHUP);
    eventually(|| ask(address, "GET /api/v1/plan", SECOND, "").status == 200).unwrap();
    // As the one of too many, where the reload took its time.
    assert!([401, 429].contains(&ask(address, "GET /api/v1/plan", FIRST, "").status));
}

#[test]
fn the_log_is_louder_for_a_time_and_then_as_before() {
    let (rig, address) = (Rig::new(), free());
    let daemon = daemon(&rig, address, "");
    let look = || ask(address, "GET /api/v1/plan", FIRST, "").status;
    assert_eq!(look(), 200);
    assert_eq!(daemon.count("GET /api/v1/plan"), 0);
    let put = |body: &str| ask(address, "PUT /api/v1/log-level", FIRST, body);
    assert_eq!(put(r#"{"level":"loud"}"#).status, 422);
    let louder = put(r#"{"level":"debug","for":"3s"}"#);
    assert_eq!(louder.status, 200, "{}", louder.body);
    assert_eq!(look(), 200);
    daemon.says("GET /api/v1/plan");
    daemon.says("The log's level is info again");
    let before = daemon.count("GET /api/v1/plan");
    assert_eq!(look(), 200);
    assert_eq!(daemon.count("GET /api/v1/plan"), before);
}

#[test]
fn a_certificate_is_taken_when_it_comes_and_a_bad_one_changes_nothing() {
    let (rig, address) = (Rig::new(), free());
    let (cert, key) = (rig.path("cert.pem"), rig.path("key.pem"));
    let tls = format!("tls = {{ cert = \"{}\", key = \"{}\" }}\n", cert.display(), key.display());
    let daemon = daemon(&rig, address, &tls);
    daemon.says("for want of a good certificate");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answered = || runtime.block_on(over_tls(address, "only-looks-at-the-fleet")).is_some();
    assert!(!answered());
    fs::write(&cert, fs_read("server.pem")).unwrap();
    secret(&key, &String::from_utf8(fs_read("server-key.pem")).unwrap());
    eventually(answered).unwrap();
    fs::write(&cert, "no certificate").unwrap();
    daemon.says("keeps its last good certificate");
    assert!(answered());
}
