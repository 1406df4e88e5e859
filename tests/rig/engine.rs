//! An engine that keeps containers in a list and runs nothing.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use serde_json::Value;
use serde_json::json;

/// What it keeps.
#[derive(Default)]
struct Shelf {
    images: Vec<String>,
    containers: BTreeMap<String, Value>,
    networks: Vec<Value>,
    changes: Vec<String>,
    bodies: Vec<Value>,
    /// Where it says that its data lies.
    root: Option<String>,
    /// What it says instead of making a container.
    refusal: Option<String>,
    next: u64,
}

/// It answers as long as the test lives.
pub struct FakeEngine {
    shelf: Arc<Mutex<Shelf>>,
}

impl FakeEngine {
    /// Listens at `socket`, with the image `runner:1`.
    pub fn at(socket: &Path) -> Self {
        let shelf = Arc::new(Mutex::new(Shelf { images: vec!["runner:1".to_owned()], ..Shelf::default() }));
        let engine = Self { shelf };
        engine.listen(socket);
        engine
    }

    /// Listens there too.
    pub fn listen(&self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        let shelf = Arc::clone(&self.shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&shelf);
                std::thread::spawn(move || serve(stream, &shelf));
            }
        });
    }

    /// Names of containers that were made and not removed.
    pub fn containers(&self) -> Vec<String> {
        let shelf = self.shelf.lock().unwrap();
        shelf.containers.values().map(|c| c["Names"][0].as_str().unwrap().to_owned()).collect()
    }

    /// Has it answer so whenever a container is to be made.
    pub fn refuse(&self, why: &str) {
        self.shelf.lock().unwrap().refusal = Some(why.to_owned());
    }

    /// Has it say that its data lies there.
    pub fn lie_in(&self, root: &Path) {
        self.shelf.lock().unwrap().root = Some(root.display().to_string());
    }

    /// The variables of each container that was ever made, as `NAME=value`.
    pub fn environments(&self) -> Vec<Vec<String>> {
        let variables = |body: &Value| serde_json::from_value(body["Env"].clone()).unwrap_or_default();
        self.shelf.lock().unwrap().bodies.iter().map(variables).collect()
    }

    /// Has all containers come to their end, as runners do after their job.
    pub fn end_all(&self) {
        for container in self.shelf.lock().unwrap().containers.values_mut() {
            container["State"] = "exited".into();
            container["Status"] = "Exited (0) 1 second ago".into();
        }
    }

    /// Every call that was not a question.
    pub fn changes(&self) -> Vec<String> {
        self.shelf.lock().unwrap().changes.clone()
    }
}

fn serve(stream: UnixStream, shelf: &Mutex<Shelf>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some((method, target, body)) = request(&mut reader) {
        let path = target.strip_prefix("/v1.41").unwrap_or(&target).replace("%3A", ":");
        if path.starts_with("/events") {
            let _ = writer.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let _ = reader.read(&mut [0]);
            return;
        }
        let (status, answer) = answer(&method, &path, &body, &mut shelf.lock().unwrap());
        let text = if answer.is_null() { String::new() } else { answer.to_string() };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nApi-Version: 1.41\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        if writer.write_all((head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

fn request(reader: &mut impl std::io::BufRead) -> Option<(String, String, Vec<u8>)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, target, body))
}

fn answer(method: &str, path: &str, body: &[u8], shelf: &mut Shelf) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if method != "GET" {
        shelf.changes.push(format!("{method} {path}"));
    }
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, words.as_slice()) {
        ("GET", ["_ping"]) => (200, Value::Null),
        ("GET", ["version"]) => {
            (200, json!({"Version": "24.0.7", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}))
        }
        ("GET", ["info"]) => (
            200,
            json!({"ServerVersion": "24.0.7", "NCPU": 8, "MemTotal": 68_719_476_736_u64, "Driver": "overlay2",
                   "CgroupDriver": "systemd", "Runtimes": {"runc": {}}, "DockerRootDir": shelf.root.as_deref().unwrap_or("/nonexistent")}),
        ),
        ("GET", ["containers", "json"]) => (200, shelf.containers.values().cloned().collect()),
        ("POST", ["containers", "create"]) => create(query, body, shelf),
        ("POST", ["containers", id, "start"]) => {
            if let Some(container) = shelf.containers.get_mut(*id) {
                container["State"] = "running".into();
                container["Status"] = "Up 1 second".into();
            }
            (204, Value::Null)
        }
        ("GET", ["containers", id, "stats"]) => {
            assert_eq!(query, "stream=false&one-shot=true");
            match shelf.containers.get(*id).is_some_and(|container| container["State"] == "running") {
                true => (
                    200,
                    json!({"memory_stats": {"usage": 123_000_000, "stats": {"inactive_file": 23_000_000}},
                           "cpu_stats": {"cpu_usage": {"total_usage": 4_500_000_000_u64}}}),
                ),
                false => (200, json!({"memory_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 0}}})),
            }
        }
        ("DELETE", ["containers", id]) => {
            shelf.containers.remove(*id);
            (204, Value::Null)
        }
        ("GET", ["networks"]) => (200, shelf.networks.clone().into()),
        ("POST", ["networks", "create"]) => {
            let asked: Value = serde_json::from_slice(body).unwrap();
            shelf.networks.push(json!({"Id": "n1", "Name": asked["Name"], "Labels": asked["Labels"]}));
            (201, json!({"Id": "n1", "Warning": ""}))
        }
        ("GET", ["volumes"]) => (200, json!({"Volumes": [], "Warnings": []})),
        ("GET", ["images", image @ .., "json"]) => match shelf.images.contains(&image.join("/")) {
            true => (200, json!({"Id": "sha256:1", "RepoDigests": []})),
            false => (404, json!({"message": "no such image"})),
        },
        ("POST", ["images", "create"]) => (
            404,
            json!({"message": "pull access denied, repository does not exist or may require 'docker login'"}),
        ),
        _ => (404, json!({"message": format!("no such thing: {method} {path}")})),
    }
}

fn create(query: &str, body: &[u8], shelf: &mut Shelf) -> (u16, Value) {
    if let Some(why) = &shelf.refusal {
        return (500, json!({ "message": why }));
    }
    let asked: Value = serde_json::from_slice(body).unwrap();
    shelf.bodies.push(asked.clone());
    let name = query.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap_or_default();
    shelf.next += 1;
    let id = format!("c{}", shelf.next);
    let container = json!({
        "Id": id, "Names": [format!("/{name}")], "Image": asked["Image"], "ImageID": "sha256:1",
        "Labels": asked["Labels"], "State": "created", "Status": "Created", "Created": 1_700_000_000,
    });
    shelf.containers.insert(id.clone(), container);
    (201, json!({"Id": id, "Warnings": []}))
}
