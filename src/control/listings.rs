//! GitHub's listings, scope by scope: when each is read again, and what the last complete one said.
//!
//! A pass never waits for GitHub: listings are read beside it, and it looks at the last complete ones.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::github::GitHubError;
use crate::model::CredentialName;
use crate::model::InstanceId;
use crate::model::Registration;
use crate::model::RegistrationView;
use crate::model::RunnerName;
use crate::model::Scope;
use crate::model::Time;

/// While something changes in a scope. A runner takes about as long to come online.
const LIVELY: Duration = Duration::from_secs(4);
/// While nothing does. Events and exits of containers are seen at once all the same; this finds what only GitHub knows.
///
/// A listing that did not change costs nothing of the hourly budget (304), and a runner that took a job shows here
/// first.
const QUIET: Duration = Duration::from_secs(10);
/// After a failure.
const FAILED: Duration = Duration::from_secs(15);
/// Listings of one credential together, in an hour: a fifth of the smallest budget that GitHub gives.
const PER_HOUR: u32 = 1000;

/// How long a listing may still say nothing of a registration that stands, or call one gone that was only refused: a
/// scope that we leave is listed until those asked for over so long show nothing of ours.
const LINGERS: Duration = Duration::from_secs(60);

/// No listing takes longer than this.
const REMEMBERED: Duration = Duration::from_secs(300);

/// What is known of a scope's registrations.
#[derive(Debug, Default)]
struct Entry {
    credentials: Option<CredentialName>,
    view: RegistrationView,
    /// Runners in the last listing, to guess its pages.
    size: usize,
    asked: Option<Time>,
    under_way: bool,
    /// Since when no listing has shown anything of ours.
    clear_since: Option<Time>,
    /// When something of ours could last have come to be registered here, or stayed so when we thought it gone.
    concerned: Time,
}

impl Entry {
    /// Whether listings say that nothing of ours is left here: for a while, since one alone may have left something out,
    /// and the last of them young enough to know.
    fn is_clear(&self) -> bool {
        let (Some(since), Some(as_of)) = (self.clear_since, self.view.as_of) else { return false };
        as_of > self.concerned + LINGERS && as_of > since + LINGERS
    }

    /// How long this scope's next listing waits.
    fn wait(&self, now: Time, lively: bool, paces: &BTreeMap<CredentialName, Duration>) -> Duration {
        let rest = match (&self.view.error, lively) {
            (Some(_), _) => FAILED,
            (None, true) => LIVELY,
            (None, false) => QUIET,
        };
        let pace = self.credentials.as_ref().and_then(|c| paces.get(c)).copied().unwrap_or_default();
        self.asked.map_or(Duration::ZERO, |asked| rest.max(pace).saturating_sub(now.since(asked)))
    }
}

/// All scopes.
#[derive(Debug, Default)]
pub(super) struct Listings {
    entries: BTreeMap<Scope, Entry>,
    /// Runners that went, and when: a listing that was asked for before does not know of it.
    gone: BTreeMap<RunnerName, Time>,
}

/// What a listing brought.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) scope: Scope,
    /// When it was asked for.
    pub(super) asked: Time,
    pub(super) result: Result<Vec<Registration>, GitHubError>,
}

impl Listings {
    /// Keeps the scopes of `wanted`, and others until a listing shows them clear of ours.
    pub(super) fn want(&mut self, wanted: &BTreeMap<Scope, CredentialName>, now: Time) {
        self.entries.retain(|scope, e| wanted.contains_key(scope) || e.under_way || !e.is_clear());
        for (scope, credentials) in wanted {
            let entry = self.entries.entry(scope.clone()).or_default();
            (entry.credentials, entry.concerned) = (Some(credentials.clone()), now);
        }
    }

    /// Scopes to be listed now, which count as under way from here on. `lively` tells where something changes.
    pub(super) fn due(&mut self, now: Time, lively: impl Fn(&Scope) -> bool) -> Vec<(CredentialName, Scope)> {
        let paces = self.paces();
        let mut due = Vec::new();
        for (scope, entry) in &mut self.entries {
            let Some(credentials) = &entry.credentials else { continue };
            if !entry.under_way && entry.wait(now, lively(scope), &paces).is_zero() {
                entry.under_way = true;
                due.push((credentials.clone(), scope.clone()));
            }
        }
        due
    }

