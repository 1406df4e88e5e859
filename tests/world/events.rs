//! What happens in a schedule: jobs, edits, restarts, the operator, strangers, the engine's own troubles.

use std::time::Duration;

use ghrunner::model::ContainerState;
use ghrunner::model::ImageId;
use ghrunner::model::Mode;
use ghrunner::model::Pool;
use ghrunner::model::PoolName;
use tokio::time::Instant;

use super::daemon::Daemon;
use super::draw;
use super::jobs::Job;
use super::rules;
use super::schedule::Story;
use super::state::State;
use super::weather::Weather;

impl Story<'_> {
    /// Something happens, whatever it is.
    pub(super) async fn event(&mut self) {
        match self.dice.below(21) {
            0..=6 => self.jobs(),
            7 | 8 => self.edit(),
            9 | 10 => self.restart().await,
            11 => self.second_daemon().await,
            12 => self.drain().await,
            13 => self.stop_runner().await,
            14 => self.change_mode().await,
            15 => self.meddle(),
            16 => self.engine_restarts(),
            17 => self.image_changes(),
            18 => self.world.with(|state| {
                let mut dice = state.dice.clone();
                let weather = Weather::drawn(&mut dice);
                (state.weather, state.dice) = (weather, dice);
                state.note(|| format!("{weather:?}"));
            }),
            19 => self.disk_fills(),
            _ => self.name_conflict(),
        }
    }

    pub(super) fn jobs(&mut self) {
        for _ in 0..self.dice.within(1, 4) {
            let pools: Vec<_> = self.world.with(|state| state.config.pools.values().cloned().collect());
            let Some(pool) = self.dice.pick(&pools) else { return };
            let (repo, label) = (draw::repo_for(&mut self.dice, &pool), pool.name.to_string());
            self.world.with(|state| state.arrive(Job::of(repo, label)));
        }
    }

    fn edit(&mut self) {
        let dice = &mut self.dice;
        self.world.with(|state| {
            let mut next = draw::edited(dice, &state.config);
            if state.services.told {
                let changed = |pool: &&mut Pool| {
                    state.config.pools.get(&pool.name).is_none_or(|before| before.spec != pool.spec)
                };
                next.pools.values_mut().filter(changed).for_each(|pool| draw::demand(dice, pool));
            }
            state.set_config(next);
            let bad = dice.permille(100);
            state.save_file(bad);
            state.note(|| format!("the file is edited, and is bad: {bad}"));
            state.note_config();
        });
        for daemon in self.daemon.iter().chain(&self.second) {
            daemon.file_saved();
        }
    }

    /// The daemon ends and begins anew.
    pub(super) async fn restart(&mut self) {
        let Some(daemon) = self.daemon.take() else { return };
        if self.dice.permille(700) {
            self.world.with(|state| {
                state.killed = Some(Instant::now());
                state.note(|| "the daemon is killed".to_owned());
            });
            daemon.crash().await;
        } else {
            self.world.with(|state| state.note(|| "the daemon is stopped".to_owned()));
            daemon.stop().await;
            self.world.with(rules::after_stop);
        }
        let pause = draw::pause(&mut self.dice);
        self.world.live(pause).await;
        self.mend_file();
        self.world.with(|state| state.note(|| "the daemon begins".to_owned()));
        self.daemon = Some(Daemon::start(&self.world, Some(self.dir)));
    }

    /// No daemon begins with a file that is bad; those that run hear of its being mended.
    fn mend_file(&mut self) {
        let was_bad = self.world.with(|state| {
            let was_bad = state.bad_since.is_some();
            state.save_file(false);
            was_bad
        });
        if was_bad {
            self.daemon.iter().chain(&self.second).for_each(Daemon::file_saved);
        }
    }

    async fn second_daemon(&mut self) {
        if let Some(second) = self.second.take() {
            self.world.with(|state| state.note(|| "the second daemon is killed".to_owned()));
            second.crash().await;
            return;
        }
        // It would begin in organization mode, and nobody lets two daemons disagree about that.
        if self.mode == Mode::Repository {
            return;
        }
        self.mend_file();
        self.world.with(|state| {
            state.daemons = 2;
            state.note(|| "a second daemon begins".to_owned());
        });
        // With a state directory of its own: who shares one loses what the other was told.
        self.second = Some(Daemon::start(&self.world, None));
    }

    async fn drain(&mut self) {
        let pools: Vec<PoolName> = self.world.with(|state| state.config.pools.keys().cloned().collect());
        let Some((pool, daemon)) = self.dice.pick(&pools).zip(self.daemon.as_ref()) else { return };
        let drain = self.dice.permille(600);
        self.world.with(|state| state.note(|| format!("the operator drains {pool}: {drain}")));
        let asked = daemon.facade.drain_pool(pool.clone(), drain);
        if let Ok(Ok(())) = tokio::time::timeout(Duration::from_secs(300), asked).await {
            self.drained.retain(|other| *other != pool);
            self.drained.extend(drain.then_some(pool));
        }
    }

    async fn stop_runner(&mut self) {
        let force = self.dice.coin();
        let runners: Vec<_> =
            self.world.with(|state| state.runners().map(|held| held.container.runner_name.clone()).collect());
        let Some((runner, daemon)) = self.dice.pick(&runners).zip(self.daemon.as_ref()) else { return };
        self.world.with(|state| {
            state.note(|| format!("the operator stops {runner}, with force: {force}"));
            if force {
                state.condemned.insert(runner.clone());
            }
        });
        let asked = daemon.facade.stop_runner(runner.to_string(), force);
        // It may have gone by now.
        let _ = tokio::time::timeout(Duration::from_secs(300), asked).await;
    }

    async fn change_mode(&mut self) {
        let other = if self.mode == Mode::Organization { Mode::Repository } else { Mode::Organization };
        let dry_run = self.dice.permille(300);
        if !dry_run && let Some(second) = self.second.take() {
            second.crash().await;
        }
        let Some(daemon) = &self.daemon else { return };
        self.world
            .with(|state| state.note(|| format!("the operator asks for {other:?}, dry run: {dry_run}")));
        let asked = daemon.facade.set_mode(other, dry_run);
        let answer = tokio::time::timeout(Duration::from_secs(300), asked).await;
        if matches!(answer, Ok(Ok(_))) && !dry_run {
            self.mode = other;
        }
    }

    /// Somebody removes a container by hand.
    fn meddle(&mut self) {
        let all: Vec<_> = self.world.with(|state| state.containers.keys().cloned().collect());
        if let Some(id) = self.dice.pick(&all) {
            self.world.with(|state| {
                state.note(|| format!("somebody removes {id}"));
                state.vanish(&id);
            });
        }
    }

    fn engine_restarts(&mut self) {
        let (away, kills) = (self.dice.secs(1, 30), self.dice.coin());
        self.world.with(|state| {
            state.note(|| format!("the engine restarts, and takes containers with it: {kills}"));
            state.engine_back = Some(Instant::now() + away);
            let all: Vec<_> = state.containers.keys().cloned().collect();
            for id in all.into_iter().filter(|_| kills) {
                state.exit(&id, 137, false);
            }
            state.after(away, State::tell_connected);
        });
    }

    /// There is no space left for a while.
    fn disk_fills(&mut self) {
        let span = self.dice.secs(5, 120);
        self.world.with(|state| {
            state.note(|| "the disk is full".to_owned());
            state.disk_full = Some(Instant::now());
            state.after(span, |state| state.disk_full = None);
        });
    }

    /// The registry has a newer image under a name.
    fn image_changes(&mut self) {
        let image = self.dice.pick(&draw::IMAGES).unwrap_or(draw::IMAGES[0]);
        self.world.with(|state| {
            let id = ImageId::new(format!("sha256:{}", state.fresh()));
            state.registry.insert(image.to_owned(), id);
        });
    }

    /// Somebody else's container has a name of ours for a while.
    fn name_conflict(&mut self) {
        let pools: Vec<_> = self.world.with(|state| state.config.pools.keys().cloned().collect());
        let Some(pool) = self.dice.pick(&pools) else { return };
        let name = pool.container_name(ghrunner::model::Slot(self.dice.within(0, 2)));
        let span = self.dice.secs(1, 60);
        self.world.with(|state| {
            let sample = state.runners().next().map(|held| held.container.clone());
            let Some(mut container) = sample.filter(|_| state.named(&name).is_none()) else { return };
            (container.name, container.state) = (name, ContainerState::Running);
            let id = state.place(container);
            if let Some(held) = state.containers.get_mut(&id) {
                held.foreign = true;
            }
            state.after(span, move |state| state.vanish(&id));
        });
    }
}
