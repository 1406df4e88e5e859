//! A repository's queue: its open runs, and their jobs.
//!
//! The unit is the job: a queued run with a matrix of eight needs eight runners, and a job that was released by `needs:`
//! can wait under a run that is in progress. So both kinds of runs are listed, and each run's jobs are read.
//! What did not change is a 304, which costs nothing of the hourly budget; what was read is kept for as long as its run is
//! open, so that a busy repository, which mints new runs all day, sweeps nobody else's pages out.
//!
//! <https://docs.github.com/rest/actions/workflow-runs>, <https://docs.github.com/rest/actions/workflow-jobs>

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::Method;

use super::GitHubError;
use super::Look;
use super::answer::rfc_3339;
use super::call::Call;
use super::credential::Credential;
use super::credential::lock;
use super::pages::Cost;
use super::pages::Listing;
use super::pages::PageCache;
use super::wire;
use super::wire::Run;
use super::wire::RunJob;
use crate::model::Job;
use crate::model::JobId;
use crate::model::JobState;
use crate::model::Repo;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Time;

/// Runs whose jobs are read in one look. Each is a point of the 900 a minute, changed or not; a queue that is longer is
/// read in turns, and no pool has a use for more jobs at a time than so many runs bring.
const RUNS_PER_LOOK: usize = 100;
/// Listings of jobs read at the same time, out of the twenty places that a credential has.
const AT_A_TIME: usize = 6;
/// Runs that are held bring no work. So that they cost nothing where nothing happens, they are asked for when other runs
/// come and go, and this often while some are known.
const HELD_AGAIN: Duration = Duration::from_secs(60);
/// A repository that nobody asked about for so long is forgotten.
const FORGET: Duration = Duration::from_secs(3600);

/// What is known of the queues of all repositories.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<Repo, (Time, Shared)>>);

/// The repository's queue, for one look at a time.
type Shared = Arc<tokio::sync::Mutex<Memory>>;

/// What is known of one repository's queue.
#[derive(Default)]
struct Memory {
    listings: Mutex<PageCache>,
    runs: BTreeMap<u64, Kept>,
    looks: u64,
    held_asked: Time,
}

/// An open run.
struct Kept {
    run: Run,
    /// Whether it was found among those that are held.
    held: bool,
    pages: Arc<Mutex<PageCache>>,
    jobs: Vec<RunJob>,
    /// The look in which its jobs were last read, and the run's `updated_at` then.
    read: Option<(u64, Option<String>)>,
}

impl Queues {
    fn of(&self, repo: &Repo, now: Time) -> Shared {
        let mut all = lock(&self.0);
        all.retain(|_, (used, _)| now.since(*used) < FORGET);
        let (used, memory) = all.entry(repo.clone()).or_default();
        *used = now;
        memory.clone()
    }
}

impl Memory {
    /// Whether other runs are open than before, or one of them was touched since.
    fn differs(&self, open: &BTreeMap<u64, Run>) -> bool {
        let before = self.runs.values().filter(|kept| !kept.held).map(|kept| &kept.run);
        !before.eq(open.values())
    }

    /// Whether a run that was open is not there any more.
    fn lost_one(&self, open: &BTreeMap<u64, Run>) -> bool {
        self.runs.iter().any(|(id, kept)| !kept.held && !open.contains_key(id))
    }

    fn knows_held(&self) -> bool {
        self.runs.values().any(|kept| kept.held)
    }

    /// Takes these as the open runs; of others everything is forgotten. Without `held` those that were held stay so.
    fn take(&mut self, open: BTreeMap<u64, Run>, held: Option<Vec<Run>>) {
        let still = |kept: &Kept| held.is_none() && kept.held;
        self.runs.retain(|id, kept| {
            open.contains_key(id) || still(kept) || held.iter().flatten().any(|r| r.id == *id)
        });
        let held = held.into_iter().flatten().filter(|run| !open.contains_key(&run.id)).collect::<Vec<_>>();
        let all = open.into_values().map(|run| (run, false)).chain(held.into_iter().map(|run| (run, true)));
        for (run, held) in all {
            match self.runs.get_mut(&run.id) {
                Some(kept) => (kept.run, kept.held) = (run, held),
                None => {
                    let kept = Kept { held, pages: Arc::default(), jobs: Vec::new(), read: None, run };
                    self.runs.insert(kept.run.id, kept);
                }
            }
        }
    }

    /// The runs whose jobs are to be read in this look: those never read, those touched since, and then those that were
    /// read longest ago.
    fn due(&self) -> Vec<u64> {
        let mut due: Vec<(u8, u64, u64)> = self
            .runs
            .iter()
            .map(|(id, kept)| match &kept.read {
                None => (0, 0, *id),
                Some((look, touched)) if *touched != kept.run.updated_at => (1, *look, *id),
                Some((look, _)) => (2, *look, *id),
            })
            .collect();
        due.sort_unstable();
        due.into_iter().take(RUNS_PER_LOOK).map(|(.., id)| id).collect()
    }
}

impl Credential {
    /// The jobs of a repository that wait, run or are held.
    pub(super) async fn open_jobs(&self, repo: &Repo) -> Result<Look, GitHubError> {
        let scope = Scope::Repository(repo.clone());
        let memory = self.queues.of(repo, self.now());
        let mut memory = memory.lock().await;
        memory.looks += 1;
        let mut cost = self.look_for_runs(&scope, &mut memory).await?;
        cost.add(self.look_for_jobs(&scope, &mut memory).await?);
        let mut jobs = Vec::new();
        for Kept { run, jobs: found, .. } in memory.runs.values() {
            for job in found {
                let malformed = |why| jobs_of(&scope, run.id).call(String::new()).malformed(why);
                jobs.extend(open_job(repo, run, job).map_err(malformed)?);
            }
        }
        jobs.sort_by_key(|job: &Job| job.id);
        Ok(Look { jobs, requests: cost.requests, full: cost.full })
    }

