//! What operators do: drain, resume, stop, read logs, ask the doctor, change the mode.

use crate::bench::Bench;
use crate::bench::idle;
use crate::bench::phases;

const ONE: &str = "[pools.a-{P}]\norg = \"acme\"\ngroup = \"ci\"\nlabels = [\"a-{P}\"]\nmin = 2\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_pool_finishes_its_job_and_starts_none_until_it_is_resumed() {
    let mut bench = Bench::new("drain").await;
    bench.start(ONE).await;
    bench.idle("a", 2).await;
    let pool = bench.fleet.pool("a");
    let job = bench.busy("acme/app", "a", 6).await;
    assert_eq!(bench.cli(&["pools", "drain", &pool]).await.0, 0);
    bench.wait("the idle one is gone", |s| s.runners.len() == 1).await;
    assert_eq!(bench.outcome(job).await, "success");
    bench.wait("the busy one is gone, too", |s| s.runners.is_empty()).await;
    // It lasts through a restart.
    bench.daemon.stop().await.unwrap();
    bench.daemon.start().await.unwrap();
    let status = bench.wait("a first look", |s| s.ready).await;
    assert!(status.pools[0].drained && status.runners.is_empty());
    assert_eq!(bench.cli(&["pools", "resume", &pool]).await.0, 0);
    bench.idle("a", 2).await;
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_of_all_pools_waits_for_the_job_and_ends_when_the_host_is_empty() {
    let mut bench = Bench::new("drain-all").await;
    let two = format!("{ONE}[pools.b-{{P}}]\norg = \"acme\"\nlabels = [\"b-{{P}}\"]\nmin = 1\n");
    bench.start(&two).await;
    bench.idle("a", 2).await;
    bench.idle("b", 1).await;
    let job = bench.busy("acme/app", "a", 15).await;
    let (code, _, told) = bench.cli(&["drain", "--wait", "--timeout", "2s"]).await;
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("the pools stay drained"), "{told}");
    let (code, said, told) = bench.cli(&["drain", "--wait", "--timeout", "60s"]).await;
    assert_eq!((code, said.as_str()), (0, "no runner is left\n"), "{told}");
    assert!(told.contains("1 busy (ghrunner-a-"), "{told}");
    assert_eq!(bench.outcome(job).await, "success");
    assert_eq!(bench.fleet.names().await.unwrap(), Vec::<String>::new());
    assert_eq!(bench.cli(&["resume"]).await.0, 0);
    bench.idle("a", 2).await;
    bench.idle("b", 1).await;
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_is_stopped_when_idle_or_by_force_and_its_output_is_kept() {
    let mut bench = Bench::new("stop").await;
    bench.start("[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\n").await;
    let status = bench.idle("a", 1).await;
    let name = status.runners[0].name.clone();
    let (code, live, _) = bench.cli(&["runners", "logs", &name]).await;
    assert_eq!((code, live.contains("Listening for Jobs")), (0, true), "{live}");
    bench.busy("acme/app", "a", 120).await;
    let (code, said, _) = bench.cli(&["runners", "stop", &name]).await;
    assert_eq!(code, 0, "{said}");
    tokio::time::sleep(lab::secs(4)).await;
    assert_eq!(bench.sim.counters().jobs_cancelled, 0, "without force a job is left alone");

    assert_eq!(bench.cli(&["runners", "stop", "--force", &name]).await.0, 0);
    bench.sim_until("the job is cancelled", |s| s.counters.jobs_cancelled == 1).await;
    bench.wait("a successor", |s| s.runners.iter().all(|r| r.name != name) && !s.runners.is_empty()).await;
    bench.idle("a", 1).await;
    let (code, kept, _) = bench.cli(&["runners", "logs", &name]).await;
    assert_eq!((code, kept.contains("Running job: build")), (0, true), "{kept}");
    let (code, ended, _) = bench.cli(&["runners", "list", "--ended"]).await;
    assert_eq!((code, ended.contains(&name)), (0, true), "{ended}");
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pools_image_is_tried_without_a_registration() {
    let mut bench = Bench::new("verify").await;
    let old = bench.fleet.image("exit5", &["STANDIN_BEHAVIOUR=exit:5"]).await.unwrap();
    let pools =
        format!("{ONE}[pools.b-{{P}}]\norg = \"acme\"\nlabels = [\"b\"]\nimage = \"{old}\"\nmax = 0\n");
    bench.configure(&pools);
    bench.daemon.start().await.unwrap();
    bench.idle("a", 2).await;
    let registrations = bench.sim.counters().registrations;
    let (code, said, told) =
        bench.cli(&["verify", &bench.fleet.pool("a"), "--", "/home/runner/run.sh"]).await;
    assert_eq!(code, 0, "{said}{told}");
    let (bad, said, told) = bench.cli(&["verify", &bench.fleet.pool("b"), "--", "/home/runner/run.sh"]).await;
    assert_eq!(bad, 1, "{said}{told}");
    assert!(said.contains('5'), "{said}");
    assert_eq!(bench.sim.counters().registrations, registrations);
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_is_content_and_names_what_is_missing() {
    let mut bench = Bench::new("doctor").await;
    bench.start(ONE).await;
    bench.idle("a", 2).await;
    let (code, said, told) = bench.cli(&["doctor"]).await;
    assert_eq!(code, 0, "{said}{told}");
    bench.configure(&ONE.replace("\"ci\"", "\"nowhere\""));
    let (code, said, _) = bench.cli(&["doctor"]).await;
    assert_eq!((code, said.contains("nowhere")), (1, true), "{said}");
    bench.daemon.secret("token", "ghp_canary7Kx2pQ9vWrong").unwrap();
    let (code, said, told) = bench.cli(&["doctor", "--json"]).await;
    assert_eq!(code, 1, "{said}");
    bench.no_secret_in("doctor", &format!("{said}{told}"));
    bench.daemon.secret("token", crate::bench::TOKEN).unwrap();
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_moves_the_fleet_to_repositories_and_back_without_hurting_a_job() {
    let mut bench = Bench::new("rollback").await;
    bench
        .start("[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\nmax = 4\nrollback = [\"acme/app\", \"acme/web\"]\n")
        .await;
    bench.idle("a", 1).await;
    let job = bench.busy("acme/app", "a", 20).await;
    bench
        .wait("a busy runner", |s| s.runners.iter().any(|r| r.github.as_ref().is_some_and(|g| g.busy)))
        .await;
    let (code, said, _) = bench.cli(&["rollback", "--dry-run"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("repos/acme/web"), "{said}");
    assert_eq!(bench.status().await.mode, ghrunner::model::Mode::Organization);

    let (code, said, told) = bench.cli(&["rollback", "--yes"]).await;
    assert_eq!(code, 0, "{said}{told}");
    let at = |scope: &'static str| {
        move |s: &githubsim::Snapshot| s.runners.iter().any(|r| r.scope == scope && r.online)
    };
    bench.sim_until("a runner of the repository", at("repo:acme/web")).await;
    assert_eq!(bench.outcome(job).await, "success");
    bench
        .sim_until("both repositories are served", |s| {
            at("repo:acme/app")(s) && at("repo:acme/web")(s) && s.runners.len() == 2
        })
        .await;
    let job = bench.busy("acme/web", "a", 1).await;
    assert_eq!(bench.outcome(job).await, "success");
    bench.daemon.kill().await.unwrap();
    bench.daemon.start().await.unwrap();
    let pool = bench.fleet.pool("a");
    let back = bench.wait("the mode outlives a crash", |s| phases(s, &pool) == idle(2)).await;
    assert_eq!(back.mode, ghrunner::model::Mode::Repository);

    assert_eq!(bench.cli(&["rollback", "--undo", "--yes"]).await.0, 0);
    bench
        .sim_until("organization runners alone", |s| s.runners.len() == 1 && s.runners[0].scope == "org:acme")
        .await;
    bench.idle("a", 1).await;
    bench.empty().await;
    bench.finish().await;
}
