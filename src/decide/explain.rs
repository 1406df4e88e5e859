//! Why each job waits: one true reason.

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::Explanation;
use super::Policy;
use super::Target;
use super::Targets;
use super::Unserved;
use super::Way;
use super::Why;
use super::plan::Outlook;
use super::route::Asks;
use super::route::admits;
use super::route::ask;
use super::route::open_to;
use super::route::routes;
use super::scale::scale;
use super::wanted::listened;
use crate::model::Demand;
use crate::model::HeldReason;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Plan;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::PoolScope;
use crate::model::Repo;
use crate::model::RepoPattern;
use crate::model::Time;
use crate::model::World;

/// How many of the jobs before another are named.
const NAMED: usize = 2;

/// What somebody wants to know.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Question {
    /// The repository.
    pub repo: Option<Repo>,
    /// A run, by its number.
    pub run: Option<u64>,
    /// A job, by its number.
    pub job: Option<u64>,
    /// Labels that a job would ask for, where no run and no job is meant.
    pub labels: Vec<String>,
}

/// Why each job that waits or runs does so, in the order of the view. `plan` is what follows from this world.
pub fn explanations(policy: &Policy, world: &World, plan: &Plan, now: Time) -> Vec<Explanation> {
    if world.demand.jobs.is_empty() {
        return Vec::new();
    }
    let targets = scale(policy, world, now);
    let view = View::new(policy, world, &targets, plan, now);
    let routed = world.demand.jobs.iter().zip(routes(policy, world));
    routed
        .map(|(job, way)| {
            let why = view.why(job, way.as_ref());
            let (pool, scope) = way.map(|way| (way.pool, way.scope)).ok().unzip();
            Explanation { job: Some(job.clone()), pool, scope, why }
        })
        .collect()
}

/// The answer to a question: one for each job that it is about.
pub fn explain(
    policy: &Policy,
    world: &World,
    plan: &Plan,
    question: &Question,
    now: Time,
) -> Vec<Explanation> {
    if question.run.is_none() && question.job.is_none() {
        return vec![of_labels(policy, world, plan, question, now)];
    }
    let of_run = |explanation: &Explanation| {
        explanation.job.as_ref().is_some_and(|job| {
            question.repo.as_ref().is_none_or(|repo| repo.is(&job.repo))
                && question.run.is_none_or(|run| run == job.run)
        })
    };
    let mut found: Vec<Explanation> =
        explanations(policy, world, plan, now).into_iter().filter(of_run).collect();
    let number = |explanation: &Explanation| explanation.job.as_ref().map(|job| job.id);
    if let Some(asked) = question.job {
        let exact = found.iter().any(|found| number(found) == Some(JobId::Job(asked)));
        // Of a job that a scale set told of only its run is known by number: then it is one of these.
        found.retain(|found| match number(found) {
            Some(JobId::Job(number)) => number == asked,
            Some(JobId::Request(_)) => !exact && question.run.is_some(),
            None => false,
        });
    }
    match (found.is_empty(), &question.repo) {
        (true, Some(repo)) => vec![unheard(policy, world, repo)],
        _ => found,
    }
}

/// What would become of a job with these labels.
fn of_labels(policy: &Policy, world: &World, plan: &Plan, question: &Question, now: Time) -> Explanation {
    let asks = Asks { labels: &question.labels, repo: question.repo.as_ref(), by_set: false };
    let Way { pool: name, scope } = match ask(policy, world, asks) {
        Ok(way) => way,
        Err(unserved) => {
            return Explanation { job: None, pool: None, scope: None, why: Why::Unserved(unserved) };
        }
    };
    let targets = scale(policy, world, now);
    let view = View::new(policy, world, &targets, plan, now);
    let why = match (policy.pool(&name), targets.get(&name)) {
        (Some((pool, _)), Some(target)) => {
            let way = Way { pool: name.clone(), scope: scope.clone() };
            let waiting = target.waiting.iter().filter(|job| job.scope == scope).count();
            view.served(&way, waiting, None)
                .or_else(|| view.fixed(pool, target))
                .or_else(|| view.full(pool, target))
                .or_else(|| view.outlook.one_more(pool, &scope).err().map(Why::Held))
                .unwrap_or(Why::WouldStart)
        }
        _ => Why::WouldStart,
    };
    Explanation { job: None, pool: Some(name), scope: Some(scope), why }
}

