//! Deliveries of webhooks: made for each thing that a job does, on time or late, once, twice or never.

use std::time::Duration;

use ghrunner::demand::Inlet;
use ghrunner::demand::parse_hook;
use ghrunner::github::Delivery;
use ghrunner::github::GitHubError;
use ghrunner::github::Hooks;
use ghrunner::model::CredentialName;
use ghrunner::model::Demand;
use ghrunner::model::Repo;
use ghrunner::model::Scope;
use ghrunner::model::Time;
use tokio::time::Instant;

use super::World;
use super::rules;
use super::state::State;

/// Where deliveries go, and those that GitHub made.
#[derive(Default)]
pub(super) struct Hook {
    /// The daemon that listens.
    pub(super) inlet: Option<Inlet>,
    made: Vec<Made>,
}

/// One attempt of a delivery.
struct Made {
    id: u64,
    guid: u64,
    repo: Repo,
    body: String,
    at: Time,
    delivered: bool,
}

/// The address of the hook.
pub(super) const URL: &str = "https://hooks.example.org/";

impl Hooks for World {
    async fn deliveries(
        &self,
        _credentials: &CredentialName,
        scope: &Scope,
        _url: &str,
        since: Time,
    ) -> Result<Vec<Delivery>, GitHubError> {
        let scope = scope.clone();
        let fate = self.with(|state| state.service_fate("list deliveries"));
        self.call(fate, move |state| {
            let here = |made: &&Made| made.at >= since && rules::admits(&scope, &made.repo);
            let made = state.services.hook.made.iter().rev().filter(here);
            Ok(made
                .map(|made| Delivery {
                    id: made.id,
                    guid: made.guid.to_string(),
                    hook: 1,
                    event: "workflow_job".to_owned(),
                    at: made.at,
                    delivered: made.delivered,
                })
                .collect())
        })
        .await
    }

    async fn redeliver(
        &self,
        _credentials: &CredentialName,
        _scope: &Scope,
        delivery: &Delivery,
    ) -> Result<(), GitHubError> {
        let id = delivery.id;
        let fate = self.with(|state| state.service_fate("repeat a delivery"));
        self.call(fate, move |state| {
            let found = state.services.hook.made.iter().find(|made| made.id == id);
            if let Some((guid, repo, body)) = found.map(|m| (m.guid, m.repo.clone(), m.body.clone())) {
                // An end that arrives after its beginning once all faults are over is one more fault.
                let span = if state.mended { Duration::ZERO } else { state.dice.secs(0, 5) };
                state.after(span, move |state| state.attempt(guid, repo, body));
            }
            Ok(())
        })
        .await
    }

    async fn hook_networks(
        &self,
        _credentials: &CredentialName,
        _scope: &Scope,
    ) -> Result<Vec<String>, GitHubError> {
        Ok(Vec::new())
    }
}

impl State {
    /// Sends out what became of a job.
    pub(super) fn deliver_news(&mut self, number: u64, action: &'static str) {
        let Some(job) = self.jobs.get(&number) else { return };
        if !self.config.pools.values().any(|pool| pool.demand == Demand::Webhook) {
            return;
        }
        let repo = job.repo.clone();
        let runner = job.runner.as_ref().map(ToString::to_string);
        let body = serde_json::json!({
            "action": action,
            "workflow_job": {
                "id": number, "run_id": number, "run_attempt": 1, "status": action, "name": "test",
                "workflow_name": job.workflow, "head_branch": job.branch, "labels": [job.label],
                "created_at": job.queued.to_string(), "runner_name": runner,
            },
            "repository": { "id": 1, "full_name": repo.to_string() },
        })
        .to_string();
        let guid = self.fresh();
        let span = self.dice.millis(50, 2000);
        let trouble = &self.services.trouble;
        let (late, doubled) = (trouble.hooks_late, trouble.hooks_doubled);
        let span = if self.dice.permille(late) { span + self.dice.secs(1, 60) } else { span };
        if self.dice.permille(doubled) {
            let (again, repo, body) = (span + self.dice.secs(0, 30), repo.clone(), body.clone());
            self.after(again, move |state| state.attempt(guid, repo, body));
        }
        self.after(span, move |state| state.attempt(guid, repo, body));
    }

    /// One attempt to deliver.
    fn attempt(&mut self, guid: u64, repo: Repo, body: String) {
        let (id, at) = (self.fresh(), self.now());
        let dropped = self.services.trouble.hooks_dropped.filter(|(until, _)| *until > Instant::now());
        let delivered = match (dropped, &self.services.hook.inlet) {
            // Somebody in front took it, or nobody did.
            (Some((_, swallowed)), _) => swallowed,
            (None, None) => false,
            (None, Some(inlet)) => {
                let event = parse_hook("workflow_job", body.as_bytes()).expect("as GitHub writes it");
                inlet.offer(event).is_ok()
            }
        };
        self.services.hook.made.push(Made { id, guid, repo, body, at, delivered });
    }
}
