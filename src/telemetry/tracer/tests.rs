use super::super::span::LONGEST;
use super::super::span::Value;
use super::fixture::creation;
use super::*;
use crate::control::ConfigState;
use crate::control::Explanation;
use crate::control::RunnerState;
use crate::control::Why;
use crate::model::Action;
use crate::model::Container;
use crate::model::ContainerId;
use crate::model::ContainerState;
use crate::model::CredentialName;
use crate::model::Held;
use crate::model::HeldReason;
use crate::model::ImageId;
use crate::model::InstanceId;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Leftover;
use crate::model::Mode;
use crate::model::Phase;
use crate::model::PoolName;
use crate::model::PostMortem;
use crate::model::Registration;
use crate::model::Role;
use crate::model::Runner;
use crate::model::RunnerId;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Slot;
use crate::model::SpecHash;

const RUNNER: &str = "ghrunner-build-0-abc-000001";
/// 2026-01-01T00:00:00Z.
const BEGIN: u64 = 1_767_225_600;

fn at(secs: u64) -> Time {
    Time::from_secs(BEGIN + secs)
}

fn pool() -> PoolName {
    PoolName::parse("build").unwrap()
}

fn snapshot(secs: u64) -> Snapshot {
    let config = ConfigState::new("/pools.toml".into(), at(0));
    let before = Snapshot::before_first_pass(&InstanceId::new("abc"), &config, Mode::Organization, at(0));
    Snapshot { ready: true, settled: true, passes: secs, as_of: at(secs), took_ms: 7, ..before }
}

fn job(state: JobState) -> Explanation {
    let job = Job {
        id: JobId::Job(42),
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
    Explanation { job: Some(job), pool: Some(pool()), scope: None, why: Why::InLine }
}

fn runner(phase: Phase, created: u64) -> RunnerState {
    let (name, scope) = (RunnerName::new(RUNNER), Scope::organization("acme").unwrap());
    let container = Container {
        id: ContainerId::new("c1"),
        name: "ghrunner-build-0".into(),
        role: Role::Runner,
        pool: pool(),
        slot: Slot(0),
        runner_name: name.clone(),
        runner_id: None,
        scope: scope.clone(),
        credentials: CredentialName::default_name(),
        spec_hash: SpecHash::new("s"),
        image_id: ImageId::new("sha256:1"),
        created: at(created),
        state: ContainerState::Running,
    };
    let online = !matches!(phase, Phase::Starting | Phase::Creating);
    let registration = Registration {
        id: RunnerId(9),
        name: name.clone(),
        online,
        busy: phase == Phase::Busy,
        labels: Vec::new(),
    };
    let runner = Runner {
        pool: pool(),
        slot: Slot(0),
        name,
        scope,
        credentials: CredentialName::default_name(),
        container: Some(container),
        registration: Some(registration),
    };
    RunnerState { runner, phase, since: None, drained: false }
}

fn deed(action: &'static str, (began, ended): (u64, u64), outcome: Result<(), String>) -> Deed {
    Deed {
        at: at(ended),
        began: at(began),
        pass: began,
        action,
        pool: "build".into(),
        runner: RUNNER.into(),
        repo: String::new(),
        text: format!("{action} {RUNNER}"),
        outcome,
        container: None,
        gone: None,
        used: None,
    }
}

fn gone(secs: u64) -> Deed {
    let gone = PostMortem {
        pool: pool(),
        runner: RunnerName::new(RUNNER),
        created: at(13),
        ended: at(secs),
        exit_code: Some(0),
        oom_killed: false,
        ran_job: true,
        job: Some("test".into()),
        verdict: "it ran its job".into(),
        last_lines: vec![
            "token ghp_printed by the job".into(),
            "2026-01-01 00:00:20Z: Running job: test".into(),
            "2026-01-01 00:01:20Z: Job test completed with result: Succeeded".into(),
        ],
    };
    Deed { gone: Some(gone), ..deed("reap", (secs - 1, secs), Ok(())) }
}

/// All spans of a job that waits for a runner of its own, or for one that was there.
fn life(spare: bool) -> Vec<Span> {
    let mut tracer = Tracer::new("abc");
    let mut spans = Vec::new();
    if spare {
        spans.extend(tracer.look(&Snapshot { runners: vec![runner(Phase::Idle, 3)], ..snapshot(5) }));
    } else {
        let mut planned = Snapshot { jobs: vec![job(JobState::Queued)], ..snapshot(12) };
        planned.plan.actions = vec![creation(RUNNER)];
        spans.extend(tracer.look(&planned));
        spans.extend(tracer.hear(&deed("create", (12, 14), Ok(()))));
    }
    for (secs, phase, state) in [
        (15, Phase::Starting, JobState::Queued),
        (18, Phase::Idle, JobState::Queued),
        (21, Phase::Busy, JobState::Running { runner: Some(RunnerName::new(RUNNER)) }),
    ] {
        let phase = if spare && phase == Phase::Starting { Phase::Idle } else { phase };
        let created = if spare { 3 } else { 13 };
        spans.extend(tracer.look(&Snapshot {
            runners: vec![runner(phase, created)],
            jobs: vec![job(state)],
            ..snapshot(secs)
        }));
    }
    spans.extend(tracer.hear(&gone(83)));
    spans.extend(tracer.look(&snapshot(84)));
    spans
}

fn of_job(spans: Vec<Span>) -> Vec<Span> {
    let trace = ids::job("abc", "job 42").trace;
    spans.into_iter().filter(|span| span.place.trace == trace).collect()
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    span.attributes.0.iter().find_map(|(name, value)| match value {
        Value::Text(text) if *name == key => Some(text.as_str()),
        _ => None,
    })
}

#[test]
fn a_jobs_life_is_one_trace_whose_parts_follow_one_another() {
    let all = life(false);
    let spans = of_job(all.clone());
    let parts: Vec<_> = spans.iter().map(|s| (s.name.as_str(), s.start, s.end)).collect();
    assert_eq!(
        parts,
        [
            ("test", at(10), at(80)),
            ("planned", at(10), at(12)),
            ("created", at(12), at(14)),
            ("online", at(14), at(18)),
            ("taken", at(18), at(20)),
            ("run", at(20), at(80)),
            ("removed", at(80), at(83)),
        ]
    );
    let root = &spans[0];
    assert_eq!(root.parent, None);
    assert!(spans[1..].iter().all(|span| span.parent == Some(root.place.span)));
    let told = |key| text(root, key);
    assert_eq!(told("cicd.pipeline.name"), Some("ci"));
    assert_eq!(told("cicd.pipeline.task.run.id"), Some("42"));
    assert_eq!(told("cicd.pipeline.task.run.result"), Some("success"));
    assert_eq!(told("cicd.worker.name"), Some(RUNNER));
    assert_eq!(told("cicd.worker.id"), Some("9"));
    assert_eq!((told("container.id"), told("container.name")), (Some("c1"), Some("ghrunner-build-0")));
    // The pass that planned the start is a trace of its own, which was exported and is linked.
    let link = spans[2].link.unwrap();
    assert!(all.iter().any(|span| span.place == link && span.name == "pass"));
}

#[test]
fn a_runner_that_was_there_before_the_job_is_no_step_of_its_life() {
    let spans = of_job(life(true));
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["test", "taken", "run", "removed"]);
    assert_eq!((spans[1].start, spans[1].end), (at(10), at(20)));
    assert!(spans[1].attributes.0.contains(&("ghrunner.runner.waited", Value::Flag(true))));
}

