//! The real daemon and a collector that takes what it sends apart with OpenTelemetry's own messages.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

#[path = "explain/bench.rs"]
#[allow(dead_code, reason = "each test binary takes its own part of this module")]
mod bench;
#[path = "telemetry/collector.rs"]
mod collector;
mod rig;

use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;

use bench::Bench;
use collector::Collector;
use collector::Mood;
use collector::number;
use collector::text;
use opentelemetry_proto::tonic::trace::v1::Span;
use rig::Daemon;
use rig::Rig;
use rig::eventually;

fn traced(file: &str, endpoint: &str) -> String {
    format!("{file}\n[telemetry]\nendpoint = \"{endpoint}\"\n")
}

/// The value of a series, as the daemon's own socket gives it.
fn metric(rig: &Rig, series: &str) -> Option<f64> {
    let mut socket = UnixStream::connect(rig.path("run/s")).ok()?;
    socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let line = answer.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

fn of_job(spans: &[Span], id: u64) -> Vec<Span> {
    let root =
        spans.iter().find(|span| text(&span.attributes, "cicd.pipeline.task.run.id") == id.to_string());
    let Some(root) = root else { return Vec::new() };
    spans.iter().filter(|span| span.trace_id == root.trace_id).cloned().collect()
}

/// One job from its queueing to its runner's end, and the spans of its trace.
fn one_job(bench: &Bench, daemon: &Daemon, collector: &Collector) -> Vec<Span> {
    let job = bench.job("build it", &["x"]);
    let guest = bench.guest(daemon, 0);
    let id = guest.begins_a_job();
    let jobs = || String::from_utf8(bench.rig.ask(&["jobs", "--json"]).stdout).unwrap();
    eventually(|| jobs().contains("running")).unwrap_or_else(|()| panic!("{}", jobs()));
    // What the job takes of the machine is asked for as soon as its runner is seen busy.
    let sampled =
        || metric(&bench.rig, "ghrunner_engine_calls_total{call=\"measure_container\",result=\"ok\"}");
    eventually(|| sampled().is_some_and(|n| n >= 1.0)).unwrap_or_else(|()| panic!("{}", bench.rig.status()));
    guest.ends_its_job(id);
    bench.rig.engine.end_all();
    let mut spans = Vec::new();
    eventually(|| {
        spans = of_job(&collector.spans(), job.id);
        !spans.is_empty()
    })
    .unwrap_or_else(|()| panic!("no trace of job {} in {:#?}", job.id, collector.names()));
    spans
}

#[test]
fn one_jobs_trace_is_complete_and_connected() {
    let bench = Bench::new();
    let collector = Collector::new();
    std::fs::write(bench.rig.path("header"), "Bearer otlp-secret\n").unwrap();
    let header =
        format!("headers = {{ Authorization = {{ file = \"{}\" }} }}\n", bench.rig.path("header").display());
    let file = traced(&bench.polled("min = 0\nmax = 1"), &format!("{}/v1/traces", collector.url()));
    let daemon = bench.start(&format!("{file}{header}service_name = \"fleet\"\n"));
    let spans = one_job(&bench, &daemon, &collector);

    let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!(roots.len(), 1, "{spans:#?}");
    let root = roots[0];
    assert_eq!((root.name.as_str(), root.trace_id.len(), root.span_id.len()), ("build it", 16, 8));
    let parts: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == root.span_id).collect();
    assert_eq!(parts.len(), spans.len() - 1, "each part hangs on the job");
    let names: Vec<&str> = parts.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["planned", "created", "online", "taken", "run", "removed"]);
    assert_eq!(parts[0].start_time_unix_nano, root.start_time_unix_nano);
    for pair in parts.windows(2) {
        assert_eq!(pair[0].end_time_unix_nano, pair[1].start_time_unix_nano, "{pair:#?}");
    }
    assert!(parts.iter().all(|part| part.start_time_unix_nano <= part.end_time_unix_nano));
    for (key, value) in [
        ("vcs.owner.name", "acme"),
        ("vcs.repository.name", "app"),
        ("ghrunner.pool", "build"),
        ("container.name", "ghrunner-build-0"),
    ] {
        assert_eq!(text(&root.attributes, key), value, "{root:#?}");
    }
    assert_eq!(number(&root.attributes, "ghrunner.job.peak_memory"), Some(100_000_000));
    assert_eq!(number(&root.attributes, "ghrunner.job.cpu_ms"), Some(4500));
    // Records are written in batches.
    let mut history = serde_json::Value::Null;
    let written = eventually(|| {
        history = serde_json::from_slice(&bench.rig.ask(&["history", "--json"]).stdout).unwrap();
        history["items"][0].is_object()
    });
    assert!(written.is_ok(), "no job in the history: {history}");
    assert_eq!(history["items"][0]["peak_memory_bytes"], 100_000_000, "{history}");
    assert_eq!(history["items"][0]["cpu_ms"], 4500);
    assert_eq!(metric(&bench.rig, "ghrunner_job_peak_memory_bytes_sum{pool=\"build\"}"), Some(1e8));
    let runner = text(&root.attributes, "cicd.worker.name");
    assert!(runner.starts_with("ghrunner-build-0-rig1-"), "{runner}");
    assert!(text(&root.attributes, "cicd.pipeline.run.url.full").contains("/acme/app/actions/runs/"));

    // The start was an action of a pass, which is linked, and its own span stands below that pass.
    let link = &parts[1].links[0];
    let mut all = Vec::new();
    let told = eventually(|| {
        all = collector.spans();
        let has = |fits: &dyn Fn(&Span) -> bool| all.iter().any(fits);
        has(&|span| span.span_id == link.span_id) && has(&|span| span.name == "create")
    });
    assert!(told.is_ok(), "no pass that made the runner in {:#?}", collector.names());
    let pass = all.iter().find(|span| span.span_id == link.span_id).unwrap();
    assert_eq!((pass.name.as_str(), &pass.trace_id), ("pass", &link.trace_id));
    let create = all.iter().find(|span| span.name == "create").unwrap();
    assert_eq!((&create.parent_span_id, &create.trace_id), (&pass.span_id, &pass.trace_id));
    assert_eq!(text(&create.attributes, "cicd.worker.name"), runner);
    assert_eq!(number(&pass.attributes, "ghrunner.actions"), Some(1));

    let resource = collector.resource();
    assert_eq!(
        (text(&resource, "service.name"), text(&resource, "service.instance.id")),
        ("fleet".into(), "rig1".into())
    );
    assert!(collector.heads().iter().all(|head| head.contains("authorization: bearer otlp-secret")));
    for secret in ["ghp_test", "otlp-secret", "JITCONFIG"] {
        assert!(!format!("{all:?}").contains(secret), "{secret}");
    }
    assert!(metric(&bench.rig, "ghrunner_telemetry_spans_total{result=\"exported\"}").unwrap() >= 7.0);
}

