use super::*;
use crate::control::ConfigState;
use crate::control::Explanation;
use crate::control::RunnerState;
use crate::control::Why;
use crate::engine::EngineError;
use crate::model::InstanceId;
use crate::model::Job;
use crate::model::Mode;
use crate::model::PoolReport;
use crate::model::Registration;
use crate::model::Runner;
use crate::model::RunnerId;
use crate::model::Scope;
use crate::model::Slot;

const BEGIN: Time = Time(1_700_000_000_000);

fn pool() -> PoolName {
    PoolName::parse("build").unwrap()
}

fn name() -> RunnerName {
    RunnerName::new("ghrunner-build-0-k7x2p-a1b2c3")
}

fn at(second: u64) -> Time {
    BEGIN + Duration::from_secs(second)
}

/// An empty fleet, as it is looked at in that second.
fn look(second: u64) -> Snapshot {
    let config = ConfigState::new(String::new(), BEGIN);
    let mut snapshot =
        Snapshot::before_first_pass(&InstanceId::new("k7x2p"), &config, Mode::Organization, BEGIN);
    snapshot.as_of = at(second);
    let report = PoolReport {
        pool: pool(),
        target: 1,
        places: Vec::new(),
        why: String::new(),
        phases: Vec::new(),
        held: Vec::new(),
    };
    snapshot.pools.push(crate::control::PoolState { pool: None, drained: false, boost: None, report });
    snapshot
}

fn with_runner(second: u64, phase: Phase, online: bool) -> Snapshot {
    let scope = Scope::organization("acme").unwrap();
    let credentials = crate::model::CredentialName::default_name();
    let busy = phase == Phase::Busy;
    let registration = Registration { id: RunnerId(1), name: name(), online, busy, labels: Vec::new() };
    let runner = Runner {
        pool: pool(),
        slot: Slot(0),
        name: name(),
        scope,
        credentials,
        container: None,
        registration: Some(registration),
    };
    let mut snapshot = look(second);
    snapshot.runners.push(RunnerState { runner, phase, since: None, drained: false });
    snapshot
}

fn with_job(second: u64, state: JobState, queued: u64) -> Snapshot {
    let job = Job {
        id: JobId::Job(7),
        run: 1,
        repo: "acme/app".parse().unwrap(),
        workflow: "CI".to_owned(),
        name: "test".to_owned(),
        labels: Vec::new(),
        event: String::new(),
        branch: String::new(),
        state,
        queued: at(queued),
    };
    let mut snapshot = look(second);
    let why = Why::InLine;
    snapshot.jobs.push(Explanation { job: Some(job), pool: Some(pool()), scope: None, why });
    snapshot
}

fn gone(ran_job: bool, second: u64) -> Outcome {
    Ok(Done::Gone(Box::new(PostMortem {
        pool: pool(),
        runner: name(),
        created: BEGIN,
        ended: at(second),
        exit_code: Some(0),
        oom_killed: false,
        ran_job,
        job: None,
        verdict: String::new(),
        last_lines: Vec::new(),
    })))
}

/// An action whose outcome says all that matters here.
fn pull() -> Action {
    Action::Pull { image: "runner".to_owned() }
}

fn measure() -> (Measure, Arc<Meter>) {
    let meter = Arc::<Meter>::default();
    (Measure::new(Arc::clone(&meter)), meter)
}

fn read(meter: &Meter) -> crate::model::PoolReadings {
    meter.read().pools[&pool()].clone()
}

