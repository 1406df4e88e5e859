//! Reading a repository's queue.

use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::Mutex;

use ghrunner::github::Client;
use ghrunner::github::GitHub as _;
use ghrunner::github::GitHubError;
use ghrunner::github::Look;
use ghrunner::github::Queue as _;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::Repo;
use ghrunner::model::RunnerName;
use ghrunner::model::Time;
use serde_json::Value;
use serde_json::json as value;

use crate::server::*;

fn app() -> Repo {
    "acme/app".parse().unwrap()
}

/// A repository at GitHub: runs with their jobs.
#[derive(Default, Clone)]
struct Runs(Arc<Mutex<Vec<Run>>>);

#[derive(Clone)]
struct Run {
    id: u64,
    status: &'static str,
    touched: u64,
    jobs: Vec<Value>,
}

fn job(id: u64, status: &str) -> Value {
    value!({
        "id": id, "run_id": 1, "name": format!("job {id}"), "status": status, "labels": ["Self-Hosted", "X64"],
        "created_at": "2023-11-14T22:00:00Z", "started_at": "2023-11-14T22:00:05.250+01:00",
        "runner_name": if status == "in_progress" { value!("ghrunner-a-0-k7x2p-a1") } else { value!(null) },
        "workflow_name": "Build", "head_branch": "main"
    })
}

fn run(id: u64, status: &'static str, jobs: Vec<Value>) -> Run {
    Run { id, status, touched: 0, jobs }
}

impl Runs {
    fn set(&self, runs: impl Into<Vec<Run>>) {
        *self.0.lock().unwrap() = runs.into();
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Run)) {
        change(self.0.lock().unwrap().iter_mut().find(|run| run.id == id).unwrap());
    }

    /// The repository's answers, in pages of a hundred, with tags.
    fn answer(&self, asked: &Asked) -> Reply {
        let runs = self.0.lock().unwrap();
        let (path, query) = asked.target.split_once('?').unwrap();
        let parameter = |name: &str| {
            query.split('&').find_map(|p| p.strip_prefix(&format!("{name}=")).map(str::to_owned))
        };
        let (key, all): (&str, Vec<Value>) = match path.strip_prefix("/repos/acme/app/actions/runs").unwrap()
        {
            "" => {
                let status = parameter("status").unwrap();
                let shape = |run: &Run| {
                    value!({
                        "id": run.id, "name": "Build", "path": ".github/workflows/build.yml", "event": "push",
                        "head_branch": "main", "status": run.status, "created_at": "2023-11-14T21:00:00Z",
                        "updated_at": format!("2023-11-14T22:00:{:02}Z", run.touched)
                    })
                };
                ("workflow_runs", runs.iter().filter(|r| r.status == status).map(shape).collect())
            }
            jobs => {
                assert_eq!(parameter("filter").as_deref(), Some("latest"));
                let id: u64 = jobs.split('/').nth(1).unwrap().parse().unwrap();
                match runs.iter().find(|r| r.id == id) {
                    Some(run) => ("jobs", run.jobs.clone()),
                    None => return json(404, value!({ "message": "Not Found" })),
                }
            }
        };
        let number: usize = parameter("page").map_or(1, |n| n.parse().unwrap());
        let page: Vec<&Value> = all.iter().skip(100 * (number - 1)).take(100).collect();
        let body = value!({ "total_count": all.len(), key: page });
        let mut hasher = DefaultHasher::new();
        body.to_string().hash(&mut hasher);
        let tag = format!("W/\"{:x}\"", hasher.finish());
        if asked.header("if-none-match") == tag {
            return empty(304);
        }
        let mut reply = json(200, body).with("etag", tag);
        if all.len() > 100 * number {
            let base = asked.target.split("&page=").next().unwrap();
            reply = reply.with(
                "link",
                format!("<http://{}/api/v3{base}&page={}>; rel=\"next\"", asked.header("host"), number + 1),
            );
        }
        reply
    }

    async fn serve(&self) -> (Hub, Client, Hands) {
        let runs = self.clone();
        let hub = Hub::start(move |asked| runs.answer(asked)).await;
        let hands = Hands::new();
        let client = client(vec![token_spec(&hub)], &hands);
        (hub, client, hands)
    }
}

async fn look(client: &Client) -> Look {
    client.open_jobs(&name(), &app()).await.unwrap()
}

