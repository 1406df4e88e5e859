//! `ghrunner verify POOL`: one trial of the pool's image, from pull to removal, registering nothing.
//!
//! The container is made as the pool's runners are (limits, network, capabilities), so that what keeps those from
//! starting shows here; with `docker = "dind"` an inner engine stands beside it, and has to come up. It carries the canary's
//! label: a daemon beside us leaves it alone, and clears it away should this process die. The pool's network goes again if
//! it had to be made.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tokio::time::sleep;

use super::Printer;
use super::printer::Tone;
use super::text::brief;
use crate::engine::Admission;
use crate::engine::End;
use crate::engine::Engine;
use crate::engine::EngineError;
use crate::engine::NewRunner;
use crate::model::ContainerId;
use crate::model::CreateRunner;
use crate::model::DockerMode;
use crate::model::InstanceId;
use crate::model::Leftover;
use crate::model::Pool;
use crate::model::PoolScope;
use crate::model::PullPolicy;
use crate::model::RepoPattern;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Slot;
use crate::model::SpecHash;

/// How often the container is looked at while it runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a container that ran out of time is given to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// How much of its output is shown.
const OUTPUT_BYTES: usize = 4 * 1024;

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The pool.
    pub pool: Pool,
    /// On whose behalf.
    pub instance: InstanceId,
    /// What to run instead of the trial's own command, which asks the runner for its version.
    pub command: Option<Vec<String>>,
    /// How long the container may run.
    pub timeout: Duration,
}

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The pool.
    pub pool: String,
    /// Its image.
    pub image: String,
    /// Whether runners made of it can be expected to work.
    pub good: bool,
    /// One sentence: what went wrong, or that nothing did.
    pub verdict: String,
    /// The steps, with how long each took.
    pub steps: Vec<Step>,
    /// Exit code.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// The last of what it printed.
    pub output: String,
}

/// One step of the trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `image`, `inner engine's image`, `create`, `start`, `run`, `remove`.
    pub step: String,
    /// How long it took.
    pub took_ms: u64,
    /// What went wrong.
    pub error: Option<String>,
}

/// Tries it. `progress` hears how far a pull has come. Whatever goes wrong, what was made is removed.
pub async fn verify<E: Engine>(
    engine: &E,
    trial: &Trial,
    progress: impl Fn(String) + Send + Sync,
) -> Result<Verdict, EngineError> {
    // An engine that does not answer is no verdict on the image.
    engine.info().await?;
    let mut run = Run { engine, trial, verdict: Verdict::of(&trial.pool) };
    let outcome = run.go(&progress).await;
    Ok(run.verdict.concluded(outcome))
}

struct Run<'a, E> {
    engine: &'a E,
    trial: &'a Trial,
    verdict: Verdict,
}

