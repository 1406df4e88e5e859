//! Reasons that lie in the file: labels, whom a pool serves, how many runners it has.

use githubsim::JobSpec;

use crate::bench::Bench;
use crate::rig::Rig;

#[test]
fn no_pool_has_a_label_and_the_nearest_is_named() {
    let bench = Bench::new();
    let job = bench.job("build", &["self-hosted", "dokcer"]);
    let hosted = bench.job("lint", &["ubuntu-latest"]);
    let daemon = bench.start(&bench.polled("max = 2").replace("[\"x\"]", "[\"docker\"]"));
    let text = "no pool has label \"dokcer\"; the nearest is \"docker\" of pool build";
    bench.explained(&daemon, &job, "no_label", &[text]);
    bench.told(&daemon, &job, 1, text);
    bench.explained(&daemon, &hosted, "hosted", &["\"ubuntu-latest\" is a label of GitHub's own runners"]);
    bench.told(&daemon, &hosted, 0, "");
    let labels = ["self-hosted", "gpu", "--repo", "acme/app"];
    bench.answered(&daemon, &labels, "no_label", &["no pool has label \"gpu\""]);
}

#[test]
fn labels_of_two_pools_are_those_of_none() {
    let bench = Bench::new();
    let job = bench.job("build", &["self-hosted", "x", "y"]);
    let other =
        "[pools.other]\norg = \"acme\"\nimage = \"runner:1\"\nlabels = [\"y\", \"z\"]\ndemand = \"poll\"\n";
    let daemon = bench.start(&format!("{}{other}", bench.polled("max = 2")));
    let text = "no pool has all of its labels: build lacks \"y\"";
    bench.explained(&daemon, &job, "no_pool_has_all_labels", &[text]);
    bench.told(&daemon, &job, 1, text);
}

#[test]
fn the_group_does_not_admit_the_repository() {
    let bench = Bench::with(Rig::state().repository("acme/web"));
    let job = bench.queue(JobSpec::new("acme/web", &["self-hosted", "x"]));
    let daemon = bench.start(&bench.polled("group = \"ci\"\nmax = 2"));
    let text = "pool build is not for it: runner group ci of acme does not admit acme/web";
    for what in [&[job.url().as_str()][..], &[&job.run_url()], &["x", "--repo", "acme/web"]] {
        let answer = bench.answered(&daemon, what, "not_admitted", &[text]);
        assert!(!answer.text.contains("public"), "{}", answer.text);
    }
}

#[test]
fn a_group_that_is_closed_to_public_repositories_is_said_to_be() {
    let bench = Bench::with(Rig::state().public_repository("acme/site").group("acme", 6, "web", &["site"]));
    let job = bench.queue(JobSpec::new("acme/site", &["self-hosted", "x"]));
    let daemon = bench.start(&bench.polled("group = \"web\"\nmax = 2"));
    let text = "runner group web of acme does not admit acme/site, which is public: the group is closed to public repositories";
    bench.answered(&daemon, &[&job.url()], "not_admitted", &[text]);
}

#[test]
fn a_repository_of_nobodys_pools() {
    let bench = Bench::with(Rig::state().repository("alice/tool"));
    let job = bench.queue(JobSpec::new("alice/tool", &["self-hosted", "x"]));
    let daemon = bench.start(&bench.polled("max = 2"));
    bench.answered(&daemon, &[&job.url()], "no_pool_listens", &["no pool is for alice/tool"]);
}

#[test]
fn a_pool_of_a_fixed_number_does_not_look_at_jobs() {
    let bench = Bench::new();
    let job = bench.job("build", &["self-hosted", "x"]);
    let daemon = bench.start(&bench.rig.good("min = 1\nmax = 2"));
    let words = "the pools for acme/app do not look at its jobs (demand = \"fixed\"): build";
    bench.answered(&daemon, &[&job.url()], "no_pool_listens", &[words]);
}

#[test]
fn the_pool_is_at_max_and_the_jobs_before_are_named() {
    let bench = Bench::new();
    let labels = ["self-hosted", "x"];
    let jobs = ["first", "second", "third"].map(|name| bench.job(name, &labels));
    let daemon = bench.start(&bench.polled("max = 1"));
    bench.guest(&daemon, 0).begins_a_job();
    bench.explained(&daemon, &jobs[0], "runs", &["it runs on ghrunner-build-0-rig1-"]);
    let text = "the pool is at max (1): 1 in a job, and it is the next";
    bench.explained(&daemon, &jobs[1], "at_max", &[text]);
    let text = "the pool is at max (1): 1 in a job, and 1 before it: \"second\" of acme/app";
    let answer = bench.explained(&daemon, &jobs[2], "at_max", &[text]);
    assert_eq!(answer.pool.as_deref(), Some("build"));
    bench.told(&daemon, &jobs[2], 1, "the pool is at max (1)");
}

#[test]
fn a_repository_has_as_many_jobs_as_it_may() {
    let bench = Bench::new();
    let jobs = ["first", "second"].map(|name| bench.job(name, &["self-hosted", "x"]));
    let daemon = bench.start(&bench.polled("max = 3\nmax_per_repository = 1"));
    let text = "repository acme/app has as many jobs in the pool as it may (1)";
    bench.explained(&daemon, &jobs[1], "cap", &[text]);
    bench.told(&daemon, &jobs[1], 1, text);
}

#[test]
fn a_pool_that_is_drained_or_switched_off_says_so() {
    let bench = Bench::new();
    let job = bench.job("build", &["self-hosted", "x"]);
    let daemon = bench.start(&bench.polled("max = 0"));
    // Nobody reads the queue for it.
    bench.answered(&daemon, &[&job.url()], "switched_off", &["pool build is switched off: max = 0"]);
    bench.rig.ask(&["pools", "drain", "build"]);
    bench.rig.write(&bench.polled("max = 2"));
    let text = "pool build is being drained; `ghrunner pools resume build` ends that";
    bench.explained(&daemon, &job, "drained", &[text]);
}
