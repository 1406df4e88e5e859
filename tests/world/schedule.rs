//! One schedule: a random story with faults, the end of all faults, and the promises that must hold then.

use std::path::Path;
use std::time::Duration;

use ghrunner::model::ImageId;
use ghrunner::model::Mode;
use ghrunner::model::PoolName;
use tokio::time::Instant;

use super::World;
use super::clock;
use super::daemon::Daemon;
use super::dice::Dice;
use super::draw;
use super::journal::Journal;
use super::rules;
use super::runtime;
use super::state::Plant;
use super::state::State;
use super::weather::Weather;

/// The longest that the world may take to come to rest once faults have ended: a storm breaker waits for an hour.
const REST_WITHIN: Duration = Duration::from_secs(2 * 3600);
/// Rest is only believed when nothing has changed for so long: calls that were made before the faults ended may still hang,
/// and a daemon that waits for one has not seen what is left to do.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(63);
/// How long rest has to last.
const REST_LASTS: Duration = Duration::from_secs(100);

/// One in so many schedules has its journal read for secrets, which takes as long as all the rest.
const READ_EACH: u64 = 16;

/// What became of a schedule.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The promise that was broken, if one was.
    pub(crate) broken: Option<String>,
    /// What happened, if that was asked for.
    pub(crate) trace: Vec<String>,
    /// How long it took in the world.
    pub(crate) lasted: Duration,
}

/// What a schedule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything that can happen, and every fault.
    Everything,
    /// Runners that never come online.
    Storm,
    /// A disk that fills.
    FullDisk,
    /// Pools that follow the queue of jobs, by every source of demand.
    Demand,
}

/// Plays one schedule. State files go below `scratch`.
pub(crate) fn run(kind: Kind, seed: u64, plant: Option<Plant>, scratch: &Path, trace: bool) -> Outcome {
    let dir = scratch.join(seed.to_string());
    let outcome = runtime().block_on(play(kind, seed, plant, &dir, trace));
    // Nothing was kept by schedules without a state directory.
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

async fn play(kind: Kind, seed: u64, plant: Option<Plant>, dir: &Path, trace: bool) -> Outcome {
    let begun = Instant::now();
    let journal = Journal::new(clock::clock(), trace);
    let read = trace || plant.is_some() || seed.is_multiple_of(READ_EACH);
    let listens = read.then(|| journal.listen());
    let mut story = Story::new(seed, plant, dir, &journal);
    tokio::spawn(story.world.clone().turn());
    let told = story.tell(kind).await;
    if read {
        story.read_aloud(&journal);
    }
    drop(listens);
    let secret = journal.leak().map(|text| format!("8: a secret is text: {text}"));
    let broken = story.world.with(|state| state.broken.take());
    Outcome { broken: broken.or(secret).or(told.err()), trace: journal.take(), lasted: begun.elapsed() }
}

/// The story of a schedule, with all who take part in it.
pub(super) struct Story<'a> {
    pub(super) world: World,
    pub(super) dice: Dice,
    /// Where the daemons keep their state.
    pub(super) dir: &'a Path,
    pub(super) daemon: Option<Daemon>,
    pub(super) second: Option<Daemon>,
    /// What the operator was told that is in force.
    pub(super) mode: Mode,
    pub(super) drained: Vec<PoolName>,
}

impl<'a> Story<'a> {
    fn new(seed: u64, plant: Option<Plant>, dir: &'a Path, journal: &Journal) -> Self {
        let mut dice = Dice::new(seed);
        let mut state = State::new(dice.roll(), draw::config(&mut dice), clock::clock(), journal.clone());
        state.weather = Weather::drawn(&mut dice);
        state.plant = plant;
        state.admitted = draw::REPOS.iter().take(2).map(|repo| repo.parse().expect("a repository")).collect();
        for image in draw::IMAGES {
            state.registry.insert(image.to_owned(), ImageId::new("sha256:1"));
        }
        let weather = state.weather;
        state.note(|| format!("{weather:?}"));
        state.note_config();
        Self {
            world: World::new(state),
            dice,
            dir,
            daemon: None,
            second: None,
            mode: Mode::Organization,
            drained: Vec::new(),
        }
    }

    async fn tell(&mut self, kind: Kind) -> Result<(), String> {
        match kind {
            Kind::Everything => self.everything().await?,
            Kind::Storm => self.storm().await?,
            Kind::FullDisk => self.full_disk().await?,
            Kind::Demand => self.demand().await?,
        }
        self.mend().await;
        let mut within = REST_WITHIN;
        if kind == Kind::Demand {
            self.undeceive();
            within += self.served_within();
        }
        self.come_to_rest(within).await?;
        if kind == Kind::Demand {
            // What was told and not acknowledged is told again to the next daemon, which may believe it for a while.
            self.restart().await;
            return self.leave().await;
        }
        self.stay_at_rest().await
    }

