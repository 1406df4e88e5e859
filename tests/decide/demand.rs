//! What holds of every plan for jobs that wait, whatever jobs, runners and sources there are; and that every job's turn
//! comes.

use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::decide;
use ghrunner::decide::Policy;
use ghrunner::decide::Rank;
use ghrunner::model::Demand;
use ghrunner::model::Job;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::Pool;
use ghrunner::model::Priority;
use ghrunner::model::RepoView;
use ghrunner::model::RunnerName;
use ghrunner::model::SetId;
use ghrunner::model::SetState;
use ghrunner::model::SetStatistics;
use ghrunner::model::SetView;
use ghrunner::model::Time;
use ghrunner::model::World;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use crate::common::build;
use crate::common::build::NOW;
use crate::common::settle;

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// The last one is admitted nowhere.
const REPOS: [&str; 3] = ["acme/app", "acme/web", "acme/closed"];
const PRIORITIES: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];

/// A pool: min, max, min_idle, priority, threshold, factor in tenths, caps.
type PoolDraw = (u32, u32, u32, usize, u32, u32, Option<u32>, Option<u32>);
/// A job: pool whose label it asks for, repository, workflow, seconds since it was queued, state.
type JobDraw = (usize, usize, u8, u64, u8);
/// A runner: pool, slot, seconds since it became busy, if it is.
type RunnerDraw = (usize, u32, Option<u64>);

fn pools() -> impl Strategy<Value = Vec<PoolDraw>> {
    let cap = || weighted(0.3, 1_u32..4);
    vec((0_u32..3, 0_u32..6, 0_u32..3, 0_usize..4, 1_u32..4, 1_u32..30, cap(), cap()), 1..=NAMES.len())
}

fn jobs() -> impl Strategy<Value = Vec<JobDraw>> {
    vec((0..NAMES.len(), 0..REPOS.len(), 0_u8..3, 0_u64..4000, 0_u8..6), 0..20)
}

fn runners() -> impl Strategy<Value = Vec<RunnerDraw>> {
    vec((0..NAMES.len(), 0_u32..6, weighted(0.5, 0_u64..600)), 0..8)
}

fn pool(name: &str, draw: &PoolDraw) -> Pool {
    let mut pool = build::pool(name);
    (pool.min, pool.max, pool.min_idle) = (draw.0, draw.1, draw.2);
    pool.demand = Demand::Poll;
    pool.priority = PRIORITIES[draw.3];
    pool.scaling.up_threshold = draw.4;
    pool.scaling.up_factor = f64::from(draw.5) / 10.0;
    pool.scaling.max_per_repository = draw.6;
    pool.scaling.max_per_workflow = draw.7;
    pool
}

fn config(draws: &[PoolDraw]) -> Config {
    build::config(draws.iter().zip(NAMES).map(|(draw, name)| pool(name, draw)))
}

fn empty(config: &Config) -> World {
    let mut world = build::world(config);
    let open: Vec<ghrunner::model::Repo> = REPOS[..2].iter().map(|repo| repo.parse().unwrap()).collect();
    for repo in &open {
        let view = RepoView { as_of: Some(NOW - Duration::from_secs(60)), error: None };
        world.demand.repos.insert(repo.clone(), view);
    }
    world.admitted = config.pools.keys().map(|pool| (pool.clone(), open.clone())).collect();
    world
}

fn job(number: usize, pool: &str, repo: &str, queued: Time) -> Job {
    Job {
        id: JobId::Job(number as u64),
        run: number as u64,
        repo: repo.parse().unwrap(),
        workflow: "CI".to_owned(),
        name: "build".to_owned(),
        labels: vec![pool.to_owned()],
        event: "push".to_owned(),
        branch: "main".to_owned(),
        state: JobState::Queued,
        queued,
    }
}