impl<E: Engine> Run<'_, E> {
    /// The steps in their order; the error is the first that went wrong, in words.
    async fn go(&mut self, progress: &(impl Fn(String) + Send + Sync)) -> Result<(), String> {
        let spec = &self.trial.pool.spec;
        self.have("image", &spec.image, progress).await?;
        if spec.docker == DockerMode::Dind {
            self.have("inner engine's image", &spec.dind_image, progress).await?;
        }
        let network = self.missing_network().await;
        let outcome = self.make_and_run().await;
        if let Some(network) = network {
            // A daemon that made a runner meanwhile uses it, and then it is not ours to remove.
            let _ = self.engine.collect(&network).await;
        }
        outcome
    }

    async fn make_and_run(&mut self) -> Result<(), String> {
        let new = new_runner(self.trial);
        let began = Instant::now();
        let id = self.engine.create(&new).await;
        let id = self.note("create", began, id)?;
        let outcome = self.live(&new, &id).await;
        let began = Instant::now();
        let removed = self.remove(&id).await;
        let removed = self.note("remove", began, removed).map(drop);
        outcome.and(removed)
    }

    /// The pool's network, if it is not there and so will be made for the trial.
    async fn missing_network(&self) -> Option<Leftover> {
        let pool = &self.trial.pool.name;
        let there = self.engine.leftovers().await.ok()?;
        let is_it = |found: &Leftover| matches!(found, Leftover::Network { pool: of, .. } if of == pool);
        let network = || Leftover::Network { name: pool.network_name(), pool: pool.clone() };
        (!there.iter().any(is_it)).then(network)
    }

    /// The image is there, or is pulled, as the pool has it.
    async fn have(
        &mut self,
        step: &str,
        reference: &str,
        progress: &(impl Fn(String) + Send + Sync),
    ) -> Result<(), String> {
        let began = Instant::now();
        let found = match self.engine.image(reference).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) if self.trial.pool.pull == PullPolicy::Never => {
                Err(EngineError::NoSuchImage { image: reference.to_owned() })
            }
            Ok(None) => self.engine.pull(reference, progress).await.map(drop),
            Err(error) => Err(error),
        };
        self.note(step, began, found)
    }

    /// From start to end, with what it printed.
    async fn live(&mut self, new: &NewRunner, id: &ContainerId) -> Result<(), String> {
        let began = Instant::now();
        let started = self.engine.start(new, id).await;
        self.note("start", began, started)?;
        let began = Instant::now();
        let ended = self.wait(id).await;
        // What it printed helps most when it failed; not to have it is no failure.
        self.verdict.output = self.engine.output(id, OUTPUT_BYTES).await.unwrap_or_default();
        let end = self.note("run", began, ended)?;
        let Some(end) = end else {
            let within = humantime::format_duration(self.trial.timeout);
            return Err(format!("it did not end within {within}; a trial's command has to end by itself"));
        };
        self.verdict.exit_code = end.exit_code;
        self.verdict.oom_killed = end.oom_killed;
        judge(&end, new)
    }

    /// How it ended; none if its time was up, and it was stopped.
    async fn wait(&self, id: &ContainerId) -> Result<Option<End>, EngineError> {
        let deadline = Instant::now() + self.trial.timeout;
        loop {
            if let Some(end) = self.engine.end(id).await?
                && end.finished.is_some()
            {
                return Ok(Some(end));
            }
            if Instant::now() >= deadline {
                self.engine.stop(id, GRACE).await?;
                return Ok(None);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        let ours = self.engine.list().await?;
        match ours.iter().find(|c| &c.id == id) {
            Some(container) => self.engine.remove(container).await,
            None => Ok(()),
        }
    }

    fn note<T>(&mut self, step: &str, began: Instant, result: Result<T, EngineError>) -> Result<T, String> {
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let error = result.as_ref().err().map(ToString::to_string);
        self.verdict.steps.push(Step { step: step.to_owned(), took_ms, error });
        result.map_err(|e| e.to_string())
    }
}

/// What an end means.
fn judge(end: &End, new: &NewRunner) -> Result<(), String> {
    let spec = &new.plan.spec;
    match end.exit_code {
        _ if end.oom_killed => {
            let limit = spec.memory.map_or_else(|| "the host's memory".to_owned(), |m| m.to_string());
            Err(format!("the kernel killed it for memory: it needs more than {limit}"))
        }
        Some(0) => Ok(()),
        Some(126) => Err("exit code 126: the command is there and may not be run".to_owned()),
        Some(127) => Err("exit code 127: the image has no such command; is it a runner's image?".to_owned()),
        // The engine may miss that it was for memory.
        Some(137) => {
            let limit = spec.memory.map(|m| format!(" (its limit is {m})")).unwrap_or_default();
            Err(format!("killed (exit code 137): by the kernel for lack of memory{limit}, or from outside"))
        }
        Some(code) => Err(match &end.error {
            Some(error) => format!("it exited with {code}: {error}"),
            None => format!("it exited with {code}"),
        }),
        None => Err(end.error.clone().unwrap_or_else(|| "it is gone: somebody else removed it".to_owned())),
    }
}

/// The pool's runner, but for its registration.
fn new_runner(trial: &Trial) -> NewRunner {
    let pool = &trial.pool;
    let mut spec = pool.spec.clone();
    spec.command = trial.command.clone();
    let slot = Slot(0);
    let plan = CreateRunner {
        pool: pool.name.clone(),
        slot,
        name: RunnerName::compose(&pool.name, slot, &trial.instance, "canary"),
        scope: scope(pool),
        credentials: pool.credentials.clone(),
        group: None,
        set: None,
        labels: pool.labels.clone(),
        registration: pool.registration,
        spec,
        spec_hash: SpecHash::new("canary"),
        reason: "a trial of the image".to_owned(),
    };
    NewRunner { plan, instance: trial.instance.clone(), runner_id: None, admission: Admission::Nothing }
}

/// Where its runners would register: a label needs one, though nothing is registered. A pattern for all of an account's
/// repositories stands as the account.
fn scope(pool: &Pool) -> Scope {
    match &pool.scope {
        PoolScope::Enterprise { slug, .. } => Scope::Enterprise(slug.clone()),
        PoolScope::Organization { org, .. } => Scope::Organization(org.clone()),
        PoolScope::Repositories(patterns) => match patterns.first() {
            Some(RepoPattern::One(repo)) => Scope::Repository(repo.clone()),
            Some(RepoPattern::AllOf(owner)) => Scope::Organization(owner.clone()),
            None => Scope::Organization(pool.name.to_string()),
        },
    }
}

impl Verdict {
    fn of(pool: &Pool) -> Self {
        Self { pool: pool.name.to_string(), image: pool.spec.image.clone(), ..Self::default() }
    }

    fn concluded(mut self, outcome: Result<(), String>) -> Self {
        self.good = outcome.is_ok();
        self.verdict = outcome.err().unwrap_or_else(|| "it was made, ran, and ended well".to_owned());
        self
    }
}

/// The steps, the output, the verdict.
pub(super) fn render(verdict: &Verdict, printer: &Printer) -> String {
    let mut lines = vec![format!("pool {}, image {}", verdict.pool, verdict.image)];
    for step in &verdict.steps {
        let took = brief(Duration::from_millis(step.took_ms));
        lines.push(match &step.error {
            None => format!("{}  {:21}{took}", printer.paint(Tone::Good, "ok  "), step.step),
            // The last line says it.
            Some(error) if *error == verdict.verdict => {
                format!("{}  {:21}{took}", printer.paint(Tone::Bad, "FAIL"), step.step)
            }
            Some(error) => {
                format!("{}  {:21}{took}  {error}", printer.paint(Tone::Bad, "FAIL"), step.step)
            }
        });
    }
    if !verdict.output.trim().is_empty() {
        lines.push("it printed:".to_owned());
        lines.extend(verdict.output.lines().map(|line| format!("  {}", printer.paint(Tone::Dim, line))));
    }
    let tone = if verdict.good { Tone::Good } else { Tone::Bad };
    lines.push(printer.paint(tone, &verdict.verdict));
    lines.join("\n")
}