/// The fleet does what it is asked for, and no pass ever waited: the collector has ten seconds to answer.
fn goes_on(rig: &Rig, endpoint: &str, max: u32) {
    let passes = || metric(rig, "ghrunner_pass_duration_seconds_count").unwrap_or_default();
    rig.write(&traced(&rig.good(&format!("min = {max}\nmax = {max}")), endpoint));
    let all = || rig.engine.containers().len() >= max as usize;
    eventually(all).unwrap_or_else(|()| panic!("no {max} runners: {}", rig.status()));
    let before = passes();
    eventually(|| passes() > before + 1.0).unwrap();
    let (quick, all) = (metric(rig, "ghrunner_pass_duration_seconds_bucket{le=\"5.0\"}"), passes());
    assert!(quick.is_some_and(|quick| quick >= before) && all >= before, "{quick:?} of {all}");
}

#[test]
fn a_collector_that_refuses_hangs_or_is_gone_holds_nothing_up_and_is_told_of_once() {
    let rig = Rig::new();
    let collector = Collector::new();
    let url = collector.url();
    collector.be(Mood::Refusing);
    rig.write(&traced(&rig.good("min = 1\nmax = 1"), &url));
    let daemon = rig.daemon();
    daemon.says("Traces are not exported, the fleet goes on: the collector answers 500");
    goes_on(&rig, &url, 2);
    assert_eq!(metric(&rig, "ghrunner_telemetry_failing"), Some(1.0));
    let dropped = "ghrunner_telemetry_spans_total{result=\"dropped\"}";
    eventually(|| metric(&rig, dropped).is_some_and(|n| n > 0.0)).unwrap();

    collector.be(Mood::Hanging);
    daemon.says("the collector did not answer within 10 s");
    goes_on(&rig, &url, 3);

    collector.be(Mood::Taking);
    daemon.says("Traces are exported again; ");
    eventually(|| metric(&rig, "ghrunner_telemetry_failing") == Some(0.0)).unwrap();
    assert_eq!(daemon.count("the collector answers 500"), 1, "once for each change:\n{}", daemon.said());

    // Another address takes effect with the file. Nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    goes_on(&rig, &format!("http://{gone}"), 4);
    daemon.says("nobody listens there");
    goes_on(&rig, &url, 5);
    rig.write(&rig.good("min = 5\nmax = 5"));
    eventually(|| metric(&rig, "ghrunner_telemetry_failing").is_none()).unwrap();
}