fn world(policy: &Policy, jobs: &[JobDraw], runners: &[RunnerDraw]) -> World {
    let mut world = empty(&policy.config);
    for (of, slot, busy) in runners {
        let name = build::pool_name(NAMES[*of]);
        if world.runners.iter().any(|r| r.pool == name && r.slot.0 == *slot) {
            continue;
        }
        let container = build::container(policy, &name, *slot, &build::scope("orgs/acme"));
        let mut registration = build::registration(&container);
        registration.busy = busy.is_some();
        if let Some(ago) = busy {
            let since = NOW - Duration::from_secs(*ago);
            world.book.busy_since.insert(container.runner_name.clone(), since);
        }
        build::put(&mut world, Some(container), Some(registration));
    }
    for (number, (of, repo, workflow, ago, state)) in jobs.iter().enumerate() {
        let mut job = job(number, NAMES[*of], REPOS[*repo], NOW - Duration::from_secs(*ago));
        job.workflow = format!("wf-{workflow}");
        job.state = match state {
            0 => JobState::Held,
            1 => JobState::Running { runner: world.runners.get(number).map(|r| r.name.clone()) },
            _ => JobState::Queued,
        };
        world.demand.jobs.push(job);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_for_jobs_breaks_a_rule_and_no_target_lies_beyond_max(
        pools in pools(), jobs in jobs(), runners in runners(),
    ) {
        let policy = build::policy(&config(&pools));
        let world = world(&policy, &jobs, &runners);
        settle::pass(&policy, &world, NOW);
        for (name, target) in decide::scale(&policy, &world, NOW) {
            prop_assert!(target.total() <= policy.config.pools[&name].max, "{target:?}");
        }
    }

    #[test]
    fn every_job_that_a_pool_can_serve_is_counted_or_held_with_a_reason(
        pools in pools(), jobs in jobs(), runners in runners(),
    ) {
        let policy = build::policy(&config(&pools));
        let world = world(&policy, &jobs, &runners);
        let targets = decide::scale(&policy, &world, NOW);
        let plan = settle::pass(&policy, &world, NOW);
        for job in world.demand.jobs.iter().filter(|job| job.state == JobState::Queued) {
            let Ok(way) = decide::route(&policy, &world, job) else { continue };
            let target = &targets[&way.pool];
            let waiting = target.waiting.iter().find(|other| other.id == job.id);
            prop_assert!(waiting.is_some(), "{job:?} is forgotten");
            let waiting = waiting.unwrap();
            if let Some(reason) = &waiting.held {
                let report = plan.report.pools.iter().find(|report| report.pool == way.pool).unwrap();
                prop_assert!(report.held.iter().any(|held| held.reason == *reason), "{reason} is not told");
            }
        }
        for (name, target) in &targets {
            let counted = target.waiting.iter().filter(|job| job.held.is_none()).count();
            let pool = build::scope("orgs/acme");
            let Some(place) = target.places.iter().find(|place| place.scope == pool) else { continue };
            // What a runner took since the queue was read is counted as that runner.
            let took = world.runners.iter().filter(|r| r.pool == *name).filter(|r| r.registration.as_ref().is_some_and(|r| r.busy)).count();
            prop_assert!(place.count as usize + took >= place.busy.min(place.count) as usize + counted, "{target:?}");
        }
    }

    #[test]
    fn every_job_has_one_reason_and_it_is_not_empty(pools in pools(), jobs in jobs(), runners in runners()) {
        let policy = build::policy(&config(&pools));
        let world = world(&policy, &jobs, &runners);
        let plan = settle::pass(&policy, &world, NOW);
        let told = decide::explanations(&policy, &world, &plan, NOW);
        prop_assert_eq!(told.len(), world.demand.jobs.len());
        for (explanation, job) in told.iter().zip(&world.demand.jobs) {
            prop_assert!(!explanation.why.to_string().is_empty());
            let closed = job.repo.to_string() == REPOS[2];
            let unserved = matches!(explanation.why, decide::Why::Unserved(_));
            prop_assert!(!closed || job.state != JobState::Queued || unserved, "{explanation:?}");
        }
    }
}

/// How long a job of the play below runs, and how long one step of it takes.
const JOB: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_secs(30);

/// GitHub, a host and a plan for each step: jobs come, runners take the oldest of their pool, run, and go.
struct Play {
    policy: Policy,
    world: World,
    now: Time,
    ends: Vec<(RunnerName, JobId, Time)>,
    began: Vec<(JobId, Time)>,
}

impl Play {
    fn step(&mut self, mut arrivals: Vec<Job>) {
        self.world.demand.jobs.append(&mut arrivals);
        let plan = settle::pass(&self.policy, &self.world, self.now);
        self.now = self.now + STEP;
        self.world = settle::apply(&self.policy, &self.world, &plan, self.now);
        let now = self.now;
        let (ended, going): (Vec<_>, Vec<_>) = self.ends.drain(..).partition(|(.., end)| *end <= now);
        self.ends = going;
        for (runner, job, _) in ended {
            self.world.demand.jobs.retain(|other| other.id != job);
            self.world.runners.retain(|other| other.name != runner);
            self.world.registrations.values_mut().for_each(|view| view.ours.retain(|r| r.name != runner));
        }
        self.assign();
        for view in self.world.demand.repos.values_mut() {
            view.as_of = Some(now);
        }
        decide::track(&self.policy, &mut self.world, now);
    }

    fn assign(&mut self) {
        for runner in &mut self.world.runners {
            let Some(registration) = runner.registration.as_mut().filter(|r| !r.busy) else { continue };
            let pool = runner.pool.as_str();
            let fits = |job: &&mut Job| job.state == JobState::Queued && job.labels[0] == pool;
            let oldest =
                self.world.demand.jobs.iter_mut().filter(fits).min_by_key(|job| (job.queued, job.id));
            let Some(job) = oldest else { continue };
            registration.busy = true;
            job.state = JobState::Running { runner: Some(runner.name.clone()) };
            self.began.push((job.id, self.now));
            self.ends.push((runner.name.clone(), job.id, self.now + JOB));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// A job starts once those before it have: those that waited longer, or came within half an hour of it and matter
    /// more. How many come after that does not matter.
    #[test]
    fn every_jobs_turn_comes_however_many_matter_more(
        rare in vec((0_u64..60, 0_usize..2), 1..4),
        slots in 1_u32..4,
        cap in weighted(0.5, 1_u32..3),
    ) {
        let mut low = pool("alpha", &(0, 2, 0, 0, 1, 10, None, None));
        let mut middle = pool("beta", &(0, 2, 0, 1, 1, 10, None, None));
        let high = pool("gamma", &(0, 3, 0, 3, 1, 10, None, None));
        (low.scaling.max_per_repository, middle.scaling.max_per_repository) = (cap, cap);
        let priorities = [low.priority, middle.priority, high.priority];
        let mut config = build::config([low, middle, high]);
        config.host.max_runners = slots;
        let policy = build::policy(&config);
        let mut play = Play { world: empty(&config), policy, now: NOW, ends: Vec::new(), began: Vec::new() };
        let mut ranks: Vec<(Rank, JobId, usize, Time)> = Vec::new();
        for step in 0..240_u64 {
            // Of the highest priority there are always as many as the host can bear, and of the others a few.
            let often = (step % 4 == 0).then_some(2).into_iter().flat_map(|of| vec![of; slots as usize]);
            let seldom = rare.iter().filter(|(at, _)| *at == step).map(|(_, of)| *of);
            let arrivals: Vec<Job> = often.chain(seldom).enumerate().map(|(n, of)| {
                job((step as usize) * 100 + n, NAMES[of], REPOS[0], play.now)
            }).collect();
            for job in &arrivals {
                let of = NAMES.iter().position(|name| *name == job.labels[0]).unwrap();
                ranks.push((Rank::new(priorities[of], job.queued, job.id), job.id, of, job.queued));
            }
            play.step(arrivals);
        }
        for (rank, id, of, queued) in ranks.iter().filter(|(_, _, of, _)| *of < 2) {
            let before = ranks.iter().filter(|(other, ..)| other < rank).count() as u32;
            // One at a time, each with two steps to begin and to go.
            let bound = (before + 1) * (JOB + 3 * STEP) / slots.min(2) + 6 * STEP;
            let began = play.began.iter().find(|(other, _)| other == id).map(|(_, at)| *at);
            let waited = began.unwrap_or(play.now).since(*queued);
            prop_assert!(waited <= bound, "a job of {} waited {waited:?} of {bound:?}", NAMES[*of]);
            prop_assert!(began.is_some() || play.now.since(*queued) <= bound, "{} never began", NAMES[*of]);
        }
    }
}

#[test]
fn a_scale_set_about_which_github_contradicts_itself_is_told_as_long_as_a_pool_names_it() {
    let mut set = build::pool("alpha");
    (set.demand, set.max) = (Demand::ScaleSet, 5);
    let policy = build::policy(&build::config([set]));
    let mut world = empty(&policy.config);
    let view = |pool: &str, words: Option<&str>| SetView {
        pool: build::pool_name(pool),
        scope: build::scope("orgs/acme"),
        id: Some(SetId(7)),
        state: SetState::Listening,
        statistics: Some((SetStatistics { assigned: 40, ..SetStatistics::default() }, NOW)),
        disagreement: words.map(str::to_owned),
        sessions: 1,
    };
    world.demand.sets = vec![view("alpha", Some("it has 40 jobs and none")), view("gone", Some("another"))];
    let advice = |world: &World| settle::pass(&policy, world, NOW).report.advice;
    assert_eq!(advice(&world), ["scale set of pool alpha in orgs/acme: it has 40 jobs and none"]);
    world.demand.sets = vec![view("alpha", None)];
    assert_eq!(advice(&world), [""; 0]);
}

#[test]
fn what_is_listened_to_follows_from_file_and_host() {
    let mut set = build::pool("alpha");
    (set.demand, set.max) = (Demand::ScaleSet, 5);
    let mut config =
        build::config([set, pool("beta", &(0, 2, 0, 1, 1, 10, None, None)), build::pool("gamma")]);
    config.host.max_runners = 4;
    let policy = build::policy(&config);
    let mut world = empty(&config);
    let (alpha, acme) = (build::pool_name("alpha"), build::scope("orgs/acme"));
    let capacity = |world: &World| decide::wanted(&policy, world, NOW).pools[&alpha].capacity[&acme];
    let wanted = decide::wanted(&policy, &world, NOW);
    assert_eq!(wanted.pools.keys().map(|pool| pool.as_str()).collect::<Vec<_>>(), ["alpha", "beta"]);
    assert_eq!(wanted.pools[&build::pool_name("beta")].repos.len(), 2);
    assert_eq!(capacity(&world), 4);
    let other = build::container(&policy, &build::pool_name("gamma"), 0, &acme);
    let registration = build::registration(&other);
    build::put(&mut world, Some(other), Some(registration));
    assert_eq!(capacity(&world), 3);
    let own = build::container(&policy, &alpha, 0, &acme);
    let registration = build::registration(&own);
    build::put(&mut world, Some(own), Some(registration));
    assert_eq!(capacity(&world), 3, "one that stands is one that can be had");
    let nudge = decide::wanted(&policy, &world, NOW).pools[&alpha].nudge;
    world.runners[1].registration.as_mut().unwrap().busy = true;
    assert_ne!(decide::wanted(&policy, &world, NOW).pools[&alpha].nudge, nudge);
    world.host.disk_free = Some(ghrunner::model::Size(1));
    assert_eq!(capacity(&world), 0);
    world.host.disk_free = None;
    world.book.drained_pools.insert(alpha.clone());
    assert_eq!(capacity(&world), 0);
}

#[test]
fn an_idle_runner_makes_way_for_a_job_in_another_place_of_its_pool() {
    let mut set = build::pool("alpha");
    (set.demand, set.max) = (Demand::ScaleSet, 1);
    set.scope = ghrunner::model::PoolScope::Repositories(vec![
        "alice/lib".parse().unwrap(),
        "alice/tool".parse().unwrap(),
    ]);
    let config = build::config([set]);
    let policy = build::policy(&config);
    let mut world = empty(&config);
    let alpha = build::pool_name("alpha");
    let (lib, tool) = (build::scope("repos/alice/lib"), build::scope("repos/alice/tool"));
    let own = build::container(&policy, &alpha, 0, &lib);
    let registration = build::registration(&own);
    build::put_at(&mut world, &lib, Some(own), registration);
    let capacity = |world: &World, scope| decide::wanted(&policy, world, NOW).pools[&alpha].capacity[scope];
    assert_eq!((capacity(&world, &lib), capacity(&world, &tool)), (1, 1));
    world.runners[0].registration.as_mut().unwrap().busy = true;
    assert_eq!((capacity(&world, &lib), capacity(&world, &tool)), (1, 0));
}

#[test]
fn a_question_has_the_answer_that_fits() {
    let policy = build::policy(&config(&[(0, 1, 0, 1, 1, 10, None, None)]));
    let mut world = empty(&policy.config);
    let ago = |secs| NOW - Duration::from_secs(secs);
    world.demand.jobs = vec![job(1, "alpha", REPOS[0], ago(50)), job(2, "alpha", REPOS[0], ago(40))];
    let plan = settle::pass(&policy, &world, NOW);
    let ask = |world: &World, question: decide::Question| {
        let answers = decide::explain(&policy, world, &plan, &question, NOW);
        answers.iter().map(|answer| answer.why.to_string()).collect::<Vec<_>>().join("; ")
    };
    let labels = |labels: &[&str], repo: Option<&str>| decide::Question {
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        repo: repo.map(|repo| repo.parse().unwrap()),
        ..decide::Question::default()
    };
    let run = |repo: &str, run| decide::Question {
        repo: Some(repo.parse().unwrap()),
        run: Some(run),
        ..decide::Question::default()
    };
    let said = |text: String, part: &str| assert!(text.contains(part), "{text:?} has no {part:?}");
    said(ask(&world, run(REPOS[0], 1)), "is being made");
    said(
        ask(&world, run(REPOS[0], 2)),
        "the pool is at max (1): 0 in a job, and 1 before it: \"build\" of acme/app",
    );
    said(ask(&world, run(REPOS[0], 7)), "GitHub had no such job in the queue of acme/app");
    said(ask(&world, run(REPOS[2], 7)), "the default runner group of acme does not admit acme/closed");
    said(ask(&world, run("other/app", 7)), "no pool is for other/app");
    said(
        ask(&world, labels(&["alpah"], None)),
        "no pool has label \"alpah\"; the nearest is \"alpha\" of pool alpha",
    );
    said(
        ask(&world, labels(&["alpha"], Some(REPOS[2]))),
        "the default runner group of acme does not admit acme/closed",
    );
    said(ask(&world, labels(&["ubuntu-latest"], None)), "GitHub's own runners");
    said(ask(&world, labels(&["alpha"], Some(REPOS[1]))), "the pool is at max (1)");
    world.demand.jobs.clear();
    world.book.drained_pools.insert(build::pool_name("alpha"));
    said(ask(&world, labels(&["alpha"], None)), "ghrunner pools resume alpha");
}