    /// Brings the open runs up to date. Those in the queue are asked for first: a run that is begun in between is then in
    /// both lists. One that goes the other way, since another of its jobs was released, would be in neither, and so the
    /// queue is asked for once more where a run is missing.
    async fn look_for_runs(&self, scope: &Scope, memory: &mut Memory) -> Result<Cost, GitHubError> {
        let mut cost = Cost::default();
        let mut list = async |status: &str| {
            let (runs, spent) = self.list_apart(scope, &runs_of(scope, status), &memory.listings).await?;
            cost.add(spent);
            Ok::<_, GitHubError>(runs)
        };
        let queued = list("queued").await?;
        let running = list("in_progress").await?;
        let by_id = |runs: Vec<Run>| runs.into_iter().map(|run| (run.id, run));
        let mut open: BTreeMap<u64, Run> = by_id(queued).chain(by_id(running)).collect();
        if memory.lost_one(&open) {
            open.extend(by_id(list("queued").await?));
        }
        let now = self.now();
        let again = memory.knows_held() && now.since(memory.held_asked) >= HELD_AGAIN;
        let mut held = None;
        if again || memory.differs(&open) {
            let mut runs = list("waiting").await?;
            runs.extend(list("pending").await?);
            held = Some(runs);
            memory.held_asked = now;
        }
        memory.take(open, held);
        Ok(cost)
    }

    /// Brings the jobs of the open runs up to date. A run that was deleted has none.
    async fn look_for_jobs(&self, scope: &Scope, memory: &mut Memory) -> Result<Cost, GitHubError> {
        let due = memory.due();
        let runs = due.iter().filter_map(|id| Some((*id, memory.runs.get(id)?.pages.clone())));
        let reads = runs.collect::<Vec<_>>().into_iter().map(|(id, pages)| async move {
            match self.list_apart(scope, &jobs_of(scope, id), &pages).await {
                Err(GitHubError::NotFound { .. }) => (id, Ok((Vec::new(), Cost { requests: 1, full: 1 }))),
                other => (id, other),
            }
        });
        let (mut cost, mut failure) = (Cost::default(), None);
        let mut reads = futures_util::stream::iter(reads).buffer_unordered(AT_A_TIME);
        while let Some((id, result)) = reads.next().await {
            match (result, memory.runs.get_mut(&id)) {
                (Ok((jobs, spent)), Some(kept)) => {
                    cost.add(spent);
                    kept.jobs = jobs;
                    kept.read = Some((memory.looks, kept.run.updated_at.clone()));
                }
                (Ok(_), None) => {}
                (Err(error), _) => failure = Some(error),
            }
        }
        failure.map_or(Ok(cost), Err)
    }

    /// Cancels a run. GitHub answers 409 for one that has ended.
    pub(super) async fn cancel_run(&self, repo: &Repo, run: u64) -> Result<(), GitHubError> {
        let scope = Scope::Repository(repo.clone());
        let call = Call::new(
            Method::POST,
            "cancel-run",
            format!("{scope}/actions/runs/{run}/cancel"),
            format!("cancel run {run} of {repo}"),
            format!("run {run} in {repo}"),
        );
        match self.send(&scope, &call).await.map_err(GitHubError::from) {
            Ok(_) | Err(GitHubError::Refused { status: 409, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn runs_of(scope: &Scope, status: &str) -> Listing<Run> {
    Listing {
        path: format!("{scope}/actions/runs?status={status}&exclude_pull_requests=true&per_page=100"),
        kind: "list-runs",
        label: format!("list the runs of {scope}"),
        what: scope.to_string(),
        read: wire::runs,
        id: |run| run.id,
    }
}

fn jobs_of(scope: &Scope, run: u64) -> Listing<RunJob> {
    Listing {
        path: format!("{scope}/actions/runs/{run}/jobs?filter=latest&per_page=100"),
        kind: "list-jobs",
        label: format!("list the jobs of run {run} of {scope}"),
        what: format!("run {run} in {scope}"),
        read: wire::jobs,
        id: |job| job.id,
    }
}

/// A job, unless it has ended.
fn open_job(repo: &Repo, run: &Run, job: &RunJob) -> Result<Option<Job>, String> {
    // A run that waits for its turn in a concurrency group gets no runner, whatever its jobs say.
    let pending = matches!(run.status.as_deref(), Some("pending" | "requested"));
    let state = match job.status.as_str() {
        "completed" => return Ok(None),
        "in_progress" => {
            let name = job.runner_name.as_ref().filter(|name| !name.is_empty());
            JobState::Running { runner: name.map(RunnerName::new) }
        }
        "queued" if !pending => JobState::Queued,
        _ => JobState::Held,
    };
    let queued = [&job.created_at, &job.started_at, &run.created_at].into_iter().flatten().next();
    let queued = queued.ok_or_else(|| format!("job {} has no time", job.id))?;
    let queued = rfc_3339(queued).ok_or_else(|| format!("job {} is of {queued:?}", job.id))?;
    let told = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let file = run.path.as_deref().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    Ok(Some(Job {
        id: JobId::Job(job.id),
        run: run.id,
        repo: repo.clone(),
        workflow: told(&job.workflow_name).or_else(|| told(&run.name)).or(file).unwrap_or_default(),
        name: job.name.clone(),
        labels: job.labels.iter().map(|label| label.to_lowercase()).collect(),
        event: told(&run.event).unwrap_or_default(),
        branch: told(&run.head_branch).or_else(|| told(&job.head_branch)).unwrap_or_default(),
        state,
        queued,
    }))
}
