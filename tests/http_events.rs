//! The event stream over a real Unix socket.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghrunner::control::Facade;
use ghrunner::control::Snapshot;
use ghrunner::http::ControlSocket;
use ghrunner::http::Problem;
use ghrunner::http::dto;
use ghrunner::model::Phase;
use ghrunner::model::Time;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A socket behind which snapshots are published by hand.
struct Stage {
    socket: PathBuf,
    publish: watch::Sender<Arc<Snapshot>>,
    facade: Facade,
    stop: CancellationToken,
    runtime: Option<Runtime>,
    _dir: tempfile::TempDir,
}

impl Stage {
    fn new(snapshot: Snapshot) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("run/s");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (publish, snapshots) = watch::channel(Arc::new(snapshot));
        let facade = Facade::new(mpsc::channel(1).0, snapshots);
        let stop = CancellationToken::new();
        let bound = runtime.block_on(async { ControlSocket::bind(&socket).unwrap() });
        runtime.spawn(ghrunner::http::serve(bound, facade.clone(), stop.clone()));
        Self { socket, publish, facade, stop, runtime: Some(runtime), _dir: dir }
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.publish.send_modify(|s| change(Arc::make_mut(s)));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

struct Event {
    name: String,
    id: String,
    data: String,
}

impl Event {
    fn opening(&self) -> dto::Opening {
        assert_eq!(self.name, "snapshot");
        serde_json::from_str(&self.data).unwrap()
    }

    fn change(&self) -> dto::Change {
        assert_eq!(self.name, "change");
        serde_json::from_str(&self.data).unwrap()
    }
}

/// One who listens.
struct Listener {
    reader: BufReader<UnixStream>,
    head: String,
}

impl Listener {
    fn at(socket: &Path, last: Option<&str>) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: x\r\n{last}\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        Self { reader, head: head.to_lowercase() }
    }

    /// The next line that is not of the chunks' making; none at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            _ => Some(line.trim_end().to_owned()),
        }
    }

    fn next(&mut self) -> Option<Event> {
        let mut event = Event { name: String::new(), id: String::new(), data: String::new() };
        loop {
            let line = self.line()?;
            if let Some(name) = line.strip_prefix("event: ") {
                event.name = name.to_owned();
            } else if let Some(id) = line.strip_prefix("id: ") {
                event.id = id.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                event.data = data.to_owned();
                return Some(event);
            }
        }
    }
}

#[test]
fn a_listener_begins_with_all_and_goes_on_with_what_changed() {
    let stage = Stage::new(cli_fleet::snapshot());
    let mut listener = Listener::at(&stage.socket, None);
    assert!(listener.head.contains("content-type: text/event-stream"), "{}", listener.head);
    assert!(listener.head.contains("cache-control: no-store"), "{}", listener.head);
    let first = listener.next().unwrap().opening();
    assert_eq!(first.status, dto::Status::from(&cli_fleet::snapshot()));
    assert_eq!((first.jobs[0].key.as_str(), first.ended.len(), first.now.busy), ("job:456", 1, 1));

    stage.change(|s| {
        s.passes += 1;
        s.runners[1].phase = Phase::Busy;
        s.jobs.clear();
    });
    let change = listener.next().unwrap().change();
    assert_eq!(
        (change.seq, change.runners.len(), change.runners[0].phase),
        (first.seq + 1, 1, dto::Phase::Busy)
    );
    assert_eq!((change.jobs_gone, change.pools.len(), change.now.busy), (vec!["job:456".to_owned()], 0, 2));
    assert_eq!(change.status["passes"], 413);
}

#[test]
fn what_comes_together_is_told_together_and_all_hear_the_same() {
    let stage = Stage::new(cli_fleet::snapshot());
    let mut listeners: Vec<Listener> = (0..20).map(|_| Listener::at(&stage.socket, None)).collect();
    let seq = listeners.iter_mut().map(|l| l.next().unwrap().opening().seq).max().unwrap();
    for _ in 0..50 {
        stage.change(|s| s.passes += 1);
        std::thread::yield_now();
    }
    let heard: Vec<String> = listeners
        .iter_mut()
        .map(|listener| {
            let mut events = vec![listener.next().unwrap()];
            while events.last().unwrap().change().status["passes"] != 462 {
                events.push(listener.next().unwrap());
            }
            assert!(events.len() <= 2, "{} events for what came within a moment", events.len());
            assert!(events.iter().zip(seq + 1..).all(|(event, seq)| event.change().seq == seq));
            events.pop().unwrap().data
        })
        .collect();
    assert!(heard.iter().all(|data| *data == heard[0]));
}

