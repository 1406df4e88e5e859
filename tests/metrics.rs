//! Metrics as they are scraped, and all that names them: the manual, the alerts, the dashboard.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

mod cli_fleet;
mod common;
mod rig;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use cli_fleet::FakeDaemon;
use cli_fleet::snapshot;
use common::build;
use ghrunner::control::Snapshot;
use ghrunner::http::metrics::CATALOGUE;
use ghrunner::http::metrics::Kind;
use ghrunner::http::metrics::Metric;
use ghrunner::model::ImageView;
use ghrunner::model::Phase;
use ghrunner::model::SetId;
use ghrunner::model::SetState;
use ghrunner::model::SetStatistics;
use ghrunner::model::SetView;
use rig::Rig;

const RULES: &str = "packaging/prometheus/ghrunner.rules.yml";
const RULE_TESTS: &str = "packaging/prometheus/ghrunner.rules.test.yml";
const DASHBOARD: &str = "packaging/grafana/ghrunner.json";
const MANUAL: &str = "docs/metrics.md";
const OPEN: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

/// What a scrape shows: the head of the answer, and the text.
fn scrape(socket: &Path, path: &str, accept: &str) -> (String, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    (head.to_lowercase(), body.to_owned())
}

/// Series with their values.
fn values(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| line.rsplit_once(' ').unwrap());
    series.map(|(series, value)| (series, value.parse().unwrap())).collect()
}

/// The made-up fleet with a pool of the file, an image, and a scale set that was opened twice.
fn lively() -> Snapshot {
    let mut snapshot = snapshot();
    let mut pool = build::pool("build");
    pool.spec.image = "ghcr.io/actions/actions-runner:2.330.0".to_owned();
    let image = ImageView { built: Some(cli_fleet::THEN), ..ImageView::default() };
    snapshot.images.insert(pool.spec.image.clone(), image);
    snapshot.pools[0].pool = Some(pool);
    snapshot.demand.sets.push(SetView {
        pool: build::pool_name("build"),
        scope: build::scope("orgs/acme"),
        id: Some(SetId(7)),
        state: SetState::Listening,
        statistics: Some((
            SetStatistics { assigned: 4, running: 3, ..SetStatistics::default() },
            cli_fleet::THEN,
        )),
        disagreement: None,
        sessions: 2,
    });
    snapshot
}

