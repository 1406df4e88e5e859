//! GitHub's behaviour as plain state: no network, no clock of its own, no logging.
//!
//! Every method that depends on time takes a [`Moment`]. Handlers lock the one [`World`], call
//! one method and unlock it.
//!
//! The Actions service's side, `scaleset`, shares the runners and the queue with the REST API's;
//! what happens is noted for `webhook`.

mod access;
mod app;
mod groups;
mod jit;
mod model;
mod queue;
mod refusal;
mod registry;
mod repositories;
mod scaleset;
mod seed;
mod session;
mod view;
mod webhook;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::HashMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

pub(crate) use access::Credential;
pub(crate) use access::Level;
pub(crate) use app::App;
pub(crate) use jit::Addresses;
pub(crate) use model::Account;
pub(crate) use model::AccountKind;
pub(crate) use model::Group;
pub(crate) use model::Job;
pub(crate) use model::Repository;
pub(crate) use model::Run;
pub(crate) use model::Runner;
pub(crate) use model::Session;
pub(crate) use scaleset::Message;
pub(crate) use scaleset::ScaleSet;
pub(crate) use scaleset::SetLabel;
pub(crate) use scaleset::SetRequest;
pub(crate) use scaleset::Trouble;
pub(crate) use webhook::Change;
pub(crate) use webhook::Delivery;
pub(crate) use webhook::Hook;
pub(crate) use webhook::HookOwner;
pub(crate) use webhook::HookRequest;
pub(crate) use webhook::News;
pub(crate) use webhook::Parcel;

pub use model::Holder;
pub use model::JobSpec;
pub use model::JobStatus;
pub use model::Outcome;
pub use model::Scope;
pub use refusal::Refusal;
pub use registry::Registration;
pub use registry::RunnerRequest;
pub use session::Assignment;
pub use view::DeliveryView;
pub use view::HookView;
pub use view::JobView;
pub use view::RunnerView;
pub use view::ScaleSetView;
pub use view::Snapshot;

use crate::clock::Moment;
use crate::settings::Settings;

/// The id of the group of GitHub-hosted runners, which nobody administers.
pub(crate) const HOSTED_GROUP: u64 = 2;
/// The id of the `Default` group, everywhere.
pub(crate) const DEFAULT_GROUP: u64 = 1;

/// What has happened so far, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Jobs queued.
    pub jobs_queued: u64,
    /// Jobs given to a runner (again, if they came back).
    pub jobs_assigned: u64,
    /// Jobs that a runner said it had started.
    pub jobs_started: u64,
    /// Jobs that ended, one way or the other.
    pub jobs_completed: u64,
    /// Of those, the ones that ended in success.
    pub jobs_succeeded: u64,
    /// Of those, the ones that ended in failure, lost ones included.
    pub jobs_failed: u64,
    /// Jobs whose runner died in them.
    pub jobs_lost: u64,
    /// Jobs given to a runner that never started them, and queued again.
    pub jobs_requeued: u64,
    /// Jobs cancelled, by request or by their runner's shutdown.
    pub jobs_cancelled: u64,
    /// Runners ever registered.
    pub registrations: u64,
    /// Runners registered now.
    pub registrations_left: u64,
    /// Runners that were deleted by request.
    pub runners_deleted: u64,
    /// Runners that were deleted while they ran a job (only an injected fault allows it).
    pub busy_deleted: u64,
    /// Deletions refused since the runner was busy.
    pub busy_delete_refused: u64,
    /// Single-use registrations that were used again.
    pub jit_reuse: u64,
    /// Sessions opened by runners.
    pub sessions: u64,
    /// Sessions opened for scale sets.
    pub queue_sessions: u64,
    /// Messages that scale sets got.
    pub messages_sent: u64,
    /// Of those, the ones they had got before.
    pub messages_redelivered: u64,
    /// Messages that scale sets deleted.
    pub messages_deleted: u64,
    /// Jobs taken back from scale sets whose runners did not come for them.
    pub jobs_withdrawn: u64,
    /// Webhook deliveries that were tried.
    pub deliveries: u64,
    /// Of those, the ones that failed.
    pub deliveries_failed: u64,
    /// Requests of the REST API that were carried out.
    pub requests: u64,
    /// Of those, the ones answered by 304, which are free.
    pub requests_not_modified: u64,
    /// Of those, the ones refused (4xx).
    pub requests_refused: u64,
    /// Requests of the REST API and of the Actions service by the credential that paid for them, named as its rate limit
    /// is (`user admin`, `installation ID 70`). The tokens of the Actions service belong to whoever asked for the
    /// registration token that opened it. Runners' own requests are in none.
    pub requests_of: BTreeMap<String, u64>,
}

/// Something that happened to a runner.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// When, as GitHub writes it.
    pub at: String,
    /// Milliseconds since the simulator's start.
    pub up_ms: u64,
    /// Runner id.
    pub runner_id: u64,
    /// Runner name.
    pub runner: String,
    /// What: `registered`, `connected`, `assigned`, `started`, `finished`, `lost`, `deleted`, …
    pub what: &'static str,
    /// The job concerned.
    pub job: Option<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct TimedToken {
    pub(crate) scope: Scope,
    pub(crate) expires: Moment,
    pub(crate) removes: bool,
    /// Who asked for it.
    pub(crate) maker: String,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    pub(crate) used: u64,
    pub(crate) reset: u64,
}

