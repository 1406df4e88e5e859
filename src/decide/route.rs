//! Which pool serves a job, and where its runner registers; or why none does.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;

use super::Policy;
use super::places;
use crate::model::Demand;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::PoolScope;
use crate::model::Repo;
use crate::model::RepoPattern;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::World;

/// The pool that serves a job, and where its runner registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The pool.
    pub pool: PoolName,
    /// Where a runner for the job registers.
    pub scope: Scope,
}

/// Why no pool serves a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unserved {
    /// The file has no pools.
    NoPools,
    /// It asks for a runner of GitHub's own.
    Hosted {
        /// The label that says so.
        label: String,
    },
    /// No pool has one of its labels.
    NoLabel {
        /// The label.
        label: String,
        /// The nearest that some pool has.
        nearest: Option<(String, PoolName)>,
    },
    /// No pool that its repository may use has all of its labels.
    Scattered {
        /// The one that has most.
        pool: PoolName,
        /// What that one lacks.
        lacks: Vec<String>,
    },
    /// The pool with its labels is not for its repository.
    NotAdmitted {
        /// The pool.
        pool: PoolName,
        /// Why not, in words.
        why: String,
    },
    /// The pool with its labels is being drained.
    Drained {
        /// The pool.
        pool: PoolName,
    },
    /// The pool with its labels is switched off.
    SwitchedOff {
        /// The pool.
        pool: PoolName,
    },
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPools => f.write_str("the file has no pools"),
            Self::Hosted { label } => {
                write!(f, "{label:?} is a label of GitHub's own runners, and of no pool")
            }
            Self::NoLabel { label, nearest: None } => write!(f, "no pool has label {label:?}"),
            Self::NoLabel { label, nearest: Some((near, pool)) } => {
                write!(f, "no pool has label {label:?}; the nearest is {near:?} of pool {pool}")
            }
            Self::Scattered { pool, lacks } => {
                let lacks: Vec<String> = lacks.iter().map(|label| format!("{label:?}")).collect();
                write!(f, "no pool has all of its labels: {pool} lacks {}", lacks.join(", "))
            }
            Self::NotAdmitted { pool, why } => write!(f, "pool {pool} is not for it: {why}"),
            Self::Drained { pool } => {
                write!(f, "pool {pool} is being drained; `ghrunner pools resume {pool}` ends that")
            }
            Self::SwitchedOff { pool } => write!(f, "pool {pool} is switched off: max = 0"),
        }
    }
}

/// What a job asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asks<'a> {
    pub(super) labels: &'a [String],
    /// None where nobody knows: then any repository that the pool is for.
    pub(super) repo: Option<&'a Repo>,
    /// Whether a scale set told of it, so that only a scale set's runner can take it.
    pub(super) by_set: bool,
}

impl<'a> Asks<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        Self { labels: &job.labels, repo: Some(&job.repo), by_set: matches!(job.id, JobId::Request(_)) }
    }
}

/// Sends jobs to pools, one after the other: each one that was sent counts where the next may go.
pub(super) struct Router<'a> {
    policy: &'a Policy,
    world: &'a World,
    /// Jobs that were sent to each pool.
    load: BTreeMap<&'a PoolName, u32>,
    /// Jobs of scale sets that GitHub has assigned and nobody has told of yet.
    untold: BTreeMap<&'a PoolName, u32>,
    /// Where our runners are registered.
    scopes: HashMap<&'a RunnerName, &'a Scope>,
    /// What fits equal questions, since most jobs ask the same.
    known: HashMap<Asked, Result<Vec<Fit<'a>>, Unserved>>,
}

/// Labels, repository, and whether a scale set told of it.
type Asked = (Vec<String>, String, bool);

/// A pool that could serve a job.
#[derive(Debug, Clone)]
struct Fit<'a> {
    pool: &'a Pool,
    scope: Scope,
    superfluous: usize,
}

