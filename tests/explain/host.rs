//! Reasons that lie in this machine: what it can take, its disk, and starts that failed.

use crate::bench::Bench;

const LABELS: [&str; 2] = ["self-hosted", "x"];

#[test]
fn the_host_has_as_many_runners_as_it_may() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    let other = "[pools.other]\norg = \"acme\"\nimage = \"runner:1\"\nlabels = [\"y\"]\nmin = 1\nmax = 1\n";
    let file = bench.polled("max = 1").replace("[host]\n", "[host]\nmax_runners = 1\n");
    let daemon = bench.start(&format!("{file}{other}"));
    bench.explained(&daemon, &job, "host_full", &["the host is at host.max_runners (1)"]);
    bench.told(&daemon, &job, 1, "the host is at host.max_runners (1)");
}

#[test]
fn the_hosts_processors_are_spoken_for() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    let file = bench.polled("max = 3\ncpus = 4").replace("[host]\n", "[host]\nreserve = { cpus = 5 }\n");
    let daemon = bench.start(&file);
    let text = "the host is short: a runner needs 4 cpus, 3 are left beside host.reserve.cpus";
    bench.explained(&daemon, &job, "host_budget", &[text]);
    bench.told(&daemon, &job, 1, text);
}

#[test]
fn the_engines_disk_is_too_full() {
    let bench = Bench::new();
    bench.rig.engine.lie_in(bench.rig.dir.path());
    let job = bench.job("build", &LABELS);
    let file = bench.polled("max = 3").replace("[host]\n", "[host]\nreserve = { disk = \"900TiB\" }\n");
    let daemon = bench.start(&file);
    let words = ["the engine's disk has ", " free, host.reserve.disk is 900"];
    bench.explained(&daemon, &job, "disk", &words);
    bench.told(&daemon, &job, 1, "the engine's disk has ");
}

#[test]
fn starts_failed_and_the_next_is_at_a_time() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    bench.rig.engine.refuse("no space left on device");
    let daemon = bench.start(&bench.polled("max = 3"));
    let words = ["backing off until ", " because ", "no space left on device"];
    let answer = bench.explained(&daemon, &job, "backoff", &words);
    assert!(answer.says_until_when(), "{answer:?}");
}

#[test]
fn the_image_is_not_there() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    let daemon = bench.start(&bench.polled("max = 3").replace("runner:1", "absent:1"));
    let words = ["image absent:1 cannot be pulled: ", "next attempt at "];
    bench.explained(&daemon, &job, "image", &words);
}

#[test]
fn a_runner_for_it_is_starting_and_then_it_is_idle_and_should_take_it() {
    let bench = Bench::new();
    let daemon = bench.start(&bench.polled("max = 3"));
    let words = ["nothing stands in the way: a runner would start for it"];
    bench.answered(&daemon, &["x", "--repo", "acme/app"], "would_start", &words);
    let job = bench.job("build", &LABELS);
    let words = ["runner ghrunner-build-0-rig1-", " is starting since "];
    bench.explained(&daemon, &job, "starting", &words);
    // It comes online, and GitHub gives it nothing.
    let _idle = bench.guest(&daemon, 0);
    let words = [
        "runner ghrunner-build-0-rig1-",
        " is idle since ",
        " and should take it; if it has not a minute after ",
        "see whether the runner group admits the repository, and https://www.githubstatus.com",
    ];
    bench.explained(&daemon, &job, "idle_runner", &words);
    bench.told(&daemon, &job, 0, "");
}
