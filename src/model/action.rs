//! What a pass decided: the things to do, and the things held back with their reasons.

use std::fmt;

use serde::Serialize;

use super::Container;
use super::ContainerState;
use super::CredentialName;
use super::GroupName;
use super::Leftover;
use super::Phase;
use super::PoolName;
use super::RegistrationKind;
use super::Repo;
use super::RunnerId;
use super::RunnerName;
use super::RunnerSpec;
use super::Scope;
use super::SetId;
use super::Slot;
use super::SpecHash;
use super::Time;

/// Actions in the order in which they are begun, and the report.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// What to do. Every choice is made: names, slots, order, reasons.
    pub actions: Vec<Action>,
    /// What was found, wanted and held back.
    pub report: Report,
}

/// One thing to do. Its text is the line that plan, journal and audit show.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Ask the registry for an image.
    Pull {
        /// Its reference.
        image: String,
    },
    /// Register a runner, make its container, start it.
    Create(Box<CreateRunner>),
    /// Take a runner away if it is surely idle: look in the container, deregister, look again, stop.
    Retire {
        /// Its container.
        container: Box<Container>,
        /// Its number at GitHub, as label or listing tell.
        runner_id: Option<RunnerId>,
        /// Why.
        reason: RetireReason,
        /// Whether it goes even when busy: the operator's force, or a job past its time.
        force: bool,
    },
    /// Clear away a runner whose container ended: post-mortem, logs, registration, container.
    Reap {
        /// Its container.
        container: Box<Container>,
        /// Its number at GitHub, as label or listing tell.
        runner_id: Option<RunnerId>,
        /// Whether a witness saw it in a job.
        seen_busy: bool,
    },
    /// Delete a registration of ours that has no container.
    Deregister(RegistrationRef),
    /// Remove a sidecar or canary whose runner is gone.
    RemoveCompanion {
        /// The container.
        container: Box<Container>,
    },
    /// Remove a volume, network or image of ours that nothing uses.
    Collect(Leftover),
    /// Cancel a run whose job's runner is gone, so that nobody waits for GitHub to notice.
    CancelRun {
        /// The runner's pool.
        pool: PoolName,
        /// Whose credentials ask.
        credentials: CredentialName,
        /// The repository.
        repo: Repo,
        /// The run's number.
        run: u64,
        /// The job's name.
        job: String,
        /// The runner that it had.
        runner: RunnerName,
    },
}

impl Action {
    /// What tells a run from every other one, in the book.
    pub fn run_key(repo: &Repo, run: u64) -> String {
        format!("run {run} of {repo}")
    }
}

/// A registration of ours at GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistrationRef {
    /// The pool it was made for.
    pub pool: PoolName,
    /// The slot it was made for.
    pub slot: Slot,
    /// Where it is registered.
    pub scope: Scope,
    /// Whose credentials speak for it.
    pub credentials: CredentialName,
    /// Its number at GitHub.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
}

/// All that is needed to make one runner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CreateRunner {
    /// Its pool.
    pub pool: PoolName,
    /// Its slot.
    pub slot: Slot,
    /// Its name at GitHub.
    pub name: RunnerName,
    /// Where it registers.
    pub scope: Scope,
    /// Whose credentials register it.
    pub credentials: CredentialName,
    /// The runner group, by name; none for the default group.
    pub group: Option<GroupName>,
    /// The scale set that it serves, where its pool has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<SetId>,
    /// Its labels.
    pub labels: Vec<String>,
    /// How it registers.
    pub registration: RegistrationKind,
    /// What its container is made of.
    pub spec: RunnerSpec,
    /// The digest of all that.
    pub spec_hash: SpecHash,
    /// Why it is made, in words.
    pub reason: String,
}

/// Why a runner goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetireReason {
    /// The pool, or the runner, is being drained.
    Drained,
    /// The file no longer has its pool.
    PoolRemoved,
    /// The pool's definition (or its image) changed.
    Drifted,
    /// It is registered where its pool no longer registers.
    Misplaced,
    /// The pool has more than it wants.
    Surplus,
    /// Its slot lies beyond `max`.
    BeyondMax,
    /// The host has more runners than it may.
    BeyondHost,
    /// It did not come online in time, or went offline and did not come back.
    NeverOnline,
    /// GitHub no longer knows it.
    Unregistered,
    /// Its job ran longer than `job_timeout`.
    JobTimeout,
    /// The operator stopped it.
    Operator,
}

