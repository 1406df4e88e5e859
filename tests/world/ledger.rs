//! Whether runners are paid for that no job explains.

use std::collections::BTreeMap;
use std::time::Duration;

use ghrunner::model::ContainerId;
use ghrunner::model::Demand;
use ghrunner::model::Repo;
use ghrunner::model::Scope;
use tokio::time::Instant;

use super::draw;
use super::rules;
use super::state::Held;
use super::state::State;
use super::weather::Weather;

/// What a source knows may be this old where nothing is wrong with it: a poller looks at a quiet queue once a minute.
const KNOWN_WITHIN: Duration = Duration::from_secs(120);
/// The longest fault of a source, and what it takes to hear anew after it: until then what was true before it may be
/// believed.
const BELIEVED_WITHIN: Duration = Duration::from_secs(90 * 60);
/// So long after a fault nothing of it is believed any more: the slowest look at a queue is ten minutes after another.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(20 * 60);
/// So long after an edit, a stop by hand and their like, runners may stand that are being replaced.
const SETTLED_AFTER: Duration = Duration::from_secs(10 * 60);

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A number from each moment on.
type Counts = Vec<(Instant, u32)>;

/// How many jobs there were, and when something was wrong.
#[derive(Default)]
pub(super) struct Ledger {
    /// For each label the number of jobs that are not over, of all repositories and of each, from each moment on.
    open: BTreeMap<(String, Option<Repo>), Counts>,
    /// When something last happened by which runners are replaced.
    disturbed: Option<Instant>,
    /// When a source of demand was last in trouble.
    troubled: Option<Instant>,
}

impl Ledger {
    pub(super) fn disturb(&mut self) {
        self.disturbed = Some(Instant::now());
    }

    pub(super) fn trouble(&mut self, until: Instant) {
        self.troubled = self.troubled.max(Some(until));
    }

    /// How old what a source knows may be.
    fn window(&self, now: Instant) -> Duration {
        let troubled = self.troubled.is_some_and(|until| until + FORGOTTEN_AFTER > now);
        if troubled { BELIEVED_WITHIN } else { KNOWN_WITHIN }
    }

    /// The most jobs that a source may believe to be there.
    fn most(&self, label: &str, repo: Option<&Repo>, now: Instant) -> u32 {
        let window = self.window(now);
        let Some(counts) = self.open.get(&(label.to_owned(), repo.cloned())) else { return 0 };
        let mut most = 0;
        for (at, count) in counts.iter().rev() {
            most = most.max(*count);
            // The count before the window is the one with which it begins.
            if *at + window < now {
                break;
            }
        }
        most
    }
}

impl State {
    /// Notes how many jobs there are for a label, or how many GitHub says there are.
    pub(super) fn count_open(&mut self, label: &str) {
        if !self.services.told {
            return;
        }
        let open: Vec<&Repo> =
            self.jobs.values().filter(|job| job.label == label && !job.held).map(|job| &job.repo).collect();
        let sets = self.services.sets.values().filter(|set| set.name == label);
        let stuck = |of: &Repo| {
            let own = sets.clone().filter(|set| matches!(&set.scope, Scope::Repository(repo) if repo.is(of)));
            own.filter_map(|set| set.stuck).max().unwrap_or(0)
        };
        let repos = draw::REPOS.iter().chain(&draw::OWN_REPOS);
        let counts = repos.map(|repo| {
            let repo: Repo = repo.parse().expect("a repository");
            let jobs = number(open.iter().filter(|of| of.is(&repo)).count());
            let most = jobs.max(stuck(&repo));
            (Some(repo), most)
        });
        let counts: Vec<_> = counts.chain([(None, self.count_all(label, open.clone()))]).collect();
        for (repo, count) in counts {
            self.ledger.open.entry((label.to_owned(), repo)).or_default().push((Instant::now(), count));
        }
    }

    fn count_all(&self, label: &str, mut open: Vec<&Repo>) -> u32 {
        let mut count = 0;
        // Each set of a pool has a count of its own: where one is stuck, the jobs of another set's scope come on top.
        for set in self.services.sets.values().filter(|set| set.name == label) {
            let before = open.len();
            open.retain(|repo| !rules::admits(&set.scope, repo));
            count += number(before - open.len()).max(set.stuck.unwrap_or(0));
        }
        count + number(open.len())
    }
}

/// Whether the daemon forgot a moment ago which jobs its runners had: until the queues are read again it believes what
/// GitHub tells, and late deliveries tell of the past.
fn forgot(state: &State, now: Instant) -> bool {
    let window = state.ledger.window(now);
    state.services.began.is_some_and(|at| at + window > now)
}

/// A runner begins. Those of its place that can take a job, or have one, are never more than the jobs that there were for
/// it at one moment of the time from which demand may still be believed, and those that stand without any: no runner is wanted for a job
/// that has one, none for a job that is told of twice, and one that failed is of no use and does not count.
pub(super) fn after_launch(state: &mut State, id: &ContainerId) {
    let now = Instant::now();
    let settled = state.ledger.disturbed.is_none_or(|at| at + SETTLED_AFTER < now);
    if !state.services.told
        || !settled
        || forgot(state, now)
        || state.daemons > 1
        || state.weather != Weather::default()
    {
        return;
    }
    let Some(name) = state.containers.get(id).map(|held| held.container.pool.clone()) else { return };
    let Some(pool) = state.config.pools.get(&name).filter(|pool| pool.demand != Demand::Fixed) else {
        return;
    };
    let Some(scope) = state.containers.get(id).map(|held| held.container.scope.clone()) else { return };
    let here = |held: &&Held| held.container.pool == name && held.container.scope == scope;
    let useful = state.runners().filter(here).filter(|held| held.process.is_some());
    let useful = useful.filter(|held| {
        let process = held.process.as_ref().expect("it was just seen");
        let registered = process.registration.map(|number| state.registered.get(&number));
        let listed = registered.is_none_or(|r| r.is_some_and(|r| r.gone.is_none()));
        listed && !process.doomed && !process.leaving
    });
    let useful = number(useful.count());
    let repo = match &scope {
        Scope::Repository(repo) => Some(repo),
        Scope::Enterprise(_) | Scope::Organization(_) => None,
    };
    let (jobs, stand) = (state.ledger.most(name.as_str(), repo, now), pool.min + pool.min_idle);
    if useful > jobs + stand {
        state.breaks(format!(
            "12: pool {name} has {useful} runners in {scope} for {jobs} jobs at most and {stand} that stand"
        ));
    }
}