fn states(look: &Look) -> Vec<(u64, &'static str)> {
    let word = |state: &JobState| match state {
        JobState::Held => "held",
        JobState::Queued => "queued",
        JobState::Running { .. } => "running",
    };
    let id = |id: JobId| match id {
        JobId::Job(id) => id,
        JobId::Request(_) => panic!("no scale set is asked"),
    };
    look.jobs.iter().map(|job| (id(job.id), word(&job.state))).collect()
}

#[tokio::test]
async fn jobs_that_wait_or_run_are_told_with_all_that_is_known_of_them() {
    let runs = Runs::default();
    runs.set([run(7, "in_progress", vec![job(70, "completed"), job(71, "in_progress"), job(72, "queued")])]);
    let (_hub, client, _) = runs.serve().await;
    let found = look(&client).await;
    assert_eq!(states(&found), [(71, "running"), (72, "queued")]);
    let job = &found.jobs[0];
    assert_eq!((job.run, &job.repo), (7, &app()));
    assert_eq!((job.workflow.as_str(), job.name.as_str()), ("Build", "job 71"));
    assert_eq!((job.event.as_str(), job.branch.as_str()), ("push", "main"));
    assert_eq!(job.labels, ["self-hosted", "x64"]);
    assert_eq!(job.queued, Time::from_secs(1_699_999_200));
    assert_eq!(job.state, JobState::Running { runner: Some(RunnerName::new("ghrunner-a-0-k7x2p-a1")) });
}

#[tokio::test]
async fn an_older_server_that_tells_less_is_understood() {
    let runs = Runs::default();
    let bare = value!({
        "id": 70, "name": "test", "status": "in_progress", "started_at": "2023-11-14T23:00:05.250+01:00",
        "runner_name": "", "labels": []
    });
    runs.set([run(7, "queued", vec![bare, value!({ "id": 71, "name": "late", "status": "queued" })])]);
    let (_hub, client, _) = runs.serve().await;
    let found = look(&client).await;
    assert_eq!(found.jobs[0].queued, Time(1_699_999_205_250));
    assert_eq!(found.jobs[0].state, JobState::Running { runner: None });
    assert_eq!((found.jobs[0].workflow.as_str(), found.jobs[0].branch.as_str()), ("Build", "main"));
    assert_eq!(found.jobs[1].queued, Time::from_secs(1_699_995_600), "the run's own time");
}

#[tokio::test]
async fn a_job_released_by_needs_is_found_under_a_run_in_progress() {
    let runs = Runs::default();
    runs.set([
        run(6, "queued", vec![job(60, "queued"), job(61, "queued")]),
        run(7, "in_progress", vec![job(70, "in_progress")]),
    ]);
    let (_hub, client, _) = runs.serve().await;
    assert_eq!(states(&look(&client).await), [(60, "queued"), (61, "queued"), (70, "running")]);
    // The run itself does not change: only its jobs tell.
    runs.change(7, |run| run.jobs = vec![job(70, "completed"), job(71, "queued")]);
    assert_eq!(states(&look(&client).await), [(60, "queued"), (61, "queued"), (71, "queued")]);
}

#[tokio::test]
async fn what_did_not_change_costs_nothing() {
    let runs = Runs::default();
    runs.set([
        run(6, "queued", vec![job(60, "queued")]),
        run(7, "in_progress", vec![job(70, "in_progress")]),
    ]);
    let (hub, client, _) = runs.serve().await;
    let first = look(&client).await;
    assert_eq!((first.requests, first.full), (6, 6), "four lists of runs, two of jobs");
    let again = look(&client).await;
    assert_eq!((again.requests, again.full), (4, 0));
    assert_eq!(first.jobs, again.jobs);
    let state = &client.states()[0];
    assert_eq!((state.requests, state.not_modified), (10, 4));
    assert_eq!(hub.count("GET /repos/acme/app/actions/runs?status=waiting"), 1);

    runs.change(7, |run| run.jobs.push(job(71, "queued")));
    let changed = look(&client).await;
    assert_eq!((changed.requests, changed.full), (4, 1));
    runs.set([]);
    let over = look(&client).await;
    assert_eq!((over.jobs.len(), over.full), (0, 2));
    assert_eq!((look(&client).await.requests, look(&client).await.full), (2, 0));
}

