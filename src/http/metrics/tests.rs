use axum::http::HeaderValue;

use super::*;

fn accepts(value: &'static str) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(value));
    accepts_open_metrics(&headers)
}

#[test]
fn who_accepts_open_metrics_gets_it() {
    assert!(accepts(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    ));
    for other in ["*/*", "text/plain", "application/openmetrics-text; q=0"] {
        assert!(!accepts(other), "{other}");
    }
    assert!(!accepts_open_metrics(&HeaderMap::new()));
}

#[test]
fn names_keep_to_the_conventions() {
    for (at, metric) in CATALOGUE.iter().enumerate() {
        let name = metric.name;
        assert!(name.starts_with("ghrunner_") || name.starts_with("gha_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}");
        assert!(CATALOGUE[..at].iter().all(|other| other.name != name), "{name} is there twice");
        for foreign in ["repository", "repo", "runner", "job", "job_name", "workflow", "branch"] {
            assert!(!metric.labels.contains(&foreign), "{name} has a label without a bound");
        }
    }
}

#[test]
fn the_two_formats_differ_in_what_is_said_of_counters_and_in_the_end() {
    let filled = || {
        let mut out = Exposition::default();
        out.put(&catalogue::PLANNED, &["create"], 7_u64);
        out.put(&catalogue::RUNNERS, &["a\"b", "idle"], 3_u32);
        out
    };
    let open = filled().openmetrics().unwrap();
    assert!(open.contains("# TYPE ghrunner_planned_actions counter\n"), "{open}");
    assert!(open.contains("ghrunner_planned_actions_total{action=\"create\"} 7\n"), "{open}");
    assert!(open.contains("ghrunner_runners{pool=\"a\\\"b\",phase=\"idle\"} 3\n"), "{open}");
    assert!(open.ends_with("# EOF\n"));
    let plain = filled().prometheus().unwrap();
    assert!(plain.contains("# TYPE ghrunner_planned_actions_total counter\n"), "{plain}");
    assert!(plain.contains("# HELP ghrunner_planned_actions_total Actions"), "{plain}");
    assert!(!plain.contains("# EOF"));
    let values = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(values(&open), values(&plain));
}