/// Why nobody has heard of a job of that repository.
fn unheard(policy: &Policy, world: &World, repo: &Repo) -> Explanation {
    let pools = || policy.config.pools.values();
    let open = || pools().filter(|pool| admits(pool, world, Some(repo)).is_ok());
    let listens = |pool: &&Pool| {
        let (repos, accounts) = listened(pool, world);
        matches!(pool.demand, Demand::Poll | Demand::Webhook)
            && (repos.iter().any(|other| other.is(repo))
                || accounts.iter().any(|account| account.eq_ignore_ascii_case(repo.owner())))
    };
    // One that starts nothing is named where no other listens.
    let pool = open().filter(listens).min_by_key(|pool| open_to(pool, world, Some(repo)).is_err());
    if let Some(unserved) = pool.and_then(|pool| open_to(pool, world, Some(repo)).err()) {
        return Explanation { job: None, pool: None, scope: None, why: Why::Unserved(unserved) };
    }
    let pool = pool.map(|pool| pool.name.clone());
    let view = world.demand.repos.iter().find(|(other, _)| other.is(repo)).map(|(_, view)| view);
    let source = format!("the queue of {repo}");
    let why = match (&pool, view) {
        (None, _) => {
            let fixed: Vec<PoolName> = open().map(|pool| pool.name.clone()).collect();
            let shut = pools().find(|pool| is_of(pool, repo.owner()));
            match shut.filter(|_| fixed.is_empty()).and_then(|pool| open_to(pool, world, Some(repo)).err()) {
                Some(unserved) => Why::Unserved(unserved),
                None => Why::NoPoolListens { repo: repo.clone(), fixed },
            }
        }
        (Some(_), Some(view)) => match (view.as_of, &view.error) {
            (heard, Some(error)) => {
                Why::Held(HeldReason::DemandFailing { source, heard, error: error.clone() })
            }
            (Some(heard), None) => Why::NotListed { repo: repo.clone(), heard },
            (None, None) => Why::Held(HeldReason::DemandUnheard { source }),
        },
        (Some(_), None) => Why::Held(unread(world, repo)),
    };
    Explanation { job: None, pool, scope: None, why }
}

/// Why a repository's queue was never read: nobody knows of it where its account's repositories cannot be listed.
fn unread(world: &World, repo: &Repo) -> HeldReason {
    let mut accounts = world.demand.accounts.iter();
    let account = accounts.find(|(account, _)| account.eq_ignore_ascii_case(repo.owner()));
    match account.and_then(|(account, view)| Some((account, view.as_of, view.error.clone()?))) {
        Some((account, heard, error)) => {
            HeldReason::DemandFailing { source: format!("the queue of {account}/*"), heard, error }
        }
        None => HeldReason::DemandUnheard { source: format!("the queue of {repo}") },
    }
}

/// Whether the pool is for some repositories of that account.
fn is_of(pool: &Pool, account: &str) -> bool {
    match &pool.scope {
        PoolScope::Enterprise { .. } => true,
        PoolScope::Organization { org, .. } => org.eq_ignore_ascii_case(account),
        PoolScope::Repositories(patterns) => patterns.iter().any(|pattern| match pattern {
            RepoPattern::One(repo) => repo.owner().eq_ignore_ascii_case(account),
            RepoPattern::AllOf(owner) => owner.eq_ignore_ascii_case(account),
        }),
    }
}

/// Everything that an explanation may look at.
struct View<'a> {
    policy: &'a Policy,
    world: &'a World,
    targets: &'a Targets,
    outlook: Outlook<'a>,
    /// Jobs that runners of each pool have.
    running: BTreeMap<PoolName, u32>,
    /// All jobs.
    jobs: HashMap<JobId, &'a Job>,
    /// Where each stands among those that wait for its pool.
    standing: HashMap<JobId, Standing<'a>>,
}

/// Where a job stands among those that wait for its pool.
struct Standing<'a> {
    held: Option<&'a HeldReason>,
    /// Jobs before it that a runner is wanted for, or would be.
    before: usize,
    /// Jobs before it that a runner is wanted for in the same place.
    number: usize,
}

