//! A world written down: one line for each thing that is not as in a quiet, empty one.
//!
//! ```text
//! runner build/0 idle age=10m        # also: busy seen claimed starting offline unlisted exited created lost lost-busy
//! runner build/1 idle in=orgs/acme spec=other image=other idle=3m busy=2h retry=10s
//! making build/2 | removing build/3 | pulling IMAGE
//! sidecar build/0 | canary build/9 age=20m | volume build/0 | network build | old-image REF 3d
//! image REF absent | pulling | failed 5m | checked 10m
//! listing SCOPE failed | never ; limited SCOPE 2m ; foreign SCOPE 3
//! backoff build 2m ; barren build 5m 10m ; drain build ; drain build/0 ; condemn build/0
//! mode repository ; admitted build acme/app acme/web ; host cpus=4 memory=8GiB disk=5GiB ; engine-error refused
//! job … ; queue … ; set … and more: see `waiting`
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use ghrunner::config::Config;
use ghrunner::decide::Policy;
use ghrunner::decide::places;
use ghrunner::model::Backoff;
use ghrunner::model::Container;
use ghrunner::model::ContainerState;
use ghrunner::model::CredentialName;
use ghrunner::model::ImageId;
use ghrunner::model::ImageView;
use ghrunner::model::InFlight;
use ghrunner::model::InFlightKind;
use ghrunner::model::Leftover;
use ghrunner::model::Mode;
use ghrunner::model::PoolName;
use ghrunner::model::Registration;
use ghrunner::model::Role;
use ghrunner::model::Runner;
use ghrunner::model::Scope;
use ghrunner::model::Slot;
use ghrunner::model::SpecHash;
use ghrunner::model::World;

use super::build;
use super::build::NOW;

/// The world that `text` describes.
pub(crate) fn read(config: &Config, policy: &Policy, text: &str) -> World {
    let mut world = build::world(config);
    for line in text.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if let Some((verb, rest)) = words.split_first() {
            Line { policy, words: rest, text: line }.enter(verb, &mut world);
        }
    }
    world
}

struct Line<'a> {
    policy: &'a Policy,
    words: &'a [&'a str],
    text: &'a str,
}

