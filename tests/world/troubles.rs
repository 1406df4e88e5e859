//! Stories with one kind of trouble each: their bounds are too tight for a world in which everything goes wrong at once.

use std::time::Duration;

use tokio::time::Instant;

use super::daemon::Daemon;
use super::rules;
use super::schedule::Story;
use super::weather::Weather;

const MINUTE: Duration = Duration::from_secs(60);

impl Story<'_> {
    /// No runner ever comes online, for hours: neither GitHub nor the host may suffer for it.
    pub(super) async fn storm(&mut self) -> Result<(), String> {
        let at_once = self.dice.coin();
        self.world.with(|state| {
            state.weather = match at_once {
                true => Weather { exits_at_once: 1000, ..Weather::default() },
                false => Weather { never_online: 1000, ..Weather::default() },
            };
        });
        self.daemon = Some(Daemon::start(&self.world, Some(self.dir)));
        for _ in 0..15 {
            self.live(10 * MINUTE).await?;
            if let Some(storm) = self.world.with(|state| rules::storm(state)) {
                return Err(storm);
            }
        }
        Ok(())
    }

    /// The disk fills again and again while jobs come.
    pub(super) async fn full_disk(&mut self) -> Result<(), String> {
        self.world.with(|state| state.weather = Weather::default());
        self.daemon = Some(Daemon::start(&self.world, Some(self.dir)));
        for _ in 0..self.dice.within(1, 3) {
            let before = self.dice.secs(0, 60);
            self.live(before).await?;
            self.world.with(|state| state.disk_full = Some(Instant::now()));
            for _ in 0..self.dice.within(2, 6) {
                self.jobs();
                let pause = self.dice.secs(5, 40);
                self.live(pause).await?;
            }
            self.world.with(|state| state.disk_full = None);
        }
        Ok(())
    }
}