    async fn everything(&mut self) -> Result<(), String> {
        self.daemon = Some(Daemon::start(&self.world, Some(self.dir)));
        for _ in 0..self.dice.within(3, 16) {
            self.event().await;
            let pause = draw::pause(&mut self.dice);
            self.live(pause).await?;
        }
        Ok(())
    }

    /// Has the journal read what people and files are told.
    fn read_aloud(&self, journal: &Journal) {
        if let Some(daemon) = &self.daemon {
            journal.line(&format!("in the end: {:#?}", daemon.facade.snapshot()));
        }
        for entry in std::fs::read_dir(self.dir).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            journal.line(&format!("{}: {text}", entry.file_name().display()));
        }
    }

    /// Lets time pass; the promise that was broken meanwhile, if one was.
    pub(super) async fn live(&mut self, span: Duration) -> Result<(), String> {
        self.world.live(span).await;
        if let Some(broken) = self.world.with(|state| state.broken.clone()) {
            return Err(broken);
        }
        for daemon in self.daemon.iter_mut().chain(&mut self.second) {
            if let Some(why) = daemon.died().await {
                return Err(why);
            }
        }
        Ok(())
    }

    /// All faults end, the second daemon goes, and the file is good.
    ///
    /// Mostly somebody edits every pool, too, as one who has mended it does: that ends waits for pools that failed. The
    /// hour that they may take otherwise is long, and adds little to be seen.
    async fn mend(&mut self) {
        let edited = self.dice.permille(900);
        if let Some(second) = self.second.take() {
            second.crash().await;
        }
        self.world.with(|state| {
            state.note(|| "faults end".to_owned());
            state.weather = Weather::default();
            state.mended = true;
            state.disk_full = None;
            state.save_file(false);
            state.engine_back = None;
            if edited {
                let mut config = state.config.clone();
                for pool in config.pools.values_mut() {
                    pool.idle_timeout += Duration::from_secs(1);
                }
                state.set_config(config);
            }
            state.tell_connected();
        });
        if let Some(daemon) = &self.daemon {
            daemon.file_saved();
        }
    }

    pub(super) async fn come_to_rest(&mut self, within: Duration) -> Result<(), String> {
        let begun = Instant::now();
        let (mut changes, mut since) = (0, begun);
        loop {
            self.live(Duration::from_secs(7)).await?;
            self.world.with(|state| {
                if begun.elapsed() > Duration::from_secs(180) {
                    state.daemons = 0;
                }
            });
            let made = self.world.with(|state| state.changes);
            if made != changes {
                (changes, since) = (made, Instant::now());
            }
            let unrest = match self.unrest() {
                None if since.elapsed() >= LONGEST_CALL => return Ok(()),
                None => "7: calls change a world that is as it should be".to_owned(),
                Some(unrest) => unrest,
            };
            if begun.elapsed() > within + LONGEST_CALL {
                return Err(unrest);
            }
        }
    }

    fn unrest(&self) -> Option<String> {
        // Where nobody tells of jobs there is nothing to believe.
        let told = self.world.with(|state| state.services.told);
        self.disorder().or_else(|| told.then(|| self.believed()).flatten())
    }

    /// What is not as it should be at engine and GitHub, whatever the daemon believes.
    fn disorder(&self) -> Option<String> {
        self.world.with(|state| rules::unrest(state, self.mode, &self.drained))
    }

    /// A further pass plans nothing, time goes on and changes nothing, and neither does another daemon.
    async fn stay_at_rest(&mut self) -> Result<(), String> {
        let before = self.world.with(|state| state.changes);
        for round in 0..2 {
            self.live(REST_LASTS).await?;
            let Some(daemon) = &self.daemon else { return Ok(()) };
            let plan = daemon.facade.plan().await.map_err(|error| error.to_string())?;
            if !plan.actions.is_empty() {
                return Err(format!("6: a further pass plans {:?}", plan.actions));
            }
            let after = self.world.with(|state| state.changes);
            if after != before {
                return Err(format!("7: {} calls changed a world at rest (round {round})", after - before));
            }
            if let Some(disorder) = self.disorder() {
                return Err(disorder);
            }
            self.restart().await;
        }
        Ok(())
    }
}
