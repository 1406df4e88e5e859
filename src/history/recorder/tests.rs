use super::*;
use crate::control::ConfigState;
use crate::control::Explanation;
use crate::control::PoolState;
use crate::control::RunnerState;
use crate::control::Why;
use crate::model::CredentialName;
use crate::model::Held;
use crate::model::HeldReason;
use crate::model::InstanceId;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Mode;
use crate::model::Phase;
use crate::model::PoolName;
use crate::model::PoolReport;
use crate::model::PostMortem;
use crate::model::Runner;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Slot;
use crate::model::Usage;
use crate::model::history::DecisionRecord;
use crate::model::history::JobRecord;
use crate::model::history::JobResult;
use crate::model::history::RunnerRecord;
use crate::model::history::UsageRecord;

/// 2026-01-01T00:00:00Z.
const BEGIN: u64 = 1_767_225_600;

fn at(secs: u64) -> Time {
    Time::from_secs(BEGIN + secs)
}

fn snapshot(secs: u64) -> Snapshot {
    let report = PoolReport {
        pool: PoolName::parse("build").unwrap(),
        target: 1,
        places: Vec::new(),
        why: "min 1".into(),
        phases: vec![(Phase::Idle, 1)],
        held: Vec::new(),
    };
    let config = ConfigState::new("/pools.toml".into(), at(0));
    Snapshot {
        ready: true,
        settled: true,
        as_of: at(secs),
        pools: vec![PoolState { pool: None, drained: false, boost: None, report }],
        ..Snapshot::before_first_pass(&InstanceId::new("abc"), &config, Mode::Organization, at(0))
    }
}

fn job(id: u64, state: JobState) -> Explanation {
    let job = Job {
        id: JobId::Job(id),
        run: 7,
        repo: "acme/app".parse().unwrap(),
        workflow: "ci".into(),
        name: "test".into(),
        labels: vec!["x".into()],
        event: "push".into(),
        branch: "main".into(),
        state,
        queued: at(10),
    };
    Explanation {
        job: Some(job),
        pool: Some(PoolName::parse("build").unwrap()),
        scope: None,
        why: Why::InLine,
    }
}

fn running(id: u64, runner: &str) -> Explanation {
    job(id, JobState::Running { runner: Some(RunnerName::new(runner)) })
}

fn with_jobs(secs: u64, jobs: Vec<Explanation>) -> Snapshot {
    Snapshot { jobs, ..snapshot(secs) }
}