    /// How long until a listing is due.
    pub(super) fn next_due(&self, now: Time, lively: impl Fn(&Scope) -> bool) -> Duration {
        let paces = self.paces();
        let idle = self.entries.iter().filter(|(_, entry)| !entry.under_way && entry.credentials.is_some());
        idle.map(|(scope, entry)| entry.wait(now, lively(scope), &paces)).min().unwrap_or(QUIET)
    }

    /// How far apart the listings of one scope must lie for all of its credential to stay within [`PER_HOUR`].
    fn paces(&self) -> BTreeMap<CredentialName, Duration> {
        let mut pages: BTreeMap<CredentialName, u32> = BTreeMap::new();
        for entry in self.entries.values() {
            if let Some(credentials) = &entry.credentials {
                let of_scope = u32::try_from(entry.size / 100).unwrap_or(u32::MAX).saturating_add(1);
                let sum = pages.entry(credentials.clone()).or_default();
                *sum = sum.saturating_add(of_scope);
            }
        }
        pages.into_iter().map(|(name, pages)| (name, Duration::from_secs(3600) * pages / PER_HOUR)).collect()
    }

    /// Takes in what a listing brought; says whether it changed what is known.
    pub(super) fn settle(&mut self, instance: &InstanceId, listed: Listed) -> bool {
        let Some(entry) = self.entries.get_mut(&listed.scope) else { return false };
        entry.under_way = false;
        entry.asked = Some(listed.asked);
        match listed.result {
            Ok(all) => {
                let size = all.len();
                let went = |name: &RunnerName| self.gone.get(name).is_some_and(|at| *at >= listed.asked);
                let ours: Vec<_> = all.into_iter().filter(|r| r.name.made_by(instance).is_some()).collect();
                let foreign = size - ours.len();
                let ours = ours.into_iter().filter(|r| !went(&r.name)).collect();
                let view = RegistrationView { as_of: Some(listed.asked), foreign, ours, error: None };
                let changed =
                    view.ours != entry.view.ours || entry.view.error.is_some() || entry.view.as_of.is_none();
                entry.size = size;
                entry.clear_since =
                    if view.ours.is_empty() { entry.clear_since.or(view.as_of) } else { None };
                entry.view = view;
                changed
            }
            Err(error) => {
                let error = Some(error.to_string());
                let changed = entry.view.error != error;
                entry.view.error = error;
                changed
            }
        }
    }

    /// Takes a registration out of the view: it was deleted after it was listed, by us or, at the end of its job, by
    /// GitHub. If it still stands, because GitHub refused or never heard of the delete, the next listing shows it.
    pub(super) fn forget(&mut self, scope: &Scope, name: &RunnerName, now: Time) {
        self.gone.retain(|_, at| now.since(*at) < REMEMBERED);
        self.gone.insert(name.clone(), now);
        if let Some(entry) = self.entries.get_mut(scope) {
            entry.view.ours.retain(|r| &r.name != name);
        }
        self.concerns(scope, now);
    }

    /// Something of ours may be registered in this scope, whatever listings said so far.
    pub(super) fn concerns(&mut self, scope: &Scope, now: Time) {
        if let Some(entry) = self.entries.get_mut(scope) {
            entry.concerned = entry.concerned.max(now);
        }
    }

    /// Asks for this scope again as soon as may be.
    pub(super) fn refresh(&mut self, scope: &Scope) {
        if let Some(entry) = self.entries.get_mut(scope) {
            entry.asked = None;
        }
    }

    /// Whether each scope was listed, or refused, at least once.
    pub(super) fn complete(&self) -> bool {
        self.entries.values().all(|e| e.view.as_of.is_some() || e.view.error.is_some())
    }

    /// What is known.
    pub(super) fn views(&self) -> BTreeMap<Scope, RegistrationView> {
        self.entries.iter().map(|(scope, e)| (scope.clone(), e.view.clone())).collect()
    }

