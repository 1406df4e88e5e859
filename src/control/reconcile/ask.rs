//! What people ask of the loop.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::oneshot;

use super::super::Command;
use super::super::FacadeError;
use super::super::LogStream;
use super::Apply;
use super::Control;
use super::Loaded;
use super::Loader;
use super::ModeChange;
use crate::config::Config;
use crate::decide;
use crate::decide::Policy;
use crate::engine::Engine;
use crate::github::GitHub;
use crate::model::Plan;
use crate::model::PoolName;
use crate::model::Runner;
use crate::model::RunnerName;
use crate::model::Time;

impl<E: Engine, G: GitHub> Control<E, G> {
    /// Does what was asked, or begins it. Who asked may have gone: an answer that nobody takes is no error.
    pub(super) async fn answer(&mut self, command: Command, apply: &mut Apply, load: &Loader) {
        match command {
            Command::Plan(answer) => {
                let (_, plan) = self.look().await;
                let _ = answer.send(plan);
            }
            Command::Reload(answer) => {
                let answered = self.reload(load, apply);
                if answered.is_ok() {
                    self.forgive_secrets();
                }
                let _ = answer.send(answered);
            }
            Command::DrainPool { pool, drain, answer } => {
                let _ = answer.send(self.drain_pool(pool, drain));
            }
            Command::DrainAll { drain, answer } => {
                let _ = answer.send(self.drain_all(drain));
            }
            Command::BoostPool { pool, count, time, answer } => {
                let _ = answer.send(self.boost_pool(pool, count, time));
            }
            Command::LowerBoost { pool, count, answer } => {
                let _ = answer.send(self.lower_boost(pool, count));
            }
            Command::Explain { question, answer } => {
                let (world, plan) = self.look().await;
                let now = self.clock.now();
                let _ = answer.send(decide::explain(&self.policy, &world, &plan, &question, now));
            }
            Command::StopRunner { runner, force, answer } => {
                let _ = answer.send(self.stop_runner(&runner, force));
            }
            Command::StopAll { force, answer } => {
                let _ = answer.send(self.stop_all(force));
            }
            Command::Obstacles { mode, answer } => self.look_for_obstacles(mode, answer),
            Command::SetMode { mode, dry_run, answer } => {
                self.ask_access(mode, Some(ModeChange { mode, dry_run, answer }));
            }
            Command::Logs { runner, tail, follow, answer } => self.logs(&runner, tail, follow, answer),
        }
    }

    /// Reads the file again. A bad one leaves the last good configuration in force.
    pub(super) fn reload(&mut self, load: &Loader, apply: &mut Apply) -> Result<(), FacadeError> {
        let now = self.clock.now();
        let loaded = match load().and_then(|loaded| self.not_emptied(loaded)) {
            Ok(loaded) => loaded,
            Err(report) => {
                if self.config.error.as_ref() != Some(&report) {
                    tracing::error!(
                        "{} is refused, the last good configuration stays in force:\n{report}",
                        self.config.path
                    );
                    self.config.error_since.get_or_insert(now);
                    self.config.error = Some(report.clone());
                    self.wake_now();
                }
                return Err(FacadeError::BadConfig { report });
            }
        };
        let mended = self.config.error.take().is_some();
        self.config.error_since = None;
        self.config.warnings = loaded.warnings;
        if loaded.config == *self.policy.config {
            if mended {
                tracing::info!("{} is good again, and says what is in force already", self.config.path);
                self.wake_now();
            }
            return Ok(());
        }
        self.config.needs_restart = apply(&self.policy.config, &loaded.config);
        self.config.loaded = now;
        self.forgive_changed(&loaded.config);
        self.policy = Policy::new(Arc::new(loaded.config));
        self.access_asked = None;
        (self.makers, self.removers) = super::permits(&self.policy.config);
        self.memory.survey.forgive();
        tracing::info!(pools = self.policy.config.pools.len(), "{} is in force", self.config.path);
        self.wake_now();
        Ok(())
    }

