//! Stories of jobs and of those who tell of them: pools follow the queue, and every source of demand fails in its own
//! way.

use std::time::Duration;

use ghrunner::model;
use ghrunner::model::Demand;
use ghrunner::model::JobId;
use ghrunner::model::PoolName;
use ghrunner::model::SetId;
use tokio::time::Instant;

use super::daemon::Daemon;
use super::draw;
use super::jobs::Job;
use super::rules;
use super::schedule::Story;
use super::services::Trouble;
use super::sets::ScaleSet;
use super::state::State;
use super::weather::Weather;

const MINUTE: Duration = Duration::from_secs(60);
/// Faults end, the last failure of each source is waited out, and the slowest look at a queue comes round.
const HEARD_WITHIN: Duration = Duration::from_secs(30 * 60);
/// What a job takes beside its own time: to be heard of, and for a runner to be made, to come online and to go.
const EACH_JOB: Duration = Duration::from_secs(60);
/// A daemon that is started anew listens to all again once GitHub has given up the sessions of the one before.
const LEFT_WITHIN: Duration = Duration::from_secs(45 * 60);
/// So many jobs come at once that most are cancelled some time later, so that a schedule does not last for hours.
const MANY: u32 = 100;

impl Story<'_> {
    /// Jobs come to pools of every kind, and go; in calm weather nothing fails but the sources of demand.
    pub(super) async fn demand(&mut self) -> Result<(), String> {
        let calm = self.dice.coin();
        let dice = &mut self.dice;
        self.world.with(|state| {
            let mut config = state.config.clone();
            config.pools.values_mut().for_each(|pool| draw::demand(dice, pool));
            state.config = config;
            state.services.told = true;
            state.services.offers = dice.permille(300);
            state.admitted = draw::REPOS.iter().map(|repo| repo.parse().expect("a repository")).collect();
            if calm {
                state.weather = Weather::default();
            }
            state.note(|| format!("calm {calm}, jobs are offered {}", state.services.offers));
            state.note_config();
        });
        self.daemon = Some(Daemon::start(&self.world, Some(self.dir)));
        for _ in 0..self.dice.within(4, 12) {
            match self.dice.below(10) {
                0..=3 => self.arrivals(),
                4 if !calm => self.disturb().await,
                4..=8 => self.mislead().await,
                _ => self.restart().await,
            }
            let pause = if self.dice.coin() { draw::pause(&mut self.dice) } else { self.dice.secs(10, 180) };
            self.live(pause).await?;
        }
        Ok(())
    }

    /// Something happens that has nothing to do with jobs, and may have runners replaced.
    async fn disturb(&mut self) {
        self.world.with(|state| state.ledger.disturb());
        self.event().await;
        self.world.with(|state| state.ledger.disturb());
    }

    /// Jobs come: some, more than a message holds, or, seldom, hundreds.
    fn arrivals(&mut self) {
        let count = match self.dice.below(100) {
            0 if self.dice.permille(200) => 400,
            1 | 2 => self.dice.within(51, 60),
            3..=20 => self.dice.within(4, 9),
            _ => self.dice.within(1, 3),
        };
        let pools: Vec<_> = self.world.with(|state| state.config.pools.values().cloned().collect());
        let Some(pool) = self.dice.pick(&pools) else { return };
        for _ in 0..count {
            let repo = draw::repo_for(&mut self.dice, &pool);
            let lasts = if count > 15 { self.dice.secs(1, 3) } else { self.dice.secs(2, 20) };
            let held = self.dice.permille(50);
            let workflow = format!("wf-{}", self.dice.below(3));
            let job = Job { lasts: Some(lasts), held, workflow, ..Job::of(repo, pool.name.to_string()) };
            self.world.with(|state| state.arrive(job));
        }
        if count > MANY {
            self.world.with(|state| state.after(2 * MINUTE, State::thin_out));
        }
    }

    /// Something happens to a job, or to one who tells of jobs.
    async fn mislead(&mut self) {
        let sets: Vec<SetId> = self.world.with(|state| state.services.sets.keys().copied().collect());
        let set = self.dice.pick(&sets);
        let kind = self.dice.below(14);
        let until = Instant::now() + self.trouble_lasts(kind);
        if kind > 1 {
            self.world.with(|state| state.ledger.trouble(until));
        }
        let coin = self.dice.coin();
        match (kind, set) {
            (0, _) => self.with_some_job(|state, number| state.job_over(number, "cancelled")),
            (1, _) => self.world.with(|state| {
                let held: Vec<u64> = state.jobs.iter().filter(|(_, j)| j.held).map(|(n, _)| *n).collect();
                held.into_iter().for_each(|number| state.approve(number));
            }),
            (2, _) => self.trouble(|trouble| trouble.hooks_dropped = Some((until, coin))),
            (3, _) => self.trouble(|trouble| (trouble.hooks_late, trouble.hooks_doubled) = (300, 200)),
            (4, _) => self.trouble(|trouble| trouble.failing = Some(until)),
            (5, _) => self.trouble(|trouble| trouble.hasty = Some(until)),
            (6, _) => self.trouble(|trouble| trouble.repeats = 300),
            (7, _) => self.crash_before_the_ack().await,
            (8, Some(set)) => {
                let span = self.dice.secs(5, 300);
                self.world.with(|state| state.steal_session(set, span));
            }
            (9, Some(set)) => self.world.with(|state| state.end_session(set, None)),
            (10, Some(set)) => self.world.with(|state| state.evict_session(set)),
            (11, Some(set)) => self.world.with(|state| state.drop_set(set)),
            (12, Some(set)) => {
                let count = self.dice.within(1, 8);
                self.world.with(|state| state.stick(set, Some(count)));
            }
            (13, Some(set)) => self.world.with(|state| state.stick(set, Some(0))),
            _ => self.arrivals(),
        }
    }

    /// How long a trouble of that kind goes on by itself.
    fn trouble_lasts(&mut self, kind: u64) -> Duration {
        match kind {
            2 => 10 * MINUTE,
            4 if self.dice.permille(200) => 60 * MINUTE,
            4 | 5 => 5 * MINUTE,
            // Until somebody ends it.
            3 | 6 | 12 | 13 => 120 * MINUTE,
            _ => Duration::ZERO,
        }
    }

    fn trouble(&self, change: impl FnOnce(&mut Trouble)) {
        self.world.with(|state| {
            change(&mut state.services.trouble);
            state.note(|| format!("{:?}", state.services.trouble));
        });
    }

    fn with_some_job(&mut self, act: impl FnOnce(&mut State, u64)) {
        let waiting: Vec<u64> =
            self.world.with(|s| s.jobs.iter().filter(|(_, job)| !job.runs).map(|(n, _)| *n).collect());
        if let Some(number) = self.dice.pick(&waiting) {
            self.world.with(|state| act(state, number));
        }
    }

    /// The daemon handles a message and dies before it has acknowledged it.
    async fn crash_before_the_ack(&mut self) {
        self.trouble(|trouble| trouble.ack_stuck = true);
        self.arrivals();
        for _ in 0..10 {
            self.world.live(Duration::from_secs(3)).await;
            if self.world.with(|state| state.services.trouble.ack_lost) {
                break;
            }
        }
        self.restart().await;
        self.trouble(|trouble| (trouble.ack_stuck, trouble.ack_lost) = (false, false));
    }

    /// The sources of demand have no more trouble.
    pub(super) fn undeceive(&self) {
        self.world.with(|state| {
            state.ledger.disturb();
            state.services.trouble = Trouble::default();
            let sets: Vec<SetId> = state.services.sets.keys().copied().collect();
            for set in sets {
                state.end_theft(set);
                state.stick(set, None);
            }
            let held: Vec<u64> = state.jobs.iter().filter(|(_, j)| j.held).map(|(n, _)| *n).collect();
            held.into_iter().for_each(|number| state.approve(number));
        });
    }

    /// Why the daemon and those who tell it of jobs have not come to rest: a set that is not listened to, or jobs that are
    /// believed to be there.
    pub(super) fn believed(&self) -> Option<String> {
        let snapshot = self.daemon.as_ref()?.facade.snapshot();
        self.world.with(|state| {
            // Of a job that no pool hears of by its queue the last word is believed for days, and no runner is made for it.
            let counts = |job: &model::Job| {
                let pools =
                    state.config.pools.values().filter(|pool| job.labels.contains(&pool.name.to_string()));
                pools.map(|pool| pool.demand).any(|demand| matches!(demand, Demand::Poll | Demand::Webhook))
            };
            let ghost = |job: &&model::Job| match job.id {
                JobId::Job(number) => !state.jobs.contains_key(&number) && counts(job),
                JobId::Request(number) => !state.jobs.contains_key(&number.unsigned_abs()),
            };
            if let Some(ghost) = snapshot.demand.jobs.iter().find(ghost) {
                return Some(format!("6: job {} is believed to be {:?}", ghost.id, ghost.state));
            }
            let sets = &state.services.sets;
            for view in &snapshot.demand.sets {
                if !view.id.and_then(|id| sets.get(&id)).is_some_and(ScaleSet::is_heard) {
                    return Some(format!(
                        "11: the scale set of {} in {} is not heard",
                        view.pool, view.scope
                    ));
                }
            }
            let wanted = state.config.pools.values().filter(|p| p.demand == Demand::ScaleSet);
            let unseen =
                wanted.map(|p| &p.name).find(|n| !snapshot.demand.sets.iter().any(|s| s.pool == **n));
            unseen.map(|name| format!("11: pool {name} has no scale set"))
        })
    }

    /// By when all jobs that are there now have been served: once all is heard of again, at least one of those that are
    /// left always has a runner.
    pub(super) fn served_within(&self) -> Duration {
        self.world.with(|state| {
            let jobs = state.jobs.values().filter_map(|job| job.lasts);
            HEARD_WITHIN + jobs.map(|lasts| lasts + EACH_JOB).sum::<Duration>()
        })
    }

    /// What is not wanted any more is left nowhere: neither the scale set of a pool that goes nor, when the service
    /// ends, a session.
    pub(super) async fn leave(&mut self) -> Result<(), String> {
        self.come_to_rest(LEFT_WITHIN).await?;
        let drained = self.drained.clone();
        let gone: Option<PoolName> = self.world.with(|state| {
            let mut pools = state.config.pools.values();
            let idle = |name: &PoolName| !state.jobs.values().any(|job| job.label == name.as_str());
            let goes =
                pools.find(|p| p.demand == Demand::ScaleSet && !drained.contains(&p.name) && idle(&p.name));
            goes.map(|pool| pool.name.clone())
        });
        if let Some(gone) = &gone {
            self.world.with(|state| {
                let mut config = state.config.clone();
                config.pools.remove(gone);
                state.note(|| format!("pool {gone} goes"));
                state.set_config(config);
            });
            self.daemon.iter().for_each(Daemon::file_saved);
            self.live(MINUTE).await?;
            self.come_to_rest(LEFT_WITHIN).await?;
            // A set that an unknown session holds, one of a daemon that died or whose opening was never answered, cannot
            // be deleted before GitHub gives that up; nor can one that jobs are believed to be assigned to.
            let begun = Instant::now();
            while self.world.with(|state| rules::set_left(state, gone).is_some())
                && begun.elapsed() < LEFT_WITHIN
            {
                self.live(MINUTE).await?;
            }
        }
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await;
        }
        self.world.with(|state| rules::left(state, gone.as_ref())).map_or(Ok(()), Err)
    }
}