impl<'a> View<'a> {
    fn new(policy: &'a Policy, world: &'a World, targets: &'a Targets, plan: &'a Plan, now: Time) -> Self {
        let mut running: BTreeMap<PoolName, u32> = BTreeMap::new();
        for job in &world.demand.jobs {
            if let JobState::Running { runner: Some(runner) } = &job.state
                && let Some((pool, _)) = runner.made_by(&world.instance)
            {
                *running.entry(pool).or_default() += 1;
            }
        }
        let jobs = world.demand.jobs.iter().map(|job| (job.id, job)).collect();
        let mut standing = HashMap::new();
        for target in targets.values() {
            let (mut before, mut here) = (0, BTreeMap::new());
            for job in &target.waiting {
                let number: &mut usize = here.entry(&job.scope).or_default();
                let held = job.held.as_ref();
                standing.insert(job.id, Standing { held, before, number: *number });
                *number += usize::from(held.is_none());
                before += usize::from(matches!(held, None | Some(HeldReason::AtMax { .. })));
            }
        }
        let outlook = Outlook::new(policy, targets, world, plan, now);
        Self { policy, world, targets, outlook, running, jobs, standing }
    }

    fn why(&self, job: &Job, way: Result<&Way, &Unserved>) -> Why {
        match &job.state {
            JobState::Held => return Why::GitHubHolds,
            JobState::Running { runner } => return Why::Runs { runner: runner.clone() },
            JobState::Queued => {}
        }
        if let Some(error) = &self.world.engine.error {
            return Why::Held(HeldReason::Engine { error: error.clone() });
        }
        let way = match way {
            Ok(way) => way,
            Err(unserved) => return Why::Unserved(unserved.clone()),
        };
        let (Some((pool, _)), Some(target)) = (self.policy.pool(&way.pool), self.targets.get(&way.pool))
        else {
            return Why::InLine;
        };
        let Some(standing) = self.standing.get(&job.id) else {
            return self
                .served(way, 0, Some(job.queued))
                .or_else(|| self.fixed(pool, target))
                .or_else(|| target.doubts.first().cloned().map(Why::Held))
                .or_else(|| self.full(pool, target))
                .unwrap_or(Why::BySet);
        };
        match standing.held {
            Some(HeldReason::AtMax { max }) => self.behind(pool, target, *max, standing.before),
            Some(reason) => Why::Held(reason.clone()),
            None => self.counted(job, pool, target, way, standing.number),
        }
    }

    /// A job for which a runner is wanted, and for so many before it.
    fn counted(&self, job: &Job, pool: &Pool, target: &Target, way: &Way, number: usize) -> Why {
        if let Some(why) = self.served(way, number, Some(job.queued)) {
            return why;
        }
        let place = target.places.iter().find(|place| place.scope == way.scope);
        if place.is_some_and(|place| number >= place.ranks.len()) {
            let heard = self.world.demand.repos.get(&job.repo).and_then(|view| view.as_of);
            return Why::Taken { heard };
        }
        self.outlook.one_more(pool, &way.scope).err().map_or(Why::InLine, Why::Held)
    }

    /// The runner that is for the job which has so many before it, if there is one.
    fn served(&self, way: &Way, number: usize, queued: Option<Time>) -> Option<Why> {
        let (idle, starting) = self.outlook.ready(&way.pool, &way.scope);
        if let Some((runner, since)) = idle.get(number) {
            return Some(Why::Idle { runner: (*runner).clone(), since: *since, queued });
        }
        let number = number - idle.len();
        if let Some((runner, since)) = starting.get(number) {
            return Some(Why::Starting { runner: (*runner).clone(), since: *since });
        }
        let planned = self.outlook.planned(&way.pool, &way.scope);
        let runner = planned.get(number - starting.len()).copied().cloned();
        runner.map(|runner| Why::Starting { runner, since: None })
    }

    fn fixed(&self, pool: &Pool, target: &Target) -> Option<Why> {
        let busy = u32::try_from(self.outlook.busy(&pool.name)).unwrap_or(u32::MAX);
        (pool.demand == Demand::Fixed).then(|| Why::Fixed { busy, target: target.total() })
    }

    /// Whether the pool has, or is to have, as many as it may.
    fn full(&self, pool: &Pool, target: &Target) -> Option<Why> {
        (target.total() >= pool.max).then(|| self.behind(pool, target, pool.max, target.waiting.len()))
    }

    /// A job that so many others are before.
    fn behind(&self, pool: &Pool, target: &Target, max: u32, before: usize) -> Why {
        let running = self.running.get(&pool.name).copied().unwrap_or(0);
        let named = target.waiting.iter().filter_map(|other| self.jobs.get(&other.id));
        let named = named.map(|job| format!("{:?} of {}", job.name, job.repo));
        Why::AtMax { max, running, before, first: named.take(before.min(NAMED)).collect() }
    }
}
