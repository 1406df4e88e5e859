//! What a container printed. The engine's frames (stdout and stderr in one stream) are taken apart by the client library;
//! any log driver that the engine itself can read serves, journald and files among them.

use std::sync::Arc;

use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::TryStreamExt;

use crate::model::ContainerId;

use super::EngineError;
use super::link::LOOK;
use super::link::Link;

const CALL: &str = "read a container's output";

/// Its last `max_bytes` at most, cut at the beginning of a line where there is one.
pub(super) async fn output(link: &Link, id_or_name: &str, max_bytes: usize) -> Result<String, EngineError> {
    // Each line has at least one byte, so this many lines hold enough.
    let lines = max_bytes.max(1).to_string();
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines).build();
    let read = async |session: &super::link::Session| {
        let mut parts = session.docker.logs(id_or_name, Some(options));
        let mut kept = Vec::new();
        while let Some(part) = parts.try_next().await? {
            kept.extend_from_slice(&part.into_bytes());
            if kept.len() > max_bytes.saturating_mul(2) {
                kept.drain(..kept.len() - max_bytes);
            }
        }
        Ok(kept)
    };
    let kept = link.call(CALL, LOOK, read).await?;
    Ok(last(&kept, max_bytes))
}

fn last(bytes: &[u8], max_bytes: usize) -> String {
    let cut = bytes.len().saturating_sub(max_bytes);
    let tail = &bytes[cut..];
    let from = match tail.iter().position(|byte| *byte == b'\n') {
        Some(end) if cut > 0 && bytes[cut - 1] != b'\n' && end + 1 < tail.len() => end + 1,
        _ => 0,
    };
    String::from_utf8_lossy(&tail[from..]).into_owned()
}

/// Its last `tail` lines and, with `follow`, what it prints from now on.
pub(super) fn follow(
    link: Arc<Link>,
    id: ContainerId,
    tail: usize,
    follow: bool,
) -> impl Stream<Item = Result<Bytes, EngineError>> + Send + use<> {
    futures_util::stream::once(async move {
        let session = link.session().await?;
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .follow(follow)
            .tail(&tail.to_string())
            .build();
        let parts = session.docker.logs(id.as_str(), Some(options));
        Ok(parts.map(move |part| match part {
            Ok(part) => Ok(part.into_bytes()),
            Err(err) => Err(link.told(CALL, LOOK, err)),
        }))
    })
    .try_flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_begin_with_a_whole_line() {
        assert_eq!(last(b"one\ntwo\nthree\n", 100), "one\ntwo\nthree\n");
        assert_eq!(last(b"one\ntwo\nthree\n", 8), "three\n");
        assert_eq!(last(b"one\ntwo\nthree\n", 10), "two\nthree\n");
        assert_eq!(last(b"one long line", 4), "line");
        assert_eq!(last(b"x\n", 0), "");
    }
}
