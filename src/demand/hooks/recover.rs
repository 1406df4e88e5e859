//! Having lost deliveries again, and learning from where GitHub delivers.
//!
//! GitHub tries each delivery once
//! (<https://docs.github.com/webhooks/using-webhooks/handling-failed-webhook-deliveries>): one that came while nobody
//! listened is lost until somebody asks for it. A look at the queues finds what it told, too, only later.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::HookSettings;
use super::inlet::Shared;
use crate::github::Clock;
use crate::github::Delivery;
use crate::github::GitHubError;
use crate::github::Hooks;
use crate::model::CredentialName;
use crate::model::Demand;
use crate::model::ErrorClass;
use crate::model::Scope;
use crate::model::Time;
use crate::model::Wanted;

/// How often it is seen whether something has to be asked.
const TICK: Duration = Duration::from_secs(30);
/// Without a notice of an outage, failed deliveries are looked for this often: a proxy in front can fail unseen from here.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// After a look that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);
/// After a look that is not allowed: somebody has to change something first.
const NOT_ALLOWED: Duration = Duration::from_secs(24 * 60 * 60);
/// Where it is not known when deliveries were heard last.
const AN_HOUR: Duration = Duration::from_secs(60 * 60);
/// GitHub keeps what it delivered for three days (the page above).
const KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// A look reaches a little further back than the one before: a delivery may have been under way then.
const MARGIN: Duration = Duration::from_secs(10 * 60);
/// A clock that went this much further than a tick was asleep: the machine was suspended, and heard nothing.
const ASLEEP: Duration = Duration::from_secs(2 * 60);
/// How long the networks are believed; GitHub says that they change now and then.
const NETWORKS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Deliveries that are asked for by one look; writes cost five points of 900 a minute.
const AT_ONCE: usize = 100;
/// How often one delivery is asked for: one that fails here fails again.
const TRIES: u8 = 3;
/// Deliveries whose tries are remembered.
const REMEMBERED: usize = 10_000;

/// Events that tell of jobs; others are not worth a request.
const EVENTS: [&str; 5] = ["workflow_job", "workflow_run", "check_run", "repository", "organization"];

type Place = (CredentialName, Scope);

/// Asks GitHub what nobody delivers.
pub(super) struct Asker<G> {
    pub(super) github: Arc<G>,
    pub(super) clock: Clock,
    pub(super) wanted: watch::Receiver<Arc<Wanted>>,
    pub(super) settings: watch::Receiver<Arc<HookSettings>>,
    pub(super) shared: Arc<Shared>,
}

/// What is remembered of one place's hook.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Looked {
    /// When the last complete look began.
    at: Option<Time>,
    /// Not before.
    next: Time,
    /// What went wrong.
    error: Option<String>,
}

/// Where pools that live by deliveries register, and so where their hooks are.
fn places(wanted: &Wanted) -> BTreeSet<Place> {
    let pools = wanted.pools.values().filter(|pool| pool.demand == Demand::Webhook);
    pools
        .flat_map(|pool| pool.capacity.keys().map(|scope| (pool.credentials.clone(), scope.clone())))
        .collect()
}

/// From when on deliveries are looked for.
fn since(looked: Option<Time>, last: Option<Time>, now: Time) -> Time {
    let from = looked.or(last).map_or(now - AN_HOUR, |at| at - MARGIN);
    from.max(now - KEPT)
}

/// The deliveries that no attempt brought, the latest attempt of each, and not those that were asked for in vain.
fn lost(all: &[Delivery], tries: &BTreeMap<String, u8>) -> Vec<Delivery> {
    let arrived: BTreeSet<&str> =
        all.iter().filter(|delivery| delivery.delivered).map(|delivery| delivery.guid.as_str()).collect();
    let mut latest: BTreeMap<&str, &Delivery> = BTreeMap::new();
    for delivery in all.iter().filter(|delivery| EVENTS.contains(&delivery.event.as_str())) {
        let guid = delivery.guid.as_str();
        let tried = tries.get(guid).copied().unwrap_or(0);
        if !arrived.contains(guid) && tried < TRIES {
            let kept = latest.entry(guid).or_insert(delivery);
            if delivery.at > kept.at {
                *kept = delivery;
            }
        }
    }
    let mut found: Vec<Delivery> = latest.into_values().cloned().collect();
    // What happened first is told first, and of too many the latest: older ones a look at the queues has found by now.
    found.sort_by_key(|delivery| delivery.at);
    found.split_off(found.len().saturating_sub(AT_ONCE))
}