impl<'a> Router<'a> {
    pub(super) fn new(policy: &'a Policy, world: &'a World) -> Self {
        let mut untold: BTreeMap<&PoolName, u32> = BTreeMap::new();
        for set in &world.demand.sets {
            let assigned = set.statistics.map_or(0, |(statistics, _)| statistics.assigned);
            *untold.entry(&set.pool).or_default() += assigned;
        }
        let runners = world.runners.iter().filter(|_| !world.demand.jobs.is_empty());
        let scopes = runners.map(|runner| (&runner.name, &runner.scope)).collect();
        Self { policy, world, load: BTreeMap::new(), untold, scopes, known: HashMap::new() }
    }

    /// The way of a job, which is then counted if it waits for a runner or has one of ours.
    pub(super) fn send(&mut self, job: &Job) -> Result<Way, Unserved> {
        let taken = self.taken_by(job);
        let counts = taken.is_some() || job.state == JobState::Queued;
        let way = match taken {
            Some(way) => way,
            None => self.way(Asks::of(job))?,
        };
        if !counts {
            return Ok(way);
        }
        if let Some((pool, _)) = self.policy.config.pools.get_key_value(&way.pool) {
            *self.load.entry(pool).or_default() += 1;
            let untold = self.untold.entry(pool).or_default();
            *untold = untold.saturating_sub(1);
        }
        Ok(way)
    }

    /// Where a job runs that has a runner of ours.
    fn taken_by(&self, job: &Job) -> Option<Way> {
        let JobState::Running { runner: Some(name) } = &job.state else { return None };
        let (pool, _) = name.made_by(&self.world.instance)?;
        let scope = self.scopes.get(name).map(|scope| (*scope).clone());
        let scope = scope.unwrap_or_else(|| Scope::Repository(job.repo.clone()));
        Some(Way { pool, scope })
    }

    /// Of the pools that fit, in this order: one that has room, the highest priority, the fewest superfluous labels, the
    /// least load.
    pub(super) fn way(&mut self, asks: Asks<'_>) -> Result<Way, Unserved> {
        let repo = asks.repo.map(|repo| repo.to_string().to_lowercase()).unwrap_or_default();
        let key = (asks.labels.to_vec(), repo, asks.by_set);
        let (policy, world) = (self.policy, self.world);
        let fits = self.known.entry(key).or_insert_with(|| fits(policy, world, asks)).as_ref();
        let fits = fits.map_err(Clone::clone)?;
        let order = |fit: &Fit<'a>| {
            let load = self.load.get(&fit.pool.name).copied().unwrap_or(0);
            let told = asks.by_set && self.untold.get(&fit.pool.name).is_none_or(|untold| *untold == 0);
            let share = u64::from(load) * 1000 / u64::from(fit.pool.max.max(1));
            let priority = Reverse(fit.pool.priority);
            (class(fit.pool), told, load >= fit.pool.max, priority, fit.superfluous, share, &fit.pool.name)
        };
        let best = fits.iter().min_by_key(|fit| order(fit));
        best.map(|fit| Way { pool: fit.pool.name.clone(), scope: fit.scope.clone() }).ok_or(Unserved::NoPools)
    }
}

/// Pools that follow the queue come before those whose scale set GitHub fills by itself, and both before those that stand
/// whatever waits.
fn class(pool: &Pool) -> u8 {
    match pool.demand {
        Demand::Poll | Demand::Webhook => 0,
        Demand::ScaleSet => 1,
        Demand::Fixed => 2,
    }
}

