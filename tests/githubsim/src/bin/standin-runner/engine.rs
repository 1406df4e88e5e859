//! Asking the container engine inside the job whether it is there.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where the engine is unless `DOCKER_HOST` says otherwise.
const USUAL: &str = "unix:///var/run/docker.sock";

/// Asks `/_ping` and `/version`; gives the engine's version.
pub(crate) fn version(host: Option<&str>) -> Result<String, String> {
    let host = host.unwrap_or(USUAL);
    let pong = get(host, "/_ping").map_err(|e| format!("{host}: {e}"))?;
    if !pong.ends_with("OK") {
        return Err(format!("{host}: no answer to ping"));
    }
    let answer = get(host, "/version").map_err(|e| format!("{host}: {e}"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let start = body.find('{').unwrap_or(0);
    let end = body.rfind('}').map_or(body.len(), |at| at + 1);
    let parsed: serde_json::Value = serde_json::from_str(&body[start..end]).unwrap_or_default();
    let version = parsed.get("Version").and_then(|v| v.as_str()).unwrap_or("unknown");
    Ok(version.to_string())
}

fn get(host: &str, path: &str) -> std::io::Result<String> {
    let limit = Some(Duration::from_secs(5));
    let request = format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n");
    let mut answer = String::new();
    if let Some(socket) = host.strip_prefix("unix://") {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(limit)?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)?;
    } else {
        let mut stream = TcpStream::connect(host.trim_start_matches("tcp://"))?;
        stream.set_read_timeout(limit)?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)?;
    }
    Ok(answer)
}
