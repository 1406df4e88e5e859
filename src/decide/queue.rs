//! The jobs that wait for each pool, in the order in which they are served, with the caps that hold some of them.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use super::Policy;
use super::rank::Rank;
use super::rank::priority;
use super::route::Unserved;
use super::route::Way;
use super::route::routes;
use crate::model::Demand;
use crate::model::HeldReason;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::World;

/// A job that waits for a runner of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub id: JobId,
    /// Where its runner registers.
    pub scope: Scope,
    /// Its place among all that wait.
    pub rank: Rank,
    /// Why no runner is wanted for it, where none is.
    pub held: Option<HeldReason>,
}

/// What is known of a pool's jobs.
#[derive(Default)]
pub(super) struct Queue<'a> {
    /// Those that wait for a runner, the first first.
    pub(super) waiting: Vec<(&'a Job, Waiting)>,
    /// Those that a runner of the pool has.
    pub(super) running: Vec<&'a Job>,
    /// Those that a scale set told of, waiting or running, by scope.
    pub(super) told: BTreeMap<Scope, u32>,
}

/// All pools' jobs.
#[derive(Default)]
pub(super) struct Queues<'a> {
    pools: BTreeMap<PoolName, Queue<'a>>,
    /// Runners that GitHub names as having a job.
    named: HashSet<&'a RunnerName>,
}

impl<'a> Queues<'a> {
    pub(super) fn new(policy: &Policy, world: &'a World) -> Self {
        let mut queues = Self::default();
        if world.demand.jobs.is_empty() {
            return queues;
        }
        let running: HashSet<&RunnerName> =
            world.runners.iter().filter(|r| r.runs()).map(|r| &r.name).collect();
        for (job, way) in world.demand.jobs.iter().zip(routes(policy, world)) {
            queues.enter(policy, job, way, &running);
        }
        for (name, queue) in &mut queues.pools {
            queue.waiting.sort_by_key(|(_, waiting)| waiting.rank);
            if let Some((pool, _)) = policy.pool(name) {
                cap(pool, queue);
            }
        }
        queues
    }

    fn enter(
        &mut self,
        policy: &Policy,
        job: &'a Job,
        way: Result<Way, Unserved>,
        running: &HashSet<&RunnerName>,
    ) {
        if let JobState::Running { runner: Some(name) } = &job.state {
            self.named.insert(name);
        }
        let Ok(Way { pool: name, scope }) = way else { return };
        let Some((pool, _)) = policy.pool(&name) else { return };
        let told = matches!(job.id, JobId::Request(_));
        let queue = self.pools.entry(name).or_default();
        match &job.state {
            JobState::Held => return,
            // A scale set's jobs are those that GitHub gives it, whoever else might serve them.
            JobState::Queued if pool.demand == Demand::ScaleSet && !told => return,
            JobState::Queued if pool.demand == Demand::Fixed => return,
            JobState::Queued => {
                let rank = Rank::new(priority(pool, job), job.queued, job.id);
                queue.waiting.push((job, Waiting { id: job.id, scope: scope.clone(), rank, held: None }));
            }
            JobState::Running { runner } => {
                if runner.is_some() {
                    queue.running.push(job);
                }
            }
        }
        // That a job has ended is not always told; without its runner it runs no more, and waits for none.
        let over = matches!(&job.state, JobState::Running { runner: Some(name) } if !running.contains(name));
        if told && !over {
            *queue.told.entry(scope).or_default() += 1;
        }
    }

    /// Whether GitHub names the runner as having a job.
    pub(super) fn names(&self, runner: &RunnerName) -> bool {
        self.named.contains(runner)
    }

    /// Takes out a pool's jobs.
    pub(super) fn take(&mut self, pool: &PoolName) -> Queue<'a> {
        self.pools.remove(pool).unwrap_or_default()
    }
}

/// Holds the jobs of repositories and workflows that have as many in the pool as they may.
fn cap(pool: &Pool, queue: &mut Queue<'_>) {
    // GitHub hands jobs to a scale set as it likes; leaving one without a runner would only hold up the others.
    if pool.demand == Demand::ScaleSet {
        return;
    }
    let (by_repo, by_workflow) = (pool.scaling.max_per_repository, pool.scaling.max_per_workflow);
    if by_repo.is_none() && by_workflow.is_none() {
        return;
    }
    let repo = |job: &Job| job.repo.to_string().to_lowercase();
    let mut repos: HashMap<String, u32> = HashMap::new();
    let mut workflows: HashMap<(String, String), u32> = HashMap::new();
    let count =
        |job: &Job, repos: &mut HashMap<String, u32>, workflows: &mut HashMap<(String, String), u32>| {
            *repos.entry(repo(job)).or_default() += 1;
            *workflows.entry((repo(job), job.workflow.clone())).or_default() += 1;
        };
    for job in &queue.running {
        count(job, &mut repos, &mut workflows);
    }
    for (job, waiting) in &mut queue.waiting {
        let of_repo = repos.get(&repo(job)).copied().unwrap_or(0);
        let of_workflow = workflows.get(&(repo(job), job.workflow.clone())).copied().unwrap_or(0);
        waiting.held = match (by_repo, by_workflow) {
            (Some(cap), _) if of_repo >= cap => {
                Some(HeldReason::Cap { of: format!("repository {}", job.repo), cap })
            }
            (_, Some(cap)) if of_workflow >= cap => {
                Some(HeldReason::Cap { of: format!("workflow {:?} of {}", job.workflow, job.repo), cap })
            }
            _ => None,
        };
        if waiting.held.is_none() {
            count(job, &mut repos, &mut workflows);
        }
    }
}
