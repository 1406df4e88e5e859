//! Secrets stay where they belong.

use std::path::Path;

use bollard::query_parameters::InspectContainerOptions;

use crate::bench::Bench;

/// All files below a folder, as text.
fn texts(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => texts(&path, found),
            false => {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
                found.push((path.display().to_string(), text));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_and_no_registration_shows_up_where_it_does_not_belong() {
    let mut bench = Bench::new("secrets").await;
    bench.daemon.arguments(&["--log-level", "trace"]);
    bench.start("[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\n[pools.t-{P}]\nrepo = \"alice/tool\"\nlabels = [\"t-{P}\"]\nregistration = \"token\"\n").await;
    bench.idle("a", 1).await;
    bench.idle("t", 1).await;

    let mut secrets = vec![crate::bench::TOKEN.to_owned()];
    let mut labels = String::new();
    for id in bench.fleet.ids().await.unwrap() {
        let options = None::<InspectContainerOptions>;
        let seen = bench.fleet.docker().inspect_container(&id, options).await.unwrap();
        let config = seen.config.unwrap();
        let of = |name: &str| {
            let environment = config.env.iter().flatten();
            environment.filter_map(|v| v.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned).next()
        };
        secrets.extend(of("ACTIONS_RUNNER_INPUT_JITCONFIG").into_iter().chain(of("RUNNER_TOKEN")));
        labels.push_str(&format!("{:?} {:?} {:?}", config.labels, config.cmd, seen.args));
    }
    assert_eq!(secrets.len(), 3, "the registrations are in the runners' environment, and nowhere else");
    let job = bench.busy("acme/app", "a", 1).await;
    assert_eq!(bench.outcome(job).await, "success");
    bench.idle("a", 1).await;
    let job = bench.busy("alice/tool", "t", 1).await;
    assert_eq!(bench.outcome(job).await, "success");
    bench.sim_until("successors", |s| s.counters.registrations == 4 && s.runners.len() == 2).await;
    bench.idle("t", 1).await;

    let mut places = vec![("labels and commands".to_owned(), labels)];
    for path in ["/api/v1/status", "/api/v1/plan", "/api/v1/pools", "/api/v1/runners", "/api/v1/ended"] {
        places.push((path.to_owned(), bench.daemon.get(path).await.unwrap().to_string()));
    }
    for arguments in [&["status"][..], &["plan"], &["plan", "--dry-run"], &["check"], &["doctor"]] {
        let (_, said, told) = bench.cli(arguments).await;
        places.push((arguments.join(" "), said + &told));
    }
    let line = std::fs::read_to_string(format!("/proc/{}/cmdline", bench.daemon.pid().unwrap())).unwrap();
    places.push(("command line".to_owned(), line));
    places.push(("log".to_owned(), bench.daemon.log()));
    texts(&bench.daemon.path("state"), &mut places);
    texts(&bench.daemon.path("logs"), &mut places);
    assert!(places.len() > 12, "the state has files");
    for (place, text) in &places {
        for secret in &secrets {
            // A part is enough: half a token is half the work of guessing it.
            let part = &secret[secret.len() / 4..secret.len() / 4 + 16];
            assert!(!text.contains(part), "{place} holds a secret");
        }
    }
    bench.empty().await;
    bench.finish().await;
}