/// All pools that could serve the job, or why none could.
fn fits<'a>(policy: &'a Policy, world: &World, asks: Asks<'_>) -> Result<Vec<Fit<'a>>, Unserved> {
    let labels: Vec<String> = asks.labels.iter().map(|label| label.to_lowercase()).collect();
    let pools = || policy.config.pools.values().filter(|p| !asks.by_set || p.demand == Demand::ScaleSet);
    let lacks = |pool: &Pool| -> Vec<String> {
        // A scale set is asked for by its name as by a label.
        let is_set =
            |label: &&String| pool.demand == Demand::ScaleSet && pool.set_name().eq_ignore_ascii_case(label);
        labels.iter().filter(|label| !pool.labels.contains(label) && !is_set(label)).cloned().collect()
    };
    let mut fits = Vec::new();
    let mut refused: Vec<(&Pool, Unserved)> = Vec::new();
    for pool in pools().filter(|pool| lacks(pool).is_empty()) {
        match open_to(pool, world, asks.repo) {
            Ok(scope) => fits.push(Fit {
                pool,
                scope,
                superfluous: pool.labels.len() - labels.len().min(pool.labels.len()),
            }),
            Err(why) => refused.push((pool, why)),
        }
    }
    if fits.is_empty() && asks.by_set {
        // A job may ask for a scale set by its name alone.
        let open = pools().filter_map(|pool| Some((pool, open_to(pool, world, asks.repo).ok()?)));
        let open: Vec<_> = open.collect();
        if let [(pool, scope)] = open.as_slice() {
            fits.push(Fit { pool, scope: scope.clone(), superfluous: 0 });
        }
    }
    if !fits.is_empty() {
        return Ok(fits);
    }
    refused.sort_by_key(|(pool, why)| {
        (matches!(why, Unserved::NotAdmitted { .. }), Reverse(pool.priority), &pool.name)
    });
    if let Some((_, why)) = refused.into_iter().next() {
        return Err(why);
    }
    Err(unlabelled(policy, world, asks, &labels, lacks))
}

/// Which label is to blame that no pool has all of them.
fn unlabelled(
    policy: &Policy,
    world: &World,
    asks: Asks<'_>,
    labels: &[String],
    lacks: impl Fn(&Pool) -> Vec<String>,
) -> Unserved {
    let pools = || policy.config.pools.values();
    if let Some(label) = labels.iter().find(|label| !pools().any(|pool| pool.labels.contains(label))) {
        // <https://docs.github.com/en/actions/reference/runners/github-hosted-runners>
        if ["ubuntu-", "windows-", "macos-"].iter().any(|system| label.starts_with(system)) {
            return Unserved::Hosted { label: label.clone() };
        }
        let all = pools().flat_map(|pool| pool.labels.iter().map(move |other| (other, pool)));
        let near = all.map(|(other, pool)| (strsim::damerau_levenshtein(label, other), other, pool));
        // A third of the word may be wrong, as with the keys of the file; more is another word.
        let near = near.filter(|(distance, ..)| *distance <= label.chars().count().max(3) / 3);
        let nearest = near.min_by_key(|(distance, other, pool)| (*distance, *other, &pool.name));
        let nearest = nearest.map(|(_, other, pool)| (other.clone(), pool.name.clone()));
        return Unserved::NoLabel { label: label.clone(), nearest };
    }
    let closed = |pool: &&Pool| open_to(pool, world, asks.repo).is_err();
    let nearest =
        pools().min_by_key(|pool| (closed(pool), lacks(pool).len(), Reverse(pool.priority), &pool.name));
    nearest
        .map_or(Unserved::NoPools, |pool| Unserved::Scattered { pool: pool.name.clone(), lacks: lacks(pool) })
}

/// Where the pool registers a runner for the repository, or why it does not.
pub(super) fn open_to(pool: &Pool, world: &World, repo: Option<&Repo>) -> Result<Scope, Unserved> {
    let scope =
        admits(pool, world, repo).map_err(|why| Unserved::NotAdmitted { pool: pool.name.clone(), why })?;
    if pool.max == 0 {
        return Err(Unserved::SwitchedOff { pool: pool.name.clone() });
    }
    if world.book.drained_pools.contains(&pool.name) {
        return Err(Unserved::Drained { pool: pool.name.clone() });
    }
    Ok(scope)
}