/// What a pass found, wanted and held back.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Pool by pool, those that the file no longer has but containers remember among them.
    pub pools: Vec<PoolReport>,
    /// What holds for no single pool.
    pub held: Vec<Held>,
    /// What will go wrong in days if nobody does anything, and what to do.
    pub advice: Vec<String>,
}

/// One pool in a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PoolReport {
    /// Its name.
    pub pool: PoolName,
    /// How many runners it should have.
    pub target: u32,
    /// Where they should be registered, and how many in each place; nothing where that is not known.
    pub places: Vec<PlaceReport>,
    /// Why so many, in words.
    pub why: String,
    /// How many it has, by phase, in the order of [`Phase`].
    pub phases: Vec<(Phase, u32)>,
    /// What was held back.
    pub held: Vec<Held>,
}

/// How many runners a pool should have in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceReport {
    /// Where they register.
    pub scope: Scope,
    /// How many.
    pub target: u32,
}

/// Something that was not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// What it concerns: a number of starts, a runner, a scope.
    pub what: String,
    /// Why.
    pub reason: HeldReason,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum HeldReason {
    /// The pool has `max` runners, those on their way out included.
    AtMax {
        /// The pool's `max`.
        max: u32,
    },
    /// The host has `host.max_runners`.
    HostFull {
        /// The host's limit.
        max: u32,
    },
    /// Processors or memory of the host are spoken for.
    HostBudget {
        /// What is short, in words.
        short: String,
    },
    /// The engine's disk is too full.
    Disk {
        /// What is free.
        free: String,
        /// What must stay free.
        reserve: String,
    },
    /// Starts failed lately.
    Backoff {
        /// No start before.
        until: Time,
        /// The last failure.
        reason: String,
    },
    /// After failures one start at a time is tried, until one comes online.
    Probing {
        /// The last failure.
        reason: String,
    },
    /// Too many starts ended without a job within an hour.
    StormBreaker {
        /// How many.
        failed: u32,
        /// When the next is allowed.
        until: Time,
    },
    /// The image is not there yet.
    Image {
        /// In words: being pulled, cannot be pulled because …, absent and `pull = "never"`.
        state: String,
    },
    /// The engine could not be asked.
    Engine {
        /// What it said.
        error: String,
    },
    /// GitHub gave no complete listing of the scope.
    ListingIncomplete {
        /// The scope.
        scope: Scope,
        /// What it said.
        error: String,
    },
    /// Nothing may be sent for this scope: a limit, or a credential that is refused.
    GitHub {
        /// The scope.
        scope: Scope,
        /// Until when.
        until: Time,
        /// Why.
        reason: String,
    },
    /// Runners that should go are in a job.
    Busy,
    /// It registers itself, and until it has, nobody can tell whether it is about to get a job.
    Registering,
    /// The pool is being drained.
    Draining,
    /// A removal failed and is tried again.
    RetryLater {
        /// Not before.
        until: Time,
    },
    /// What tells the pool's demand has not been heard yet.
    DemandUnheard {
        /// What: a repository's queue, an account's repositories, a scale set.
        source: String,
    },
    /// What tells the pool's demand cannot be heard.
    DemandFailing {
        /// What: a repository's queue, an account's repositories, a scale set, deliveries.
        source: String,
        /// When it was heard last.
        heard: Option<Time>,
        /// What went wrong.
        error: String,
    },
    /// The pool's scale set, whose runners they would be, is not there yet.
    ScaleSet {
        /// Where.
        scope: Scope,
        /// What is being done about it.
        state: String,
    },
    /// A repository or workflow has as many jobs in the pool as it may.
    Cap {
        /// Whose jobs.
        of: String,
        /// How many.
        cap: u32,
    },
    /// Too few jobs wait for a first start.
    UpThreshold {
        /// The pool's `scale_up_threshold`.
        threshold: u32,
    },
    /// Jobs that wait get runners a part at a time.
    UpFactor,
    /// The job's runner is gone, and GitHub has not noticed.
    RunnerGone {
        /// The runner.
        runner: RunnerName,
        /// Since when.
        since: Time,
    },
}