#[tokio::test]
async fn long_queues_and_wide_matrices_are_read_to_their_ends() {
    let runs = Runs::default();
    let wide = (0..150).map(|n| job(1000 + n, "queued")).collect();
    let mut all: Vec<Run> = (0..40).map(|n| run(n, "queued", vec![job(n, "queued")])).collect();
    all.push(run(500, "in_progress", wide));
    runs.set(all);
    let (hub, client, _) = runs.serve().await;
    assert_eq!(look(&client).await.jobs.len(), 190);
    assert_eq!(hub.count("GET /repos/acme/app/actions/runs/500/jobs"), 2);
    assert!(hub.busiest.load(std::sync::atomic::Ordering::SeqCst) <= 6);
}

#[tokio::test]
async fn a_queue_of_very_many_runs_is_read_in_turns_and_then_known_in_full() {
    let runs = Runs::default();
    runs.set((0..230).map(|n| run(n, "queued", vec![job(n, "queued")])).collect::<Vec<_>>());
    let (hub, client, hands) = runs.serve().await;
    let mut known = Vec::new();
    for _ in 0..3 {
        known.push(look(&client).await.jobs.len());
        hands.forward(10);
    }
    assert_eq!(known, [100, 200, 230]);
    // Those that were not read for longest come next, and what changed comes before all.
    runs.change(229, |run| (run.jobs, run.touched) = (vec![job(229, "completed")], 1));
    assert_eq!(look(&client).await.jobs.len(), 229);
    let asked = hub.lines().iter().filter(|line| line.contains("/jobs?")).count();
    assert_eq!(asked, 400);
}