#[test]
fn a_job_that_goes_before_it_ran_has_a_trace_without_parts() {
    let mut tracer = Tracer::new("abc");
    tracer.look(&Snapshot { jobs: vec![job(JobState::Queued)], ..snapshot(12) });
    tracer.look(&snapshot(13));
    let spans = of_job(tracer.look(&snapshot(400)));
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].start, spans[0].end), (at(10), at(13)));
    assert_eq!(text(&spans[0], "cicd.pipeline.task.run.result"), Some("skip"));
}

#[test]
fn an_action_stands_below_the_pass_that_began_it() {
    let mut tracer = Tracer::new("abc");
    let passes = tracer.look(&snapshot(12));
    let spans = tracer.hear(&deed("create", (12, 14), Err("failed: the disk is full".into())));
    assert_eq!((spans[0].name.as_str(), spans[0].start, spans[0].end), ("create", at(12), at(14)));
    assert_eq!(spans[0].place.trace, passes[0].place.trace);
    assert_eq!(spans[0].parent, Some(passes[0].place.span));
    assert_eq!(spans[0].failed.as_deref(), Some("failed: the disk is full"));
}

#[test]
fn a_pass_tells_what_it_planned_and_held_back_within_bounds() {
    let mut seen = snapshot(12);
    let leftover = |n: u32| Action::Collect(Leftover::Network { name: format!("n{n}"), pool: pool() });
    seen.plan.actions = (0..500).map(leftover).collect();
    let error = "x".repeat(9000);
    seen.plan.report.held = (0..500)
        .map(|n| Held { what: n.to_string(), reason: HeldReason::Engine { error: error.clone() } })
        .collect();
    let span = Tracer::new("abc").look(&seen).remove(0);
    assert_eq!(span.end.since(span.start).as_millis(), 7);
    assert!(span.attributes.0.contains(&("ghrunner.held_back", Value::Number(500))));
    let named = |name: &str| span.events.iter().filter(|event| event.name == name).count();
    assert_eq!((named("planned"), named("held back")), (32, 32));
    let texts = span.events.iter().flat_map(|event| &event.attributes.0);
    let longest = texts.filter_map(|(_, value)| match value {
        Value::Text(text) => Some(text.chars().count()),
        _ => None,
    });
    assert_eq!(longest.max(), Some(LONGEST));
}

#[test]
fn nothing_that_a_runner_printed_is_in_a_span() {
    let spans = life(false);
    assert!(spans.len() > 8 && !format!("{spans:?}").contains("ghp_printed"));
}

#[test]
fn a_daemon_that_comes_later_goes_on_with_the_same_trace() {
    let mut later = Tracer::new("abc");
    let running = JobState::Running { runner: Some(RunnerName::new(RUNNER)) };
    later.look(&Snapshot {
        started: at(50),
        runners: vec![runner(Phase::Busy, 13)],
        jobs: vec![job(running)],
        ..snapshot(51)
    });
    later.hear(&gone(83));
    let spans = of_job(later.look(&Snapshot { started: at(50), ..snapshot(84) }));
    assert_eq!(spans[0].place, of_job(life(false))[0].place);
    assert_eq!(spans[0].start, at(10));
    assert!(spans.iter().any(|span| span.name == "created" && span.end == at(13)));
}

#[test]
fn runners_that_are_gone_and_told_of_are_forgotten() {
    let mut tracer = Tracer::new("abc");
    tracer.look(&Snapshot { runners: vec![runner(Phase::Idle, 3)], ..snapshot(5) });
    assert_eq!(tracer.lives.len(), 1);
    tracer.look(&snapshot(5 + 901));
    assert_eq!(tracer.lives.len(), 0);
}