#[test]
fn who_comes_back_hears_what_was_missed_or_all_of_it() {
    let stage = Stage::new(cli_fleet::snapshot());
    let mut stays = Listener::at(&stage.socket, None);
    stays.next().unwrap();
    let mut leaves = Listener::at(&stage.socket, None);
    let begun = leaves.next().unwrap();
    drop(leaves);
    stage.change(|s| s.passes += 1);
    let missed = stays.next().unwrap();
    let mut back = Listener::at(&stage.socket, Some(&begun.id));
    assert_eq!(back.next().unwrap().data, missed.data);

    let (epoch, seq) = missed.id.split_once('-').unwrap();
    let seq: u64 = seq.parse().unwrap();
    // A number that is ahead, one from before all that is kept, an earlier daemon's, and none at all.
    for id in [format!("{epoch}-{}", seq + 1), format!("{epoch}-0"), format!("1-{seq}"), "what".to_owned()] {
        let mut other = Listener::at(&stage.socket, Some(&id));
        assert_eq!(other.next().unwrap().opening().seq, seq, "{id}");
    }
}

#[test]
fn there_is_an_end_to_how_many_may_listen_and_the_daemons_end_is_theirs() {
    let stage = Stage::new(cli_fleet::snapshot());
    let mut listeners: Vec<Listener> = (0..512).map(|_| Listener::at(&stage.socket, None)).collect();
    let mut one_more = Listener::at(&stage.socket, None);
    assert!(one_more.head.starts_with("http/1.1 503"), "{}", one_more.head);
    assert!(one_more.head.contains("application/problem+json"), "{}", one_more.head);
    let problem: Problem = serde_json::from_str(&one_more.line_of_length()).unwrap();
    assert_eq!(problem.code, "too_many_listeners");
    listeners.truncate(500);
    stage.change(|s| s.passes += 1);
    assert!(listeners[0].next().is_some() && listeners[0].next().is_some());
    let mut again = Listener::at(&stage.socket, None);
    assert!(again.head.starts_with("http/1.1 200"), "a place that was left is free: {}", again.head);
    assert!(again.next().is_some());
    drop(stage);
    while again.next().is_some() {}
}

impl Listener {
    /// The whole body of an answer that says how long it is.
    fn line_of_length(&mut self) -> String {
        let length = self.head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        std::io::Read::read_exact(&mut self.reader, &mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}

#[test]
fn who_reads_too_slowly_begins_anew_and_goes_without_a_gap() {
    let mut large = cli_fleet::snapshot();
    large.runners = (0..500).map(|slot| cli_fleet::runner(slot, Phase::Idle)).collect();
    let stage = Stage::new(large);
    let mut slow = Listener::at(&stage.socket, None);
    let mut quick = Listener::at(&stage.socket, None);
    quick.next().unwrap();
    // More than the socket and the server's own buffers hold, while the slow one reads nothing.
    for turn in 1..=22_u64 {
        stage.change(|s| {
            s.passes = turn;
            s.runners.iter_mut().for_each(|r| r.since = Some(Time::from_secs(turn)));
        });
        let change = quick.next().unwrap().change();
        assert_eq!((change.status["passes"].as_u64(), change.runners.len()), (Some(turn), 500));
    }
    let (mut seq, mut anew) = (slow.next().unwrap().opening().seq, 0);
    loop {
        let event = slow.next().unwrap();
        let passes = match event.name.as_str() {
            "snapshot" => {
                anew += 1;
                let opening = event.opening();
                seq = opening.seq;
                opening.status.passes
            }
            _ => {
                let change = event.change();
                seq += 1;
                assert_eq!(change.seq, seq, "no gap");
                change.status["passes"].as_u64().unwrap()
            }
        };
        if passes == 22 {
            break;
        }
    }
    assert_eq!(anew, 1, "it fell behind once");
}

#[test]
fn the_page_and_its_parts_are_there_and_the_past_can_be_asked_for() {
    let stage = Stage::new(cli_fleet::snapshot());
    let get = |path: &str| {
        let mut stream = UnixStream::connect(&stage.socket).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    };
    let (head, page) = get("/");
    for wanted in
        ["http/1.1 200", "text/html", "default-src 'none'", "frame-ancestors 'none'", "nosniff", "etag: "]
    {
        assert!(head.contains(wanted), "no {wanted} in {head}");
    }
    for part in page.split("=\"dashboard/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(get(&format!("/dashboard/{part}")).0.starts_with("http/1.1 200"), "{part}");
    }
    assert!(get("/dashboard/mod.rs").0.starts_with("http/1.1 404"));

    for secs in [10, 20, 30] {
        stage.facade.sample(Time::from_secs(secs));
    }
    let trend: dto::Trend = serde_json::from_str(&get("/api/v1/trend").1).unwrap();
    assert_eq!((trend.samples.len(), trend.every_s, trend.samples[2].idle), (3, 10, 1));
    let (_, later) = get("/api/v1/trend?since=1970-01-01T00:00:20.000Z");
    let later: dto::Trend = serde_json::from_str(&later).unwrap();
    assert_eq!(later.samples, trend.samples[2..]);
    assert!(get("/api/v1/trend?since=yesterday").0.starts_with("http/1.1 400"));
    let who: dto::WhoAmI = serde_json::from_str(&get("/api/v1/whoami").1).unwrap();
    assert_eq!(who.role, "operate");
    // What a page of another site has a browser send to a forwarded port.
    let evil = "/api/v1/status HTTP/1.1\r\norigin: https://evil.example\r\nsec-fetch-site: cross-site\r\nx: ";
    assert!(get(evil).0.starts_with("http/1.1 403"));
}