fn gone(secs: u64, runner: &str, ran_job: bool, last_lines: &[&str]) -> Deed {
    let gone = PostMortem {
        pool: PoolName::parse("build").unwrap(),
        runner: RunnerName::new(runner),
        created: at(5),
        ended: at(secs),
        exit_code: Some(0),
        oom_killed: false,
        ran_job,
        job: ran_job.then(|| "test".to_owned()),
        verdict: "ended".into(),
        last_lines: last_lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    Deed {
        at: at(secs),
        began: at(secs),
        action: "reap",
        pass: 1,
        pool: "build".into(),
        runner: runner.into(),
        repo: String::new(),
        text: format!("reap {runner}"),
        outcome: Ok(()),
        container: None,
        gone: Some(gone),
        used: None,
    }
}

const TOLD: [&str; 2] = [
    "2026-01-01 00:00:40Z: Running job: test",
    "2026-01-01 00:01:40Z: Job test completed with result: Failed",
];

fn jobs(records: &[Record]) -> Vec<&JobRecord> {
    let mut found = Vec::new();
    for record in records {
        if let Record::Job(one) = record {
            found.push(&**one);
        }
    }
    found
}

fn runners(records: &[Record]) -> Vec<&RunnerRecord> {
    let mut found = Vec::new();
    for record in records {
        if let Record::Runner(one) = record {
            found.push(&**one);
        }
    }
    found
}

fn decisions(records: &[Record]) -> Vec<&DecisionRecord> {
    let mut found = Vec::new();
    for record in records {
        if let Record::Decision(one) = record {
            found.push(&**one);
        }
    }
    found
}

fn usage(records: &[Record]) -> Vec<&UsageRecord> {
    let mut found = Vec::new();
    for record in records {
        if let Record::Usage(one) = record {
            found.push(&**one);
        }
    }
    found
}

fn audit(records: &[Record]) -> Vec<(String, String)> {
    let one = |record: &Record| match record {
        Record::Audit(entry) => Some((entry.kind.clone(), entry.outcome.clone())),
        _ => None,
    };
    records.iter().filter_map(one).collect()
}

#[test]
fn a_job_is_told_once_with_what_the_queue_and_its_runner_know() {
    let mut recorder = Recorder::default();
    recorder.look(&with_jobs(11, vec![job(1, JobState::Queued)]));
    recorder.look(&with_jobs(42, vec![running(1, "r1")]));
    let heard = recorder.hear(&gone(105, "r1", true, &TOLD));
    assert_eq!(audit(&heard), [("action".into(), "done".into())]);
    // The queue lists it for a while yet.
    let records = recorder.look(&with_jobs(106, vec![running(1, "r1")]));
    let [told] = jobs(&records)[..] else { panic!("{records:?}") };
    assert_eq!((told.key.as_str(), told.repo.as_str(), told.run), ("job 1", "acme/app", Some(7)));
    assert_eq!((told.queued, told.started, told.ended), (Some(at(10)), Some(at(40)), at(100)));
    assert_eq!((told.wait_ms(), told.run_ms()), (Some(30_000), Some(60_000)));
    assert_eq!((told.result, told.runner.as_deref()), (JobResult::Failed, Some("r1")));
    let [runner] = runners(&records)[..] else { panic!("{records:?}") };
    assert_eq!((runner.repo.as_str(), runner.idle_ms()), ("acme/app", 35_000));
    for secs in [107, 900] {
        let records = recorder.look(&with_jobs(secs, vec![running(1, "r1")]));
        assert!(jobs(&records).is_empty() && runners(&records).is_empty(), "{records:?}");
    }
}

#[test]
fn what_a_job_took_of_the_machine_is_told_with_it_where_it_was_sampled() {
    let mut recorder = Recorder::default();
    recorder.look(&with_jobs(42, vec![running(1, "r1"), running(2, "r2")]));
    let used = Some(Usage { memory: 123, cpu_ms: 45 });
    recorder.hear(&Deed { used, ..gone(105, "r1", true, &TOLD) });
    recorder.hear(&gone(105, "r2", true, &TOLD));
    let records = recorder.look(&with_jobs(106, Vec::new()));
    let told = |runner: &str| {
        let job = jobs(&records).into_iter().find(|job| job.runner.as_deref() == Some(runner)).unwrap();
        (job.peak_memory, job.cpu_ms)
    };
    assert_eq!((told("r1"), told("r2")), ((Some(123), Some(45)), (None, None)));
}

#[test]
fn a_job_whose_runner_the_queue_never_named_is_joined_by_its_name() {
    let mut recorder = Recorder::default();
    recorder.look(&with_jobs(11, vec![job(1, JobState::Queued), job(2, JobState::Queued)]));
    recorder.hear(&gone(105, "r1", true, &TOLD));
    let records = recorder.look(&with_jobs(106, vec![job(1, JobState::Queued), job(2, JobState::Queued)]));
    assert!(jobs(&records).is_empty(), "which of the two is not known yet");
    let records = recorder.look(&with_jobs(120, vec![job(2, JobState::Queued)]));
    let [told] = jobs(&records)[..] else { panic!("{records:?}") };
    assert_eq!((told.key.as_str(), told.result, told.wait_ms()), ("job 1", JobResult::Failed, Some(30_000)));
}

#[test]
fn a_job_that_came_and_went_between_two_looks_is_told_by_its_runner() {
    let mut recorder = Recorder::default();
    recorder.look(&snapshot(11));
    recorder.hear(&gone(105, "r1", true, &TOLD));
    assert!(jobs(&recorder.look(&snapshot(106))).is_empty(), "the queue may still tell of it");
    let records = recorder.look(&snapshot(500));
    let [told] = jobs(&records)[..] else { panic!("{records:?}") };
    assert_eq!((told.key.as_str(), told.name.as_str(), told.queued), ("runner r1", "test", None));
    assert_eq!((told.wait_ms(), told.run_ms(), told.result), (None, Some(60_000), JobResult::Failed));
}

#[test]
fn a_job_that_goes_before_any_runner_has_it_never_ran() {
    let mut recorder = Recorder::default();
    recorder.look(&with_jobs(11, vec![job(1, JobState::Queued)]));
    assert!(jobs(&recorder.look(&snapshot(20))).is_empty());
    let records = recorder.look(&snapshot(400));
    let [told] = jobs(&records)[..] else { panic!("{records:?}") };
    assert_eq!((told.result, told.started, told.ended), (JobResult::NeverRan, None, at(20)));
    assert!(jobs(&recorder.look(&snapshot(900))).is_empty());
}

#[test]
fn a_runner_that_dies_in_a_job_loses_it_and_one_without_a_job_has_none() {
    let mut recorder = Recorder::default();
    recorder.look(&with_jobs(11, vec![running(1, "r1")]));
    let mut killed = gone(60, "r1", true, &[]);
    killed.gone.as_mut().unwrap().exit_code = Some(137);
    recorder.hear(&killed);
    recorder.hear(&gone(61, "r2", false, &[]));
    let records = recorder.look(&snapshot(62));
    assert_eq!(jobs(&records).iter().map(|job| job.result).collect::<Vec<_>>(), [JobResult::Lost]);
    let idle: Vec<_> =
        runners(&records).iter().map(|r| (r.runner.as_str(), r.ran_job, r.idle_ms())).collect();
    assert_eq!(idle, [("r1", true, 6_000), ("r2", false, 56_000)]);
}

#[test]
fn what_still_waits_is_told_before_the_end() {
    let mut recorder = Recorder::default();
    recorder.look(&snapshot(11));
    recorder.hear(&gone(105, "r1", true, &TOLD));
    let records = recorder.finish();
    assert_eq!((jobs(&records).len(), runners(&records).len()), (1, 1));
}

#[test]
fn decisions_are_told_when_they_change_and_not_with_every_number() {
    let mut recorder = Recorder::default();
    let with = |secs, target, why: &str, held: Option<u32>| {
        let mut next = snapshot(secs);
        let report = &mut next.pools[0].report;
        (report.target, report.why) = (target, why.into());
        let reason = |max| Held { what: "1 start".into(), reason: HeldReason::AtMax { max } };
        report.held = held.map(reason).into_iter().collect();
        next
    };
    let told = |recorder: &mut Recorder, next: Snapshot| {
        decisions(&recorder.look(&next)).iter().map(|d| (d.before, d.target)).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut recorder, with(1, 1, "min 1", None)), [(None, 1)]);
    assert_eq!(told(&mut recorder, with(2, 1, "1 idle", None)), []);
    assert_eq!(told(&mut recorder, with(3, 3, "2 waiting", None)), [(Some(1), 3)]);
    assert_eq!(told(&mut recorder, with(4, 3, "2 waiting", Some(3))), [(Some(3), 3)]);
    assert_eq!(
        told(&mut recorder, with(5, 3, "2 waiting", Some(4))),
        [],
        "the same reason with another number"
    );
}