#[test]
fn a_scrape_shows_what_the_last_pass_saw() {
    let daemon = FakeDaemon::with(lively());
    let (head, text) = scrape(&daemon.socket, "/metrics", "*/*");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let values = values(&text);
    let arc = r#"{name="build",namespace="k7x2p",organization="acme",enterprise=""}"#;
    for (series, value) in [
        ("ghrunner_ready", 1.0),
        ("ghrunner_config_valid", 0.0),
        ("ghrunner_config_settings_awaiting_restart", 1.0),
        ("ghrunner_engine_up", 1.0),
        (r#"ghrunner_runners{pool="build",phase="busy"}"#, 1.0),
        (r#"ghrunner_runners{pool="build",phase="lost"}"#, 0.0),
        (r#"ghrunner_pool_target_runners{pool="build"}"#, 3.0),
        (r#"ghrunner_pool_max_runners{pool="build"}"#, 4.0),
        (r#"ghrunner_held_back{pool="build",reason="at_max"}"#, 1.0),
        (r#"ghrunner_jobs_unserved{why="no_label"}"#, 1.0),
        (r#"ghrunner_github_quota_remaining{credential="default"}"#, 4980.0),
        (r#"ghrunner_github_requests_total{credential="default"}"#, 312.0),
        (r#"ghrunner_pool_image_built_timestamp_seconds{pool="build"}"#, 1_700_000_000.0),
        (r#"ghrunner_pool_runner_version_info{pool="build",version="2.330.0"}"#, 1.0),
        (r#"ghrunner_scale_sets{pool="build",state="listening"}"#, 1.0),
        (r#"ghrunner_scale_set_session_recreations_total{pool="build"}"#, 1.0),
        (&format!("gha_assigned_jobs{arc}"), 4.0),
        (&format!("gha_running_jobs{arc}"), 3.0),
        (&format!("gha_desired_runners{arc}"), 3.0),
        (&format!("gha_idle_runners{arc}"), 1.0),
        (&format!("gha_controller_running_listeners{arc}"), 1.0),
    ] {
        assert_eq!(values.get(series), Some(&value), "{series}\n{text}");
    }
}

#[test]
fn both_places_show_the_same_in_both_formats() {
    let daemon = FakeDaemon::with(lively());
    let (head, open) = scrape(&daemon.socket, "/metrics", OPEN);
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.ends_with("# EOF\n"));
    let (_, plain) = scrape(&daemon.socket, "/api/v1/metrics", "text/plain");
    // The scrapes themselves are counted.
    let fixed = |text: &str| -> Vec<String> {
        let counted = |line: &&str| !line.contains("ghrunner_http_") && !line.starts_with('#');
        text.lines().filter(counted).map(str::to_owned).collect()
    };
    assert_eq!(fixed(&open), fixed(&plain));
    let (_, after) = scrape(&daemon.socket, "/metrics", "*/*");
    let values = values(&after);
    for route in ["/metrics", "/api/v1/metrics"] {
        let series = format!(r#"ghrunner_http_requests_total{{method="GET",route="{route}",status="200"}}"#);
        assert_eq!(values.get(series.as_str()), Some(&1.0), "{after}");
    }
    assert_eq!(values["ghrunner_http_request_duration_seconds_count"], 2.0);
}

#[test]
fn paths_that_somebody_makes_up_are_no_labels() {
    let daemon = FakeDaemon::with(snapshot());
    for path in ["/made-up-1", "/made-up-2", "/.git/config"] {
        let mut stream = UnixStream::connect(&daemon.socket).unwrap();
        write!(stream, "BREW {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }
    let (_, text) = scrape(&daemon.socket, "/metrics", "*/*");
    assert!(!text.contains("made-up") && !text.contains("BREW"), "{text}");
    let series = r#"ghrunner_http_requests_total{method="other",route="none",status="404"}"#;
    assert_eq!(values(&text).get(series), Some(&3.0), "{text}");
}

#[test]
fn no_name_of_a_repository_a_job_or_a_runner_is_a_label_and_a_larger_fleet_has_no_more_series() {
    let mut large = lively();
    large.runners = (0..500).map(|slot| cli_fleet::runner(slot, Phase::Busy)).collect();
    let (small, large) = (FakeDaemon::with(lively()), FakeDaemon::with(large));
    let text = scrape(&large.socket, "/metrics", "*/*").1;
    for foreign in ["acme/app", "ghrunner-build-", "k7x2p-a1b2c3", "\"test\"", "\"CI\""] {
        assert!(!text.contains(foreign), "{foreign} is shown");
    }
    let series = |text: &str| values(text).keys().map(|s| (*s).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(series(&text), series(&scrape(&small.socket, "/metrics", "*/*").1));
}

#[test]
fn a_real_daemon_counts_what_it_does() {
    let rig = Rig::new();
    rig.write(&rig.good("min = 2\nmax = 3"));
    let daemon = rig.daemon();
    let socket = rig.path("run/s");
    let counts = |wanted: &[(&str, f64)]| {
        let text = scrape(&socket, "/metrics", "*/*").1;
        let values = values(&text);
        wanted.iter().all(|(series, least)| values.get(series).is_some_and(|value| value >= least))
    };
    daemon.says("Done: create");
    rig::eventually(|| {
        socket.exists()
            && counts(&[
                ("ghrunner_ready", 1.0),
                ("ghrunner_pass_duration_seconds_count", 2.0),
                (r#"ghrunner_planned_actions_total{action="create"}"#, 2.0),
                (r#"ghrunner_actions_total{action="create",result="done"}"#, 2.0),
                (r#"ghrunner_engine_calls_total{call="create_container",result="ok"}"#, 2.0),
                (r#"ghrunner_engine_calls_total{call="list_containers",result="ok"}"#, 2.0),
                (r#"ghrunner_github_calls_total{call="generate_jitconfig",result="ok"}"#, 2.0),
                (r#"ghrunner_startup_duration_seconds_count{pool="build",step="created"}"#, 2.0),
            ])
    })
    .unwrap();
}

/// The table of the manual, as the code would have it.
fn table() -> String {
    let mut table = "| name | kind | labels | unit | meaning |\n|---|---|---|---|---|\n".to_owned();
    for metric in CATALOGUE {
        let Metric { name, kind, labels, help } = metric;
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, labels, unit) = (kind.word(), labels.join(", "), metric.unit());
        writeln!(table, "| `{name}` | {kind} | {labels} | {unit} | {help} |").unwrap();
    }
    table
}

#[test]
fn the_manual_has_every_metric() {
    let page = fs::read_to_string(MANUAL).unwrap();
    let (begin, end) = ("<!-- metrics -->\n", "<!-- /metrics -->\n");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let made = format!("{before}{begin}{}{end}{after}", table());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(MANUAL, &made).unwrap();
    }
    assert!(
        page == made || std::env::var_os("UPDATE_GOLDEN").is_some(),
        "UPDATE_GOLDEN=1 rewrites the table"
    );
}

/// What a name in a query stands for; a histogram goes by three.
fn metric(name: &str) -> Option<&'static Metric> {
    let of = |name: &str| CATALOGUE.iter().find(|metric| metric.name == name);
    let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| of(name.strip_suffix(part)?));
    of(name)
        .filter(|m| m.kind != Kind::Histogram)
        .or_else(|| parts.into_iter().find(|m| m.kind == Kind::Histogram))
}

/// Our names in a query, each with the names of the labels by which it selects.
fn used(query: &str) -> Vec<(String, Vec<String>)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(at) = rest.find(word) {
        let begin = &rest[at..];
        let end = begin.find(|c| !word(c)).unwrap_or(begin.len());
        let (name, after) = begin.split_at(end);
        if name.starts_with("ghrunner_") || name.starts_with("gha_") {
            let selector = after.strip_prefix('{').and_then(|s| s.split_once('}')).map_or("", |(s, _)| s);
            let names = selector.split(", ").filter_map(|m| Some(m.split_once(['=', '!'])?.0.to_owned()));
            found.push((name.to_owned(), names.collect()));
        }
        rest = after;
    }
    found
}

fn wrong_in(query: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, labels) in used(query) {
        let Some(metric) = metric(&name) else {
            wrong.push(format!("there is no {name}: {query}"));
            continue;
        };
        let known = |label: &String| metric.labels.contains(&label.as_str()) || label == "instance";
        wrong
            .extend(labels.iter().filter(|l| !known(l)).map(|l| format!("{name} has no label {l}: {query}")));
    }
    wrong
}

#[test]
fn the_check_of_queries_finds_what_is_wrong() {
    assert_eq!(wrong_in(r#"sum(rate(ghrunner_job_queue_wait_seconds_bucket{pool=~"$pool"}[5m]))"#), [""; 0]);
    for wrong in [
        "ghrunner_made_up > 0",
        "ghrunner_job_queue_wait_seconds > 0",
        "ghrunner_ready_count > 0",
        r#"ghrunner_runners{instance="x", repo="y"}"#,
    ] {
        assert_eq!(wrong_in(wrong).len(), 1, "{wrong}");
    }
}

#[test]
fn every_query_of_the_dashboard_asks_for_what_there_is() {
    let dashboard: serde_json::Value = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let queries: Vec<&str> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .chain(variables.filter_map(|variable| variable["definition"].as_str()))
        .collect();
    assert!(queries.len() > 40, "{}", queries.len());
    let wrong: Vec<String> = queries.iter().flat_map(|query| wrong_in(query)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "panels have numbers of their own");
}

#[test]
fn every_alert_asks_for_what_there_is_and_is_played_both_ways() {
    let (rules, tests) = (fs::read_to_string(RULES).unwrap(), fs::read_to_string(RULE_TESTS).unwrap());
    let after = |key: &str| -> Vec<&str> {
        rules.lines().filter_map(|line| line.trim_start().strip_prefix(key)).collect()
    };
    let (alerts, queries) = (after("- alert: "), after("expr: "));
    assert!(alerts.len() > 20 && alerts.len() == queries.len(), "{alerts:?}");
    let wrong: Vec<String> = queries.iter().flat_map(|query| wrong_in(query)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let manual = fs::read_to_string(MANUAL).unwrap();
    for alert in alerts {
        for way in ["fires", "keeps quiet"] {
            assert!(tests.contains(&format!("- name: {alert} {way}\n")), "{alert} is not seen when it {way}");
        }
        assert!(manual.contains(alert), "{alert} is not in the manual");
    }
}