impl Line<'_> {
    fn enter(&self, verb: &str, world: &mut World) {
        match verb {
            "runner" => self.runner(world),
            "making" | "removing" | "pulling" => self.under_way(verb, world),
            "sidecar" | "canary" | "volume" | "network" | "old-image" => self.beside(verb, world),
            "image" => self.image(world),
            "listing" | "limited" | "foreign" => self.github(verb, world),
            "backoff" | "barren" | "drain" | "condemn" => self.book(verb, world),
            "mode" => world.mode = Mode::Repository,
            "admitted" => {
                let repos = self.words[1..].iter().map(|repo| repo.parse().unwrap()).collect();
                world.admitted.insert(build::pool_name(self.word(0)), repos);
            }
            "host" => {
                world.host.cpus = self.value("cpus").map(|n| n.parse().unwrap()).or(world.host.cpus);
                world.host.memory = self.value("memory").map(|n| n.parse().unwrap()).or(world.host.memory);
                world.host.disk_free =
                    self.value("disk").map(|n| n.parse().unwrap()).or(world.host.disk_free);
            }
            "engine-error" => world.engine.error = Some(self.words.join(" ")),
            verb if super::waiting::enter(verb, self.words, world) => {}
            other => panic!("{other:?} in {:?}", self.text),
        }
    }

    fn word(&self, at: usize) -> &str {
        self.words.get(at).unwrap_or_else(|| panic!("{:?} is too short", self.text))
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn span(&self, at: usize) -> Duration {
        humantime::parse_duration(self.word(at)).unwrap()
    }

    fn ago(&self, key: &str) -> Option<Duration> {
        self.value(key).map(|span| humantime::parse_duration(span).unwrap())
    }

    /// `build/3`.
    fn slot(&self) -> (PoolName, Slot) {
        let (pool, slot) = self.word(0).split_once('/').unwrap();
        (build::pool_name(pool), Slot(slot.parse().unwrap()))
    }

    /// A running container in the line's slot; in the first place of its pool unless the line says `in=`.
    fn container(&self) -> Container {
        let (pool, slot) = self.slot();
        let first = || {
            let (pool, _) = self.policy.pool(&pool)?;
            places(pool, Mode::Organization, None).first().cloned()
        };
        let place = self.value("in").map(build::scope).or_else(first);
        let place = place.unwrap_or_else(|| Scope::Organization("acme".into()));
        let mut container = build::container(self.policy, &pool, slot.0, &place);
        container.created = NOW - self.ago("age").unwrap_or(build::minutes(10));
        if self.value("spec").is_some() {
            container.spec_hash = SpecHash::new("other");
        }
        if self.value("image").is_some() {
            container.image_id = ImageId::new("sha256:2222");
        }
        container
    }

    fn runner(&self, world: &mut World) {
        let state = self.word(1);
        let mut container = self.container();
        if self.value("token").is_some() {
            container.runner_id = None;
        }
        container.state = match state {
            "exited" => ContainerState::Exited(Some(0)),
            "created" => ContainerState::Created,
            _ => ContainerState::Running,
        };
        let registration = Registration {
            online: !matches!(state, "starting" | "offline" | "created" | "lost"),
            busy: matches!(state, "busy" | "lost-busy"),
            ..build::registration(&container)
        };
        let name = container.runner_name.clone();
        let book = &mut world.book;
        match state {
            "seen" => drop(book.seen_busy.insert(name.clone(), NOW - Duration::from_secs(60)).is_some()),
            "claimed" => drop(book.claimed.insert(name.clone())),
            "idle" | "busy" | "starting" | "offline" | "unlisted" | "exited" | "created" | "lost"
            | "lost-busy" => {}
            other => panic!("{other:?} in {:?}", self.text),
        }
        if let Some(ago) = self.ago("idle") {
            book.idle_since.insert(name.clone(), NOW - ago);
        }
        if let Some(ago) = self.ago("busy") {
            book.busy_since.insert(name.clone(), NOW - ago);
        }
        if let Some(ahead) = self.ago("retry") {
            book.leave_until.insert(name.to_string(), NOW + ahead);
        }
        let scope = container.scope.clone();
        build::put_in(
            world,
            &scope.clone(),
            Runner {
                pool: container.pool.clone(),
                slot: container.slot,
                name,
                scope,
                credentials: CredentialName::default_name(),
                container: (!state.starts_with("lost")).then_some(container),
                registration: (state != "unlisted").then_some(registration),
            },
        );
    }

    fn under_way(&self, verb: &str, world: &mut World) {
        let kind = if verb == "pulling" {
            InFlightKind::Pull { image: self.word(0).to_owned() }
        } else {
            let Container { pool, slot, runner_name: runner, scope, id, .. } = self.container();
            match verb {
                "making" => InFlightKind::Create { pool, slot, runner, scope },
                _ => InFlightKind::Remove { pool, slot, runner, container: Some(id) },
            }
        };
        world.book.in_flight.push(InFlight { kind, since: NOW });
    }

    fn beside(&self, verb: &str, world: &mut World) {
        let engine = &mut world.engine;
        match verb {
            "sidecar" => engine.companions.push(build::sidecar(&self.container())),
            "canary" => {
                let of = self.container();
                let name = format!("{}-canary", of.name);
                engine.companions.push(Container { name, role: Role::Canary, ..of });
            }
            "volume" => {
                let (pool, slot) = self.slot();
                let runner_container = pool.container_name(slot);
                engine
                    .leftovers
                    .push(Leftover::Volume { name: format!("{runner_container}-docker"), runner_container });
            }
            "network" => {
                let pool = build::pool_name(self.word(0));
                engine.leftovers.push(Leftover::Network { name: format!("ghrunner-{pool}"), pool });
            }
            _ => {
                let (reference, last_named) = (self.word(0).to_owned(), NOW - self.span(1));
                engine.leftovers.push(Leftover::Image { reference, last_named });
            }
        }
    }

    fn image(&self, world: &mut World) {
        let view = world.engine.images.entry(self.word(0).to_owned()).or_default();
        match self.word(1) {
            "absent" => *view = ImageView::default(),
            "pulling" => {
                *view = ImageView { progress: Some("42 %".into()), ..ImageView::default() };
                self.under_way("pulling", world);
            }
            "failed" => view.failed = Some(("no such image".into(), NOW + self.span(2))),
            "checked" => view.checked = Some(NOW - self.span(2)),
            other => panic!("{other:?} in {:?}", self.text),
        }
        if self.words.contains(&"absent") && self.words.contains(&"failed") {
            let view = world.engine.images.get_mut(self.word(0)).unwrap();
            view.failed = Some(("no such image".into(), NOW + self.span(3)));
        }
    }

    fn github(&self, verb: &str, world: &mut World) {
        let scope = build::scope(self.word(0));
        let view = world.registrations.entry(scope.clone()).or_insert_with(build::listing);
        match (verb, self.word(1)) {
            ("listing", "failed") => view.error = Some("status 502".into()),
            ("listing", "never") => (view.as_of, view.error) = (None, Some("timed out".into())),
            ("foreign", count) => view.foreign = count.parse().unwrap(),
            ("limited", _) => {
                let until = (NOW + self.span(1), "API rate limit exceeded".to_owned());
                world.book.github_until.insert(scope, until);
            }
            _ => panic!("{:?}", self.text),
        }
    }

    fn book(&self, verb: &str, world: &mut World) {
        let book = &mut world.book;
        match verb {
            "backoff" => {
                let (failures, until) = (3, NOW + self.span(1));
                let reason = "ended with exit code 1 before any job".to_owned();
                book.backoff.insert(build::pool_name(self.word(0)), Backoff { failures, until, reason });
            }
            "barren" => {
                let times = (1..self.words.len()).map(|at| NOW - self.span(at)).collect();
                book.barren.insert(build::pool_name(self.word(0)), times);
            }
            "drain" if !self.word(0).contains('/') => {
                book.drained_pools.insert(build::pool_name(self.word(0)));
            }
            "drain" => drop(book.drained_runners.insert(self.container().runner_name)),
            _ => drop(book.condemned.insert(self.container().runner_name)),
        }
    }
}

/// Runners by pool and phase, as a report counts them.
pub(crate) fn tally(phases: &[(ghrunner::model::Phase, u32)]) -> String {
    let counts: BTreeMap<String, u32> =
        phases.iter().map(|(phase, n)| (format!("{phase:?}").to_lowercase(), *n)).collect();
    if counts.is_empty() {
        return "none".to_owned();
    }
    let counts: Vec<String> = counts.into_iter().map(|(phase, n)| format!("{n} {phase}")).collect();
    counts.join(", ")
}
