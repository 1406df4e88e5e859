//! Reasons that lie with GitHub: credentials, limits, and what it holds itself.

use std::fs;

use githubsim::JobSpec;

use crate::bench::Bench;

const LABELS: [&str; 2] = ["self-hosted", "x"];

#[test]
fn the_credential_is_rejected_where_a_runner_would_register() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    // It may read queues, and must not register anything at an organization.
    fs::write(bench.rig.path("token"), "ghp_weak\n").unwrap();
    let file = bench.polled("max = 2").replace("org = \"acme\"", "org = \"acme\"\nrollback = [\"acme/app\"]");
    let daemon = bench.start(&file);
    let words = ["nothing is sent for orgs/acme until ", "admin:org"];
    let answer = bench.explained(&daemon, &job, "github", &words);
    assert!(answer.says_until_when(), "{answer:?}");
}

#[test]
fn the_credential_is_revoked_and_nobody_can_hear_of_new_jobs() {
    let bench = Bench::new();
    let daemon = bench.start(&bench.polled("max = 2"));
    let words = ["nothing stands in the way: a runner would start for it"];
    bench.answered(&daemon, &["x", "--repo", "acme/app"], "would_start", &words);
    bench.rig.side_door("tokens/revoke", "{\"token\": \"ghp_test\"}");
    let job = bench.job("build", &LABELS);
    let words = [" cannot be heard", "GitHub rejects credential default for "];
    bench.answered(&daemon, &[&job.url()], "demand_failing", &words);
}

#[test]
fn the_hourly_quota_is_used_up_until_a_time() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    bench.rig.sim().faults("POST **/generate-jitconfig primary").unwrap();
    let daemon = bench.start(&bench.polled("max = 2"));
    let words = ["nothing is sent for orgs/acme until ", "limit"];
    let answer = bench.explained(&daemon, &job, "github", &words);
    assert!(answer.says_until_when(), "{answer:?}");
    bench.told(&daemon, &job, 1, "nothing is sent for orgs/acme until ");
}

#[test]
fn github_holds_it_for_an_approval() {
    let bench = Bench::new();
    let first = bench.job("build", &LABELS);
    let deploy = JobSpec { waiting: true, name: "deploy".to_owned(), ..JobSpec::new("acme/app", &LABELS) };
    let job = bench.queue(JobSpec { run: Some(first.run), ..deploy });
    let daemon = bench.start(&bench.polled("max = 2"));
    let text = "GitHub itself holds it: an approval, a concurrency group, or a job that it needs";
    bench.explained(&daemon, &job, "github_holds", &[text]);
    bench.told(&daemon, &job, 0, "");
    // Its run is not among those that wait for runners any more, nor among those that run.
    bench.rig.side_door(&format!("jobs/{}/cancel", first.id), "");
    bench.answered(
        &daemon,
        &[&first.url()],
        "not_listed",
        &["GitHub had no such job in the queue of acme/app"],
    );
    bench.explained(&daemon, &job, "github_holds", &[text]);
    bench.rig.sim().with_world(|world, now| world.release_job(job.id, now)).unwrap();
    bench.explained(&daemon, &job, "starting", &["runner ghrunner-build-0-rig1-"]);
}

#[test]
fn a_job_that_has_ended_is_not_in_the_queue_any_more() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    let daemon = bench.start(&bench.polled("max = 2"));
    bench.explained(&daemon, &job, "starting", &["runner ghrunner-build-0-rig1-"]);
    bench.rig.side_door(&format!("jobs/{}/cancel", job.id), "");
    let words = [
        "GitHub had no such job in the queue of acme/app at ",
        "it has ended, has not come there yet, or GitHub holds it",
    ];
    bench.answered(&daemon, &[&job.url()], "not_listed", &words);
}

#[test]
fn a_run_is_answered_job_by_job() {
    let bench = Bench::new();
    let job = bench.job("build", &LABELS);
    let other = JobSpec { run: Some(job.run), ..JobSpec::new("acme/app", &["self-hosted", "gpu"]) };
    bench.queue(other);
    let daemon = bench.start(&bench.polled("max = 2"));
    bench.explained(&daemon, &job, "starting", &["runner ghrunner-build-0-rig1-"]);
    let codes: Vec<String> = bench.asked(&[&job.run_url()]).into_iter().map(|answer| answer.why).collect();
    assert_eq!(codes, ["starting", "no_label"]);
}