    /// Who speaks for each scope.
    pub(super) fn speaks(&self) -> BTreeMap<Scope, CredentialName> {
        self.entries.iter().filter_map(|(scope, e)| Some((scope.clone(), e.credentials.clone()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunnerId;

    fn scope() -> Scope {
        "orgs/acme".parse().unwrap()
    }

    fn registration(name: &str) -> Registration {
        let (id, name) = (RunnerId(1), RunnerName::new(name));
        Registration { id, name, online: true, busy: false, labels: Vec::new() }
    }

    fn wanted() -> BTreeMap<Scope, CredentialName> {
        BTreeMap::from([(scope(), CredentialName::default_name())])
    }

    /// Reads the listing that is due at that second.
    fn list(listings: &mut Listings, second: u64, result: Result<Vec<Registration>, GitHubError>) {
        let asked = Time::from_secs(second);
        assert_eq!(listings.due(asked, |_| true).len(), 1, "at second {second}");
        listings.settle(&InstanceId::new("k7x2p"), Listed { scope: scope(), asked, result });
    }

    fn failed() -> Result<Vec<Registration>, GitHubError> {
        Err(GitHubError::Failed { call: "list".into(), status: 502 })
    }

    #[test]
    fn a_scope_that_nothing_names_any_more_is_listed_until_it_is_clear_of_ours() {
        let mut listings = Listings::default();
        let ours = registration("ghrunner-build-0-k7x2p-aaaaaa");
        listings.want(&wanted(), Time(0));
        list(&mut listings, 0, Ok(vec![ours.clone()]));
        // Stopped by force in its job: GitHub refused to delete it, and the pass that follows takes it for gone.
        listings.forget(&scope(), &ours.name, Time::from_secs(100));
        let still_known = |listings: &mut Listings, second| {
            listings.want(&BTreeMap::new(), Time::from_secs(second));
            !listings.views().is_empty()
        };
        assert!(still_known(&mut listings, 101), "an empty view is no listing");
        list(&mut listings, 110, failed());
        assert!(still_known(&mut listings, 111), "nor is a failure");
        list(&mut listings, 130, Ok(Vec::new()));
        assert!(still_known(&mut listings, 131), "a listing that is as good as the one before may be late");
        list(&mut listings, 150, Ok(vec![ours.clone()]));
        assert_eq!(listings.views()[&scope()].ours.len(), 1, "there it is");
        listings.forget(&scope(), &ours.name, Time::from_secs(200));
        list(&mut listings, 261, Ok(Vec::new()));
        assert!(still_known(&mut listings, 262), "one listing may have left something out");
        list(&mut listings, 290, Ok(vec![ours]));
        listings.forget(&scope(), &RunnerName::new("ghrunner-build-0-k7x2p-aaaaaa"), Time::from_secs(291));
        list(&mut listings, 352, Ok(Vec::new()));
        list(&mut listings, 413, Ok(Vec::new()));
        assert!(!still_known(&mut listings, 414), "now it is clear");
    }

    #[test]
    fn a_scope_that_was_kept_from_before_outlasts_a_first_listing_that_fails() {
        let mut listings = Listings::default();
        listings.want(&wanted(), Time::from_secs(1000));
        list(&mut listings, 1000, failed());
        listings.want(&BTreeMap::new(), Time::from_secs(1001));
        list(&mut listings, 1100, Ok(Vec::new()));
        list(&mut listings, 1161, Ok(Vec::new()));
        listings.want(&BTreeMap::new(), Time::from_secs(1162));
        assert!(listings.views().is_empty());
    }

    #[test]
    fn a_failed_listing_keeps_what_the_last_complete_one_said() {
        let instance = InstanceId::new("k7x2p");
        let mut listings = Listings::default();
        listings.want(&wanted(), Time(0));
        assert_eq!(listings.due(Time(0), |_| false).len(), 1);
        assert!(listings.due(Time(0), |_| false).is_empty(), "one at a time");
        let both = vec![registration("ghrunner-build-0-k7x2p-aaaaaa"), registration("somebody-else")];
        assert!(listings.settle(&instance, Listed { scope: scope(), asked: Time(0), result: Ok(both) }));
        let failed = GitHubError::Failed { call: "list".into(), status: 502 };
        assert!(listings.settle(&instance, Listed { scope: scope(), asked: Time(9), result: Err(failed) }));
        let view = &listings.views()[&scope()];
        assert_eq!((view.ours.len(), view.foreign, view.as_of), (1, 1, Some(Time(0))));
        assert!(view.error.as_deref().unwrap().contains("502"));
    }

    #[test]
    fn many_scopes_share_the_budget_of_their_credential() {
        let mut listings = Listings::default();
        let name = |i| format!("repos/alice/r{i}").parse::<Scope>().unwrap();
        let wanted = (0..100).map(|i| (name(i), CredentialName::default_name())).collect();
        listings.want(&wanted, Time(0));
        for (_, scope) in listings.due(Time(0), |_| true) {
            listings.settle(&InstanceId::new("x"), Listed { scope, asked: Time(0), result: Ok(Vec::new()) });
        }
        assert!(listings.due(Time::from_secs(359), |_| true).is_empty());
        assert_eq!(listings.due(Time::from_secs(360), |_| true).len(), 100);
    }
}