/// When to look again, after a look that began at `now`.
fn after(known: Option<&Looked>, result: Result<(), &GitHubError>, now: Time) -> Looked {
    let at = known.and_then(|known| known.at);
    let Err(error) = result else { return Looked { at: Some(now), next: now + LOOK_EVERY, error: None } };
    let next = match error.class() {
        ErrorClass::Limited(until) => until.max(now + LOOK_AGAIN),
        ErrorClass::Retry => now + LOOK_AGAIN,
        ErrorClass::Auth | ErrorClass::Terminal => now + NOT_ALLOWED,
    };
    Looked { at, next, error: Some(error.to_string()) }
}

impl<G: Hooks> Asker<G> {
    /// Asks for deliveries that failed: at the start, after an outage that was noticed, and now and then.
    pub(super) async fn ask_for_lost(&self, last: Option<Time>) {
        let (mut wanted, mut settings) = (self.wanted.clone(), self.settings.clone());
        let mut tick = ticks();
        let mut looked: BTreeMap<Place, Looked> = BTreeMap::new();
        let mut tries: BTreeMap<String, u8> = BTreeMap::new();
        let mut before = (self.clock)();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                Ok(()) = wanted.changed() => {}
                Ok(()) = settings.changed() => looked.clear(),
            }
            let now = (self.clock)();
            let outage = self.shared.take_missed() | (now.since(before) > TICK + ASLEEP);
            before = now;
            let Some(url) = settings.borrow_and_update().url.clone() else { continue };
            let places = places(&wanted.borrow_and_update());
            looked.retain(|place, _| places.contains(place));
            for place in places {
                let known = looked.get(&place);
                let due = known.is_none_or(|known| now >= known.next || outage && known.error.is_none());
                if due {
                    let from = since(known.and_then(|known| known.at), last, now);
                    let result = self.look(&place, &url, from, &mut tries).await;
                    let next = after(known, result.as_ref().copied(), now);
                    tell(&place, known, &next);
                    looked.insert(place, next);
                }
            }
            self.shared.trouble("lost", complaint(&looked));
        }
    }

    /// Looks for deliveries of one place and asks for those that failed.
    async fn look(
        &self,
        (credentials, scope): &Place,
        url: &str,
        from: Time,
        tries: &mut BTreeMap<String, u8>,
    ) -> Result<(), GitHubError> {
        let all = self.github.deliveries(credentials, scope, url, from).await?;
        let lost = lost(&all, tries);
        if !lost.is_empty() {
            tracing::info!(%scope, "Asking GitHub for {} deliveries that failed", lost.len());
        }
        if tries.len() > REMEMBERED {
            tries.clear();
        }
        for delivery in lost {
            *tries.entry(delivery.guid.clone()).or_default() += 1;
            self.github.redeliver(credentials, scope, &delivery).await?;
        }
        Ok(())
    }

    /// Learns the networks of GitHub's hooks, as long as somebody wants to know.
    pub(super) async fn learn_networks(&self, known: &watch::Sender<Option<Arc<Vec<IpNet>>>>) {
        let (mut wanted, mut settings) = (self.wanted.clone(), self.settings.clone());
        let mut tick = ticks();
        let mut read: Option<Time> = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                Ok(()) = wanted.changed() => {}
                Ok(()) = settings.changed() => {}
            }
            let now = (self.clock)();
            if !settings.borrow_and_update().only_github {
                self.shared.trouble("networks", None);
                continue;
            }
            if read.is_some_and(|read| now.since(read) < NETWORKS_KEPT) {
                continue;
            }
            let Some((credentials, scope)) = places(&wanted.borrow_and_update()).pop_first() else {
                continue;
            };
            let found = self.github.hook_networks(&credentials, &scope).await;
            match found.map_err(|error| error.to_string()).and_then(networks) {
                Ok(networks) => {
                    read = Some(now);
                    known.send_replace(Some(Arc::new(networks)));
                    self.shared.trouble("networks", None);
                }
                Err(error) => {
                    // Those of yesterday are better than none.
                    let what = format!("the networks of GitHub's hooks are not known: {error}");
                    tracing::warn!("{what}");
                    self.shared.trouble("networks", Some(what));
                    tokio::time::sleep(TICK).await;
                }
            }
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Told once, when it begins and when it is another error.
fn tell((credentials, scope): &Place, known: Option<&Looked>, next: &Looked) {
    let before = known.and_then(|known| known.error.as_ref());
    if let Some(error) = next.error.as_ref().filter(|error| before != Some(*error)) {
        tracing::warn!(%scope, %credentials, "Deliveries that failed cannot be asked for again: {error}");
    }
}