#[test]
fn a_runner_is_followed_from_its_container_to_its_end() {
    let (mut measure, meter) = measure();
    measure.looked(&look(0), Duration::from_millis(5));
    measure.lives.insert(name(), Life { created: Some(at(10)), ..Life::default() });
    measure.looked(&with_runner(11, Phase::Starting, false), Duration::ZERO);
    measure.looked(&with_runner(14, Phase::Idle, true), Duration::ZERO);
    measure.looked(&with_runner(20, Phase::Busy, true), Duration::ZERO);
    measure.looked(&with_runner(30, Phase::Busy, true), Duration::ZERO);
    assert_eq!((read(&meter).started, read(&meter).completed), (1, 0));
    measure.settled(&Book::default(), &pull(), &gone(true, 50), at(51));
    let read = read(&meter);
    assert_eq!((read.started, read.completed, read.without_job), (1, 1, 0));
    let step = |step| (read.steps[&step].count(), read.steps[&step].sum());
    assert_eq!((step(Step::Online), step(Step::Taken)), ((1, 4.0), (1, 6.0)));
    assert_eq!((read.job_time.count(), read.job_time.sum()), (1, 30.0));
    assert_eq!((meter.read().passes.count(), meter.read().plans.count()), (5, 5));
}

#[test]
fn a_job_between_two_looks_counts_as_begun_and_ended() {
    let (mut measure, meter) = measure();
    measure.looked(&with_runner(0, Phase::Idle, true), Duration::ZERO);
    measure.settled(&Book::default(), &pull(), &gone(true, 2), at(2));
    let read = read(&meter);
    assert_eq!((read.started, read.completed, read.job_time.count()), (1, 1, 0));
}

#[test]
fn what_was_so_before_the_first_look_is_no_event() {
    let (mut measure, meter) = measure();
    measure.looked(&with_runner(0, Phase::Busy, true), Duration::ZERO);
    let read = read(&meter);
    assert_eq!(
        (read.started, read.steps[&Step::Online].count(), read.steps[&Step::Taken].count()),
        (0, 0, 0)
    );
}

#[test]
fn a_job_waits_until_it_is_seen_to_run_and_that_counts_once() {
    let (mut measure, meter) = measure();
    let runs = || JobState::Running { runner: None };
    measure.looked(&with_job(10, JobState::Queued, 4), Duration::ZERO);
    measure.looked(&with_job(20, runs(), 4), Duration::ZERO);
    measure.looked(&with_job(30, runs(), 4), Duration::ZERO);
    let wait = read(&meter).queue_wait;
    assert_eq!((wait.count(), wait.sum()), (1, 16.0));
}

#[test]
fn a_job_that_began_before_us_tells_nothing_of_its_wait() {
    let (mut measure, meter) = self::measure();
    let runs = JobState::Running { runner: None };
    measure.looked(&with_job(100, runs.clone(), 4), Duration::ZERO);
    assert_eq!(read(&meter).queue_wait.count(), 0);
    let (mut measure, meter) = self::measure();
    measure.looked(&look(100), Duration::ZERO);
    measure.looked(&with_job(110, runs, 103), Duration::ZERO);
    assert_eq!((read(&meter).queue_wait.count(), read(&meter).queue_wait.sum()), (1, 7.0));
}

#[test]
fn pools_that_are_gone_take_their_numbers_with_them() {
    let (mut measure, meter) = measure();
    measure.looked(&look(0), Duration::ZERO);
    assert_eq!(meter.read().pools.len(), 1);
    let mut empty = look(1);
    empty.pools.clear();
    measure.looked(&empty, Duration::ZERO);
    assert_eq!(meter.read().pools.len(), 0);
}

#[test]
fn failures_have_words_of_their_own() {
    let away = EngineError::TimedOut { call: "create a container", within: Duration::from_secs(1) };
    assert_eq!(reason(&Failure::Engine(away)), "engine_away");
    let image = EngineError::NoSuchImage { image: "x".to_owned() };
    assert_eq!(reason(&Failure::Engine(image)), "image");
    let failed = GitHubError::Failed { call: "register".into(), status: 502 };
    assert_eq!(reason(&Failure::GitHub(failed)), "github_away");
    let credential = crate::model::CredentialName::default_name();
    let limited = GitHubError::Limited { credential, until: at(60), message: String::new() };
    assert_eq!(reason(&Failure::GitHub(limited)), "github_limit");
}