#[test]
fn use_is_the_time_between_looks_and_a_sleep_of_the_machine_is_none() {
    let mut recorder = Recorder::default();
    let busy = |secs, busy| {
        let mut next = snapshot(secs);
        next.pools[0].report.phases = vec![(Phase::Busy, busy), (Phase::Idle, 1)];
        next
    };
    let mut records = recorder.look(&busy(0, 2));
    for next in [busy(30, 3), busy(60, 0), busy(4000, 5)] {
        records.extend(recorder.look(&next));
    }
    records.extend(recorder.finish());
    let sum = |of: fn(&UsageRecord) -> u64| usage(&records).into_iter().map(of).sum::<u64>();
    assert_eq!(sum(|u| u.seen_ms), 60_000);
    assert_eq!((sum(|u| u.busy_ms), sum(|u| u.idle_ms)), (150_000, 60_000));
    assert_eq!(usage(&records).iter().map(|u| u.max_busy).max(), Some(3));
}

#[test]
fn the_trail_tells_of_start_configuration_and_mode() {
    let mut recorder = Recorder::default();
    let mut next = snapshot(1);
    let mut told = |next: &Snapshot| audit(&recorder.look(next));
    assert_eq!(told(&next), [("start".into(), "done".into())]);
    assert_eq!(told(&next), []);
    next.config.error = Some("line 3".into());
    assert_eq!(told(&next), [("config".into(), "refused: line 3".into())]);
    assert_eq!(told(&next), []);
    (next.config.error, next.config.loaded) = (None, at(9));
    assert_eq!(told(&next), [("config".into(), "in force".into())]);
    next.mode = Mode::Repository;
    assert_eq!(told(&next), [("mode".into(), "done".into())]);
}

#[test]
fn before_the_first_complete_look_nothing_that_is_absent_is_gone() {
    let mut recorder = Recorder::default();
    recorder.look(&with_jobs(11, vec![job(1, JobState::Queued)]));
    let unready = Snapshot { ready: false, ..snapshot(900) };
    assert!(jobs(&recorder.look(&unready)).is_empty());
}

#[test]
fn a_busy_runner_tells_when_its_job_began_where_its_output_does_not() {
    let mut recorder = Recorder::default();
    let runner = Runner {
        pool: PoolName::parse("build").unwrap(),
        slot: Slot(0),
        name: RunnerName::new("r1"),
        scope: Scope::Organization("acme".into()),
        credentials: CredentialName::default_name(),
        container: None,
        registration: None,
    };
    let state = RunnerState { runner, phase: Phase::Busy, since: Some(at(50)), drained: false };
    recorder.look(&Snapshot { runners: vec![state], ..snapshot(60) });
    recorder.hear(&gone(105, "r1", true, &[]));
    let records = recorder.finish();
    assert_eq!(jobs(&records)[0].started, Some(at(50)));
}

#[test]
fn texts_are_bounded_and_hold_nothing_that_a_database_refuses() {
    assert_eq!(clip("a\0b"), "a\u{fffd}b");
    assert_eq!(clip(&"ü".repeat(5000)).chars().count(), LONGEST);
}