/// Everything the simulated GitHub knows.
#[derive(Debug)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) accounts: Vec<Account>,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) groups: Vec<Group>,
    pub(crate) apps: Vec<App>,
    pub(crate) tokens: HashMap<String, access::Grant>,
    registration_tokens: HashMap<String, TimedToken>,
    pub(crate) buckets: HashMap<String, Bucket>,
    runners: BTreeMap<u64, Runner>,
    pub(crate) scale_sets: BTreeMap<u64, ScaleSet>,
    service_tokens: HashMap<String, scaleset::ServiceToken>,
    next_message_id: u64,
    hooks: Vec<Hook>,
    news: Vec<webhook::Noted>,
    redeliveries: Vec<(u64, Parcel)>,
    sessions: HashMap<String, Session>,
    pub(crate) jobs: BTreeMap<u64, Job>,
    /// Jobs that wait for a runner, oldest first.
    queue: Vec<u64>,
    pub(crate) runs: BTreeMap<u64, Run>,
    label_ids: BTreeMap<String, u64>,
    /// Secrets of registrations that are gone, with the runner's id.
    spent: HashMap<String, u64>,
    counters: Counters,
    history: Vec<Event>,
    next_id: u64,
    rng: StdRng,
}

impl World {
    fn empty(settings: Settings) -> Self {
        let rng = StdRng::seed_from_u64(settings.seed);
        Self {
            settings,
            accounts: Vec::new(),
            repositories: Vec::new(),
            groups: Vec::new(),
            apps: Vec::new(),
            tokens: HashMap::new(),
            registration_tokens: HashMap::new(),
            buckets: HashMap::new(),
            runners: BTreeMap::new(),
            scale_sets: BTreeMap::new(),
            service_tokens: HashMap::new(),
            next_message_id: 100_000_001,
            hooks: Vec::new(),
            news: Vec::new(),
            redeliveries: Vec::new(),
            sessions: HashMap::new(),
            jobs: BTreeMap::new(),
            queue: Vec::new(),
            runs: BTreeMap::new(),
            label_ids: BTreeMap::new(),
            spent: HashMap::new(),
            counters: Counters::default(),
            history: Vec::new(),
            next_id: 100,
            rng,
        }
    }

    pub(crate) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A random text of `length` characters that fits into a token or an address.
    pub(crate) fn random_text(&mut self, length: usize) -> String {
        use rand::RngExt;
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).map(|_| char::from(ALPHABET[self.rng.random_range(0..ALPHABET.len())])).collect()
    }

    /// A random UUID in form.
    pub(crate) fn random_uuid(&mut self) -> String {
        let text = self.random_text(32);
        jit::uuid(&text)
    }

    pub(crate) fn random_bytes(&mut self, length: usize) -> Vec<u8> {
        use rand::RngExt;
        (0..length).map(|_| self.rng.random()).collect()
    }

    fn note(&mut self, now: Moment, runner_id: u64, what: &'static str, job: Option<u64>) {
        let runner = self.runners.get(&runner_id).map_or_else(String::new, |r| r.name.clone());
        self.history.push(Event {
            at: crate::clock::rfc3339(now.wall),
            up_ms: u64::try_from(now.up.as_millis()).unwrap_or(u64::MAX),
            runner_id,
            runner,
            what,
            job,
        });
    }

    /// What has happened so far, in numbers.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { registrations_left: self.runners.len() as u64, ..self.counters.clone() }
    }

    /// Counts a request of whoever is behind it.
    pub(crate) fn count_request(&mut self, of: Option<String>) {
        if let Some(of) = of {
            *self.counters.requests_of.entry(of).or_default() += 1;
        }
    }

    /// Counts an answer of the REST API.
    pub(crate) fn count_answer(&mut self, status: u16) {
        self.counters.requests += 1;
        self.counters.requests_not_modified += u64::from(status == 304);
        self.counters.requests_refused += u64::from((400..500).contains(&status));
    }

    /// What happened to runners, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Event] {
        &self.history
    }

    /// The settings, to change them while running.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    pub(crate) fn account(&self, login: &str, kind: AccountKind) -> Result<&Account, Refusal> {
        self.accounts
            .iter()
            .find(|a| a.kind == kind && a.login.eq_ignore_ascii_case(login))
            .ok_or(Refusal::NotFound)
    }

    pub(crate) fn account_by_id(&self, id: u64) -> Option<&Account> {
        self.accounts.iter().find(|a| a.id == id)
    }

    /// What the passing of time changes: silent runners, lost jobs, stale registrations.
    /// True if anything changed.
    pub fn tick(&mut self, now: Moment) -> bool {
        let requeued = self.requeue_unstarted(now);
        let lost = self.conclude_lost(now);
        let removed = self.remove_long_offline(now);
        let withdrawn = self.withdraw_unclaimed(now);
        let ended = self.end_silent_queues(now);
        let dormant = self.remove_dormant_sets(now);
        let assigned = self.assign_to_sets(now);
        requeued || lost || removed || withdrawn || ended || dormant || assigned
    }
}