    /// A file with nothing in it is what a full disk or a failed copy leaves: good enough to start with, but not to send a
    /// fleet home for.
    fn not_emptied(&self, loaded: Loaded) -> Result<Loaded, String> {
        let says_nothing = loaded.config.pools.is_empty() && loaded.config.credentials.is_empty();
        if says_nothing && !self.policy.config.pools.is_empty() {
            return Err(format!(
                "{}: the file is empty, and pools are in force (write it again; to have no pools, keep [github] and remove \
                 only them)",
                self.config.path
            ));
        }
        Ok(loaded)
    }

    /// Pools that were changed are tried at once: whoever edits a pool that fails has mended it, or so they hope.
    fn forgive_changed(&mut self, config: &Config) {
        let before = &self.policy.config;
        let credentials_changed = before.credentials != config.credentials;
        for (name, pool) in &config.pools {
            if before.pools.get(name) != Some(pool) {
                self.memory.book.backoff.remove(name);
                self.memory.book.barren.remove(name);
            }
        }
        if credentials_changed {
            self.memory.book.github_until.clear();
        }
    }

    /// Whoever asks for a reload may have mended what the file only points to: a token, a registry's login.
    fn forgive_secrets(&mut self) {
        self.memory.survey.forgive();
        self.memory.book.github_until.clear();
        self.wake_now();
    }

    fn drain_pool(&mut self, pool: PoolName, drain: bool) -> Result<(), FacadeError> {
        self.must_know(&pool)?;
        tracing::info!(pool = %pool, "{}", if drain { "Draining the pool" } else { "The pool serves again" });
        if drain {
            self.memory.book.drained_pools.insert(pool);
        } else {
            self.memory.book.drained_pools.remove(&pool);
        }
        let kept = self.state.set_marks(&self.memory.marks());
        self.wake_now();
        kept
    }

    fn drain_all(&mut self, drain: bool) -> Result<usize, FacadeError> {
        let pools = self.policy.config.pools.keys();
        tracing::info!("{}", if drain { "Draining all pools" } else { "All pools serve again" });
        if drain {
            self.memory.book.drained_pools.extend(pools.cloned());
        } else {
            self.memory.book.drained_pools.clear();
        }
        let kept = self.state.set_marks(&self.memory.marks());
        self.wake_now();
        kept.map(|()| self.policy.config.pools.len())
    }

    fn boost_pool(&mut self, pool: PoolName, count: u32, time: Duration) -> Result<Time, FacadeError> {
        self.must_know(&pool)?;
        let until = self.clock.now() + time;
        tracing::info!(pool = %pool, count, "The pool has {count} more than the file says, until {until}");
        match count {
            0 => drop(self.memory.book.boosts.remove(&pool)),
            _ => drop(self.memory.book.boosts.insert(pool, (count, until))),
        }
        let kept = self.state.set_marks(&self.memory.marks());
        self.wake_now();
        kept.map(|()| until)
    }

    fn lower_boost(
        &mut self,
        pool: PoolName,
        count: Option<u32>,
    ) -> Result<Option<(u32, Time)>, FacadeError> {
        self.must_know(&pool)?;
        let before = self.memory.book.boosts.remove(&pool);
        let left = before.map(|(had, until)| (had.saturating_sub(count.unwrap_or(had)), until));
        let left = left.filter(|(had, _)| *had > 0);
        tracing::info!(pool = %pool, "The pool's boost is {}", left.map_or(0, |(had, _)| had));
        if let Some(left) = left {
            self.memory.book.boosts.insert(pool, left);
        }
        let kept = self.state.set_marks(&self.memory.marks());
        self.wake_now();
        kept.map(|()| left)
    }