#[tokio::test]
async fn runs_beyond_githubs_thousand_are_no_failure() {
    let runs = Runs::default();
    let inner = runs.clone();
    runs.set((0..3).map(|n| run(n, "queued", vec![job(n, "queued")])).collect::<Vec<_>>());
    let hub = Hub::start(move |asked| {
        let Reply::Answer(status, headers, body) = inner.answer(asked) else { unreachable!() };
        let headers = headers.into_iter().filter(|(name, _)| name != "etag").collect();
        Reply::Answer(status, headers, body.replace("\"total_count\":3", "\"total_count\":1500"))
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    assert_eq!(look(&client).await.jobs.len(), 3);
}

#[tokio::test]
async fn what_github_holds_is_told_as_held() {
    let runs = Runs::default();
    runs.set([
        run(5, "pending", vec![job(50, "queued")]),
        run(6, "waiting", vec![job(60, "waiting"), job(61, "queued")]),
        run(7, "in_progress", vec![job(70, "in_progress"), job(71, "waiting"), job(72, "pending")]),
    ]);
    let (hub, client, hands) = runs.serve().await;
    let expected = [(50, "held"), (60, "held"), (61, "queued"), (70, "running"), (71, "held"), (72, "held")];
    assert_eq!(states(&look(&client).await), expected);
    assert_eq!(states(&look(&client).await), expected);
    assert_eq!(hub.count("GET /repos/acme/app/actions/runs?status=waiting"), 1);
    // Refused: nothing else changes, so that it takes a minute to be noticed.
    runs.0.lock().unwrap().retain(|run| run.id != 6);
    hands.forward(61);
    assert_eq!(states(&look(&client).await).len(), 4);
    // Its turn in the concurrency group has come.
    runs.change(5, |run| run.status = "queued");
    assert_eq!(states(&look(&client).await)[0], (50, "queued"));
}

#[tokio::test]
async fn a_run_that_is_gone_between_two_requests_is_no_failure() {
    let runs = Runs::default();
    runs.set([
        run(6, "queued", vec![job(60, "queued")]),
        run(7, "in_progress", vec![job(70, "in_progress")]),
    ]);
    let inner = runs.clone();
    let hub = Hub::start(move |asked| {
        if asked.target.contains("/runs/6/jobs") {
            return json(404, value!({ "message": "Not Found" }));
        }
        inner.answer(asked)
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    assert_eq!(states(&look(&client).await), [(70, "running")]);
}

#[tokio::test]
async fn a_run_that_goes_back_to_the_queue_between_two_requests_is_not_missed() {
    let runs = Runs::default();
    runs.set([run(7, "in_progress", vec![job(70, "in_progress"), job(71, "queued")])]);
    let inner = runs.clone();
    let hub = Hub::start(move |asked| {
        let reply = inner.answer(asked);
        if asked.target.contains("status=queued") && !asked.header("if-none-match").is_empty() {
            inner.change(7, |run| run.status = "queued");
        }
        reply
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    for _ in 0..3 {
        assert_eq!(states(&look(&client).await), [(70, "running"), (71, "queued")]);
    }
}

#[tokio::test]
async fn an_answer_that_is_broken_is_an_error_and_the_next_look_is_complete() {
    let broken = [
        empty(502),
        Reply::Reset,
        json(200, value!({ "jobs": [] })),
        json(200, value!({ "total_count": 1, "jobs": [{ "id": "70" }] })),
        json(
            200,
            value!({ "total_count": 1, "jobs": [{ "id": 70, "name": "x", "status": "queued", "created_at": "soon" }] }),
        ),
    ];
    for broken in broken {
        let runs = Runs::default();
        runs.set([run(6, "queued", vec![job(60, "queued")]), run(7, "queued", vec![job(70, "queued")])]);
        let (inner, mended) = (runs.clone(), Arc::new(Mutex::new(false)));
        let now_good = mended.clone();
        let hub = Hub::start(move |asked| {
            if asked.target.contains("/runs/7/jobs") && !*now_good.lock().unwrap() {
                return broken.clone();
            }
            inner.answer(asked)
        })
        .await;
        let client = client(vec![token_spec(&hub)], &Hands::new());
        client.open_jobs(&name(), &app()).await.unwrap_err();
        *mended.lock().unwrap() = true;
        assert_eq!(states(&look(&client).await), [(60, "queued"), (70, "queued")]);
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_told_as_such() {
    let hub = Hub::start(|_| json(404, value!({ "message": "Not Found" }))).await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    let error = client.open_jobs(&name(), &app()).await.unwrap_err();
    assert!(matches!(error, GitHubError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_renamed_repository_is_read_under_its_old_name() {
    let runs = Runs::default();
    runs.set([run(6, "queued", vec![job(60, "queued")])]);
    let inner = runs.clone();
    let hub = Hub::start(move |asked| match asked.target.strip_prefix("/repos/acme/app") {
        Some(rest) => empty(301).with("location", format!("/api/v3/repositories/42{rest}")),
        None => {
            let target = asked.target.replace("/repositories/42", "/repos/acme/app");
            inner.answer(&Asked { target, ..asked.clone() })
        }
    })
    .await;
    let client = client(vec![token_spec(&hub)], &Hands::new());
    for full in [5, 0] {
        let look = look(&client).await;
        assert_eq!((states(&look), look.full), (vec![(60, "queued")], full));
        assert_eq!(look.jobs[0].repo, app());
    }
}

#[tokio::test]
async fn a_busy_repository_sweeps_out_nobodys_pages() {
    let runs = Runs::default();
    let (hub, client, hands) = runs.serve().await;
    let lasting = run(1, "queued", vec![job(1, "queued")]);
    runs.set([lasting.clone()]);
    look(&client).await;
    for round in 1..7 {
        let passing = (0..99).map(|n| run(100 * round + n, "queued", vec![job(100 * round + n, "queued")]));
        runs.set(passing.chain([lasting.clone()]).collect::<Vec<_>>());
        assert_eq!(look(&client).await.jobs.len(), 100);
        hands.forward(60);
    }
    // The first run's jobs were read once, and then asked for by their tag.
    let first: Vec<Asked> = hub.asked().into_iter().filter(|a| a.target.contains("/runs/1/jobs")).collect();
    assert_eq!(first.iter().filter(|asked| asked.header("if-none-match").is_empty()).count(), 1);
    assert_eq!(first.len(), 7);
}

#[tokio::test]
async fn a_run_is_cancelled_and_one_that_has_ended_is_no_failure() {
    for (status, good) in [(202, true), (409, true), (404, false), (403, false)] {
        let hub = Hub::start(move |_| json(status, value!({}))).await;
        let client = client(vec![token_spec(&hub)], &Hands::new());
        let result = client.cancel_run(&name(), &app(), 7).await;
        assert_eq!(result.is_ok(), good, "{status}");
        assert_eq!(hub.lines(), ["POST /repos/acme/app/actions/runs/7/cancel"]);
    }
}