fn complaint(looked: &BTreeMap<Place, Looked>) -> Option<String> {
    let mut failed = looked.iter().filter_map(|((_, scope), looked)| Some((scope, looked.error.as_ref()?)));
    let (scope, error) = failed.next()?;
    let more = match failed.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(format!("deliveries of {scope} that failed cannot be asked for again: {error}{more}"))
}

fn networks(texts: Vec<String>) -> Result<Vec<IpNet>, String> {
    let parse = |text: &String| text.parse::<IpNet>().map_err(|_| format!("{text:?} is no network"));
    let all = texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() { Err("GitHub names none; use addresses = \"any\"".to_owned()) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_700_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn delivery(id: u64, guid: &str, delivered: bool) -> Delivery {
        let event = "workflow_job".to_owned();
        Delivery { id, guid: guid.to_owned(), hook: 1, event, at: NOW + Duration::from_secs(id), delivered }
    }

    fn ids(all: &[Delivery]) -> Vec<u64> {
        lost(all, &BTreeMap::new()).iter().map(|delivery| delivery.id).collect()
    }

    #[test]
    fn what_no_attempt_brought_is_lost() {
        let all = [
            delivery(5, "c", false),
            delivery(4, "b", true),
            delivery(3, "a", false),
            delivery(2, "b", false),
            delivery(1, "a", false),
        ];
        assert_eq!(ids(&all), [3, 5], "b came at the second try; a is asked for by its latest");
        let other = Delivery { event: "push".to_owned(), ..delivery(1, "x", false) };
        assert_eq!(ids(&[other]), [0; 0]);
    }

    #[test]
    fn what_fails_again_and_again_is_given_up() {
        let tries = BTreeMap::from([("a".to_owned(), TRIES), ("b".to_owned(), TRIES - 1)]);
        let found = lost(&[delivery(1, "a", false), delivery(2, "b", false)], &tries);
        assert_eq!(found.iter().map(|d| d.id).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn of_too_many_the_latest_are_asked_for() {
        let all: Vec<_> = (0..150).map(|id| delivery(id, &format!("g{id}"), false)).collect();
        let found = ids(&all);
        assert_eq!((found.len(), found[0], found[99]), (AT_ONCE, 50, 149));
    }

    #[test]
    fn a_look_reaches_back_to_the_one_before() {
        assert_eq!(since(None, None, NOW), NOW - AN_HOUR);
        assert_eq!(since(None, Some(NOW - MINUTE), NOW), NOW - MINUTE - MARGIN);
        assert_eq!(since(Some(NOW), Some(NOW - MINUTE), NOW), NOW - MARGIN);
        assert_eq!(since(None, Some(Time(0)), NOW), NOW - KEPT, "GitHub keeps no more");
    }

    #[test]
    fn a_failed_look_is_made_again_by_its_class() {
        let known = Looked { at: Some(NOW - MINUTE), next: NOW, error: None };
        let failed = GitHubError::Failed { call: "x".to_owned(), status: 502 };
        let again = after(Some(&known), Err(&failed), NOW);
        assert_eq!((again.at, again.next), (known.at, NOW + LOOK_AGAIN));
        let credential = CredentialName::default_name();
        let missing =
            GitHubError::NotFound { credential: credential.clone(), what: "x".to_owned(), needs: None };
        assert_eq!(after(None, Err(&missing), NOW).next, NOW + NOT_ALLOWED);
        let until = NOW + 20 * MINUTE;
        let limited = GitHubError::Limited { credential, until, message: String::new() };
        assert_eq!(after(None, Err(&limited), NOW).next, until);
        let good = after(None, Ok(()), NOW);
        assert_eq!((good.at, good.next, good.error), (Some(NOW), NOW + LOOK_EVERY, None));
    }

    #[test]
    fn networks_are_all_or_none() {
        assert_eq!(
            networks(vec!["192.30.252.0/22".to_owned(), "2a0a:a440::/29".to_owned()]).unwrap().len(),
            2
        );
        assert!(networks(vec!["192.30.252.0/22".to_owned(), "x".to_owned()]).is_err());
        assert!(networks(vec![]).is_err());
    }
}
