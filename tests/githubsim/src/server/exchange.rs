//! The log of exchanges, one JSON object a line, with secrets masked.
//!
//! Answers that a fault made up go to a second file, `….injected.jsonl`, and exchanges of the
//! Actions service, which has no description, to a third, `….actions.jsonl`, so that the first can
//! be held against GitHub's description.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::rest::Call;
use crate::rest::Reply;

/// Fields whose texts are secrets.
const SECRET: [&str; 5] =
    ["token", "encoded_jit_config", "encodedJITConfig", "messageQueueAccessToken", "secret"];
const MASK: &str = "***";

/// Where exchanges are written, if anywhere.
#[derive(Debug, Default)]
pub(crate) struct ExchangeLog {
    files: Option<Mutex<Files>>,
}

#[derive(Debug)]
struct Files {
    plain: File,
    injected: File,
    actions: File,
}

impl ExchangeLog {
    /// Logs to `path`, and to the files beside it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let files = Files {
            plain: File::create(path)?,
            injected: File::create(path.with_extension("injected.jsonl"))?,
            actions: File::create(path.with_extension("actions.jsonl"))?,
        };
        Ok(Self { files: Some(Mutex::new(files)) })
    }

    pub(crate) fn write(&self, call: &Call, reply: &Reply, injected: bool) -> io::Result<()> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let line = format!("{}\n", entry(call, reply, injected));
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        let to = match () {
            () if injected => &mut files.injected,
            () if crate::service::owns(&call.path) => &mut files.actions,
            () => &mut files.plain,
        };
        to.write_all(line.as_bytes())
    }
}

fn entry(call: &Call, reply: &Reply, injected: bool) -> Value {
    let mut query: Map<String, Value> = Map::new();
    for (name, value) in &call.query {
        query.insert(name.clone(), value.clone().into());
    }
    let mut out = json!({
        "method": call.method,
        "path": call.path,
        "query": query,
        "request_headers": request_headers(call),
        "request_body": request_body(call),
        "status": reply.status,
        "response_headers": response_headers(reply),
        "response_body": reply.body.clone().map(masked),
    });
    if injected && let Value::Object(out) = &mut out {
        out.insert("injected".into(), true.into());
    }
    out
}

fn request_headers(call: &Call) -> Map<String, Value> {
    let secret = |name: &str| name == "authorization" || name == "cookie";
    let shown = |name: &str, value: &str| match value.split_once(' ') {
        Some((scheme, _)) if secret(name) => format!("{scheme} {MASK}"),
        _ if secret(name) => MASK.to_string(),
        _ => value.to_string(),
    };
    let headers = call.headers.iter().filter_map(|(n, v)| Some((n.as_str(), v.to_str().ok()?)));
    headers.map(|(n, v)| (n.to_string(), shown(n, v).into())).collect()
}

fn response_headers(reply: &Reply) -> Map<String, Value> {
    let mut headers: Map<String, Value> =
        reply.headers.iter().map(|(n, v)| (n.to_string(), v.clone().into())).collect();
    if reply.body.is_some() {
        headers.insert("content-type".into(), "application/json; charset=utf-8".into());
    }
    headers
}

fn request_body(call: &Call) -> Value {
    if call.body.is_empty() {
        return Value::Null;
    }
    match serde_json::from_slice(&call.body) {
        Ok(body) => masked(body),
        Err(_) => Value::String(String::from_utf8_lossy(&call.body).into_owned()),
    }
}

fn masked(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(k, v)| {
                    let hide = v.is_string() && SECRET.contains(&k.as_str());
                    (k, if hide { MASK.into() } else { masked(v) })
                })
                .collect(),
        ),
        Value::Array(list) => list.into_iter().map(masked).collect(),
        other => other,
    }
}