impl fmt::Display for RetireReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drained => "it is being drained",
            Self::PoolRemoved => "the file no longer has its pool",
            Self::Drifted => "its pool changed",
            Self::Misplaced => "its pool no longer registers there",
            Self::Surplus => "the pool wants fewer",
            Self::BeyondMax => "its slot lies beyond max",
            Self::BeyondHost => "the host has more than host.max_runners",
            Self::NeverOnline => "it did not come online in time, or went offline",
            Self::Unregistered => "GitHub no longer knows it",
            Self::JobTimeout => "its job ran past job_timeout",
            Self::Operator => "the operator stopped it",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull { image } => write!(f, "pull {image}"),
            Self::Create(new) => {
                write!(
                    f,
                    "create {} in {} as {}: {}",
                    new.pool.container_name(new.slot),
                    new.scope,
                    new.name,
                    new.reason
                )
            }
            Self::Retire { container, reason, force, .. } => {
                write!(
                    f,
                    "retire {} ({}){}: {reason}",
                    container.name,
                    container.runner_name,
                    if *force { " by force" } else { "" }
                )
            }
            Self::Reap { container, .. } => {
                let code = match container.state {
                    ContainerState::Exited(Some(code)) => format!("exited with {code}"),
                    ContainerState::Created => "never started".to_owned(),
                    _ => "ended".to_owned(),
                };
                write!(f, "reap {} ({}): {code}", container.name, container.runner_name)
            }
            Self::Deregister(reg) => {
                write!(f, "deregister {} ({}) in {}: it has no container", reg.name, reg.id, reg.scope)
            }
            Self::RemoveCompanion { container } => write!(f, "remove {}: its runner is gone", container.name),
            Self::Collect(leftover) => write!(f, "remove {}: nothing uses it", leftover.key()),
            Self::CancelRun { repo, run, job, runner, .. } => {
                write!(f, "cancel run {run} of {repo}: runner {runner} of its job {job:?} is gone")
            }
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

impl fmt::Display for HeldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMax { max } => write!(f, "the pool is at max ({max}), runners on their way out included"),
            Self::HostFull { max } => write!(f, "the host is at host.max_runners ({max})"),
            Self::HostBudget { short } => write!(f, "the host is short: {short}"),
            Self::Disk { free, reserve } => {
                write!(f, "the engine's disk has {free} free, host.reserve.disk is {reserve}")
            }
            Self::Backoff { until, reason } => write!(f, "backing off until {until} because {reason}"),
            Self::Probing { reason } => {
                write!(
                    f,
                    "one start at a time is tried until a runner comes online, as the last failed: {reason}"
                )
            }
            Self::StormBreaker { failed, until } => {
                write!(
                    f,
                    "storm breaker: {failed} starts within an hour ended without a job; next start at {until}"
                )
            }
            Self::Image { state } => f.write_str(state),
            Self::Engine { error } => write!(f, "the engine does not answer: {error}"),
            Self::ListingIncomplete { scope, error } => write!(f, "no complete listing of {scope}: {error}"),
            Self::GitHub { scope, until, reason } => {
                write!(f, "nothing is sent for {scope} until {until}: {reason}")
            }
            Self::Busy => f.write_str("in a job; goes when that ends"),
            Self::Registering => {
                f.write_str("it is about to register itself; goes when it has, or has not in start_timeout")
            }
            Self::Draining => f.write_str("the pool is being drained"),
            Self::RetryLater { until } => write!(f, "the last attempt failed; next at {until}"),
            Self::DemandUnheard { source } => {
                write!(f, "{source} was not heard yet; the pool keeps to min")
            }
            Self::DemandFailing { source, heard, error } => {
                write!(f, "{source} cannot be heard")?;
                if let Some(heard) = heard {
                    write!(f, " since {heard}")?;
                }
                write!(f, "; the pool keeps to min and what was known last: {error}")
            }
            Self::ScaleSet { scope, state } => {
                write!(f, "the scale set of {scope} is not there yet: {state}")
            }
            Self::Cap { of, cap } => write!(f, "{of} has as many jobs in the pool as it may ({cap})"),
            Self::UpThreshold { threshold } => {
                write!(
                    f,
                    "fewer jobs wait than scale_up_threshold ({threshold}); after five minutes they count all the same"
                )
            }
            Self::UpFactor => f.write_str("scale_up_factor starts a part of the runners at a time"),
            Self::RunnerGone { runner, since } => {
                write!(f, "its runner {runner} is gone since {since}, and GitHub has not noticed")
            }
        }
    }
}