/// Where the pool registers a runner for the repository, or why it is not for it.
pub(super) fn admits(pool: &Pool, world: &World, repo: Option<&Repo>) -> Result<Scope, String> {
    let admitted = world.admitted.get(&pool.name).map(Vec::as_slice);
    let scopes = places(pool, world.mode, admitted);
    match (&pool.scope, repo) {
        // Which organizations are the enterprise's is not known here: GitHub gives it nothing else.
        (PoolScope::Enterprise { slug, .. }, _) => Ok(Scope::Enterprise(slug.clone())),
        (PoolScope::Organization { org, .. }, Some(repo)) if !repo.owner().eq_ignore_ascii_case(org) => {
            Err(format!("it serves organization {org}, and the job is one of {repo}"))
        }
        (PoolScope::Organization { org, group }, Some(repo)) if world.mode == Mode::Organization => {
            match admitted {
                Some(repos) if !repos.iter().any(|other| other.is(repo)) => {
                    let group = group.as_ref().map_or("the default runner group".to_owned(), |g| format!("runner group {g}"));
                    let public = world.closed_to.get(&pool.name).is_some_and(|all| all.iter().any(|other| other.is(repo)));
                    let why = if public { ", which is public: the group is closed to public repositories" } else { "" };
                    Err(format!("{group} of {org} does not admit {repo}{why}"))
                }
                _ => Ok(Scope::Organization(org.clone())),
            }
        }
        (PoolScope::Repositories(patterns), Some(repo)) => {
            let whole = |p: &RepoPattern| matches!(p, RepoPattern::AllOf(owner) if repo.owner().eq_ignore_ascii_case(owner));
            at_repository(&scopes, repo)
                .or_else(|| patterns.iter().any(whole).then(|| Scope::Repository(repo.clone())))
                .ok_or_else(|| {
                    let names: Vec<String> = patterns.iter().map(ToString::to_string).collect();
                    format!("it serves {}, and the job is one of {repo}", names.join(", "))
                })
        }
        (PoolScope::Organization { .. }, Some(repo)) => at_repository(&scopes, repo).ok_or_else(|| {
            format!("in repository mode it serves what its rollback list or its runner group names, and {repo} is not among that")
        }),
        (PoolScope::Repositories(patterns), None) => match (scopes.into_iter().next(), patterns.first()) {
            (Some(scope), _) => Ok(scope),
            // Some repository of that account, whichever it is.
            (None, Some(RepoPattern::AllOf(owner))) => Ok(Scope::Organization(owner.clone())),
            (None, _) => Err("it names no repository".to_owned()),
        },
        (PoolScope::Organization { org, .. }, None) => {
            Ok(scopes.into_iter().next().unwrap_or_else(|| Scope::Organization(org.clone())))
        }
    }
}

/// The repository among these places.
fn at_repository(scopes: &[Scope], repo: &Repo) -> Option<Scope> {
    let is = |scope: &&Scope| matches!(scope, Scope::Repository(other) if other.is(repo));
    scopes.iter().find(is).cloned()
}

/// The way of each job that waits or runs, in the order of the view; the older one chooses first.
pub(super) fn routes(policy: &Policy, world: &World) -> Vec<Result<Way, Unserved>> {
    let jobs = &world.demand.jobs;
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|at| (jobs[*at].queued, jobs[*at].id));
    let mut router = Router::new(policy, world);
    let given = given(world);
    let mut ways: Vec<Option<Result<Way, Unserved>>> = vec![None; jobs.len()];
    for at in order {
        let given = given.get(&jobs[at].id).cloned();
        ways[at] = Some(given.map_or_else(|| router.send(&jobs[at]), Ok));
    }
    ways.into_iter().map(|way| way.unwrap_or(Err(Unserved::NoPools))).collect()
}

/// The ways of jobs that GitHub gave to sets of ours: whoever else might serve them, nobody else will.
fn given(world: &World) -> HashMap<JobId, Way> {
    // The first that is told of a job counts.
    let given = world.demand.given.iter().rev();
    given.map(|(id, pool, scope)| (*id, Way { pool: pool.clone(), scope: scope.clone() })).collect()
}

/// The way of one job, with all that are known on theirs.
pub fn route(policy: &Policy, world: &World, job: &Job) -> Result<Way, Unserved> {
    if let Some(at) = world.demand.jobs.iter().position(|other| other.id == job.id) {
        return routes(policy, world).swap_remove(at);
    }
    ask(policy, world, Asks::of(job))
}

/// The way that a job would take now which asks for this.
pub(super) fn ask(policy: &Policy, world: &World, asks: Asks<'_>) -> Result<Way, Unserved> {
    let mut router = Router::new(policy, world);
    for job in &world.demand.jobs {
        // Only its weight matters here.
        let _ = router.send(job);
    }
    router.way(asks)
}