    /// That the file has the pool, or which one may be meant.
    fn must_know(&self, pool: &PoolName) -> Result<(), FacadeError> {
        let pools = &self.policy.config.pools;
        if pools.contains_key(pool) {
            return Ok(());
        }
        let near = |known: &PoolName| (strsim::jaro_winkler(known.as_str(), pool.as_str()) * 1000.0) as u32;
        let nearest = pools.keys().max_by_key(|known| near(known)).filter(|known| near(known) > 800);
        Err(FacadeError::NoSuchPool { name: pool.to_string(), nearest: nearest.map(ToString::to_string) })
    }

    fn stop_runner(&mut self, name: &str, force: bool) -> Result<RunnerName, FacadeError> {
        let runner = self.runner(name).ok_or_else(|| FacadeError::NoSuchRunner { name: name.to_owned() })?;
        let name = runner.name.clone();
        tracing::info!(pool = %runner.pool, runner = %name, force, "The operator wants the runner gone");
        if force {
            self.memory.book.condemned.insert(name.clone());
        } else {
            self.memory.book.drained_runners.insert(name.clone());
        }
        self.memory.book.leave_until.remove(name.as_str());
        self.wake_now();
        Ok(name)
    }

    fn stop_all(&mut self, force: bool) -> Vec<RunnerName> {
        let names: Vec<RunnerName> =
            self.last.runners.iter().map(|state| state.runner.name.clone()).collect();
        tracing::info!(force, "The operator wants all {} runners gone", names.len());
        for name in &names {
            self.memory.book.leave_until.remove(name.as_str());
        }
        match force {
            true => self.memory.book.condemned.extend(names.iter().cloned()),
            false => self.memory.book.drained_runners.extend(names.iter().cloned()),
        }
        self.wake_now();
        names
    }

    /// A runner by its name at GitHub or its container's.
    fn runner(&self, name: &str) -> Option<Runner> {
        let fits =
            |r: &&Runner| r.name.as_str() == name || r.container.as_ref().is_some_and(|c| c.name == name);
        self.last.runners.iter().map(|state| &state.runner).find(fits).cloned()
    }

    pub(super) async fn change_mode(&mut self, change: ModeChange) {
        let before = std::mem::replace(&mut self.memory.mode, change.mode);
        let (_, plan) = self.look().await;
        if change.dry_run {
            self.memory.mode = before;
        }
        let kept = if change.dry_run { Ok(()) } else { self.state.set_mode(change.mode) };
        let result: Result<Plan, FacadeError> = kept.map(|()| plan);
        if result.is_err() {
            self.memory.mode = before;
        } else if !change.dry_run {
            tracing::info!(mode = ?change.mode, "The mode is changed");
        }
        self.wake_now();
        let _ = change.answer.send(result);
    }

    /// Output of a runner that lives comes from the engine, of one that is gone from where it was kept.
    fn logs(
        &mut self,
        name: &str,
        tail: usize,
        follow: bool,
        answer: oneshot::Sender<Result<LogStream, FacadeError>>,
    ) {
        if let Some(container) = self.runner(name).and_then(|r| r.container) {
            let stream = self.ports.engine.follow(&container.id, tail, follow).boxed();
            let _ = answer.send(Ok(LogStream(stream)));
            return;
        }
        let gone = self.memory.ended.iter().find(|gone| gone.runner.as_str() == name);
        let path = gone.and_then(|gone| self.ports.logs.path(gone.pool.as_str(), gone.runner.as_str()));
        let name = name.to_owned();
        self.tasks.spawn(async move {
            let text = match path {
                Some(path) => tokio::fs::read_to_string(path).await.ok(),
                None => None,
            };
            let result = text.ok_or(FacadeError::NoSuchRunner { name }).map(|text| {
                let from = text.lines().count().saturating_sub(tail);
                let last: String = text.lines().skip(from).flat_map(|line| [line, "\n"]).collect();
                LogStream(futures_util::stream::iter([Ok(bytes::Bytes::from(last))]).boxed())
            });
            let _ = answer.send(result);
        });
    }
}
