//! A plan without a loop: what the first pass of a daemon would do, and nothing done.

use std::time::Duration;

use tokio::time::Instant;

use super::Control;
use super::Event;
use crate::engine::Engine;
use crate::github::GitHub;
use crate::model::Plan;

impl<E: Engine, G: GitHub> Control<E, G> {
    /// Looks until every listing (and, in repository mode, every access list) is there or refused, or `patience` is
    /// over; then says what a daemon that starts now would do. Nothing is begun, nothing is kept.
    pub async fn preview(mut self, patience: Duration) -> Plan {
        let deadline = Instant::now() + patience;
        let mode = self.memory.mode;
        let mut lists_missing = self.needs_access(mode);
        if lists_missing {
            self.ask_access(mode, None);
        }
        let inbox = self.inbox.take();
        let Some(mut inbox) = inbox else { return Plan::default() };
        loop {
            let (world, plan) = self.look().await;
            self.read_listings(&world, self.clock.now());
            let all_seen = self.memory.listings.complete() && !lists_missing;
            if all_seen || world.engine.error.is_some() {
                return plan;
            }
            let Ok(Some(event)) = tokio::time::timeout_at(deadline, inbox.recv()).await else { return plan };
            lists_missing &= !matches!(event, Event::Admitted { .. });
            self.hear(event).await;
        }
    }
}
