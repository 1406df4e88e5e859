//! What speaks against moving organization pools to their repositories, or back.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::config::Config;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::Scope;

/// Something that speaks against a change of mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The pool that it concerns, where it is one.
    pub pool: Option<PoolName>,
    /// Whether runners would be lacking after the change; if not, it is only worth knowing.
    pub grave: bool,
    /// What it is, and what to do.
    pub text: String,
}

/// One place in which a pool would register, and how GitHub answered there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The place.
    pub scope: Scope,
    /// Whether the pool's credentials see the runners there.
    pub probe: Probe,
}

/// How GitHub answered in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Runners can be listed.
    Good,
    /// The credential may not, and will not until somebody changes something.
    Refused(String),
    /// It could not be asked, which may pass.
    Unanswered(String),
}

/// All that speaks against a change to `mode`: the gravest first, in the order of the pools.
///
/// `seen` has each organization pool's places in that mode, or why they are not known; `refused` says why the file as it is
/// now is not in force; `drained` are the pools that the operator drains.
pub fn obstacles(
    config: &Config,
    mode: Mode,
    seen: &BTreeMap<PoolName, Result<Vec<Seen>, String>>,
    refused: Option<&str>,
    drained: &BTreeSet<PoolName>,
) -> Vec<Obstacle> {
    let mut found = Vec::new();
    if let Some(error) = refused {
        let text = format!(
            "the file as it is now is refused ({error}); mend it first: `ghrunner check` shows what is wrong"
        );
        found.push(Obstacle { pool: None, grave: true, text });
    }
    let pools: Vec<&Pool> = config.pools.values().filter(|p| p.scope.organization().is_some()).collect();
    if pools.is_empty() {
        let text = "no pool belongs to an organization: there is nothing to move".to_owned();
        found.push(Obstacle { pool: None, grave: true, text });
    }
    for pool in &pools {
        let mut tell = |grave: bool, text: String| {
            found.push(Obstacle { pool: Some(pool.name.clone()), grave, text });
        };
        match seen.get(&pool.name) {
            Some(Ok(places)) => of_places(pool, mode, places, &mut tell),
            Some(Err(error)) => tell(
                true,
                format!(
                    "the repositories that its runner group admits cannot be read: {error}; name them in its `rollback`"
                ),
            ),
            None => {}
        }
        if drained.contains(&pool.name) {
            let name = &pool.name;
            tell(false, format!("it is drained, and has no runners until `ghrunner pools resume {name}`"));
        }
    }
    if let Some(text) = crowded(config, mode, seen) {
        found.push(Obstacle { pool: None, grave: false, text });
    }
    found.sort_by_key(|obstacle| !obstacle.grave);
    found
}

fn of_places(pool: &Pool, mode: Mode, places: &[Seen], tell: &mut impl FnMut(bool, String)) {
    if pool.max == 0 {
        return;
    }
    if places.is_empty() {
        tell(
            true,
            "its runner group admits no repository, and it has no `rollback` list: it would stand nowhere"
                .into(),
        );
    }
    for Seen { scope, probe } in places {
        let credentials = &pool.credentials;
        match probe {
            Probe::Good => {}
            Probe::Refused(error) => tell(true, format!("{error}; {}", permission(scope))),
            Probe::Unanswered(error) => {
                tell(
                    false,
                    format!("whether credential {credentials} may register in {scope} is not known: {error}"),
                );
            }
        }
    }
    if mode == Mode::Repository {
        of_max(pool, places.len(), tell);
    }
}

fn of_max(pool: &Pool, places: usize, tell: &mut impl FnMut(bool, String)) {
    let (max, each) = (pool.max as usize, pool.min.max(pool.min_idle) as usize);
    if max < places && each > 0 {
        tell(
            true,
            format!(
                "max is {max} for {places} repositories: not every one would have a runner; raise max to {places} at least"
            ),
        );
    } else if max < places {
        tell(
            false,
            format!("max is {max} for {places} repositories: no more have a runner at the same time"),
        );
    } else if max < places * each {
        tell(
            false,
            format!(
                "{each} in each of {places} repositories are {}, and max is {max}: they share it",
                places * each
            ),
        );
    }
}

/// Whether more would always stand than the host may have.
fn crowded(
    config: &Config,
    mode: Mode,
    seen: &BTreeMap<PoolName, Result<Vec<Seen>, String>>,
) -> Option<String> {
    let standing = |pool: &Pool| {
        let places = match (mode, seen.get(&pool.name)) {
            (Mode::Repository, Some(Ok(places))) => places.len(),
            _ => 1,
        };
        let wanted = places.saturating_mul(pool.min.max(pool.min_idle) as usize);
        wanted.min(pool.max as usize)
    };
    let (all, max) = (config.pools.values().map(standing).sum::<usize>(), config.host.max_runners as usize);
    (all > max).then(|| {
        format!("{all} runners would always stand, and host.max_runners is {max}: raise it, or some wait for the others")
    })
}

fn permission(scope: &Scope) -> String {
    let (what, classic) = match scope {
        Scope::Enterprise(_) => ("an enterprise's owner", "manage_runners:enterprise"),
        Scope::Organization(_) => {
            ("the organization permission \"Self-hosted runners\" read and write", "admin:org")
        }
        Scope::Repository(_) => ("the repository permission \"Administration\" read and write", "repo"),
    };
    format!("it needs {what}, a classic token {classic}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pools: &str) -> Config {
        let head = "[github]\ntoken = { credential = \"t\" }\n[host]\nmax_runners = 8\n";
        let loaded = Config::from_text("pools.toml", &format!("{head}{pools}"));
        loaded.into_result().unwrap_or_else(|report| panic!("{report}"))
    }

    fn seen(pool: &str, probes: &[Probe]) -> BTreeMap<PoolName, Result<Vec<Seen>, String>> {
        let places = probes.iter().enumerate().map(|(n, probe)| Seen {
            scope: Scope::Repository(format!("acme/r{n}").parse().unwrap()),
            probe: probe.clone(),
        });
        BTreeMap::from([(PoolName::parse(pool).unwrap(), Ok(places.collect()))])
    }

    fn told(pools: &str, seen: &BTreeMap<PoolName, Result<Vec<Seen>, String>>) -> Vec<(bool, String)> {
        let found = obstacles(&config(pools), Mode::Repository, seen, None, &BTreeSet::new());
        found.into_iter().map(|o| (o.grave, o.text)).collect()
    }

    const ONE: &str = "[pools.a]\norg = \"acme\"\nmin = 1\nmax = 3\n";

    #[test]
    fn a_pool_whose_places_are_open_and_fit_has_no_obstacle() {
        assert_eq!(told(ONE, &seen("a", &[Probe::Good, Probe::Good, Probe::Good])), []);
    }

    #[test]
    fn a_repository_that_the_token_may_not_administer_is_grave_and_one_that_was_not_asked_is_not() {
        let probes = [Probe::Refused("no".into()), Probe::Unanswered("away".into())];
        let told = told(ONE, &seen("a", &probes));
        assert_eq!(told.iter().map(|t| t.0).collect::<Vec<_>>(), [true, false], "{told:?}");
        assert!(told[0].1.contains("Administration"), "{told:?}");
        assert!(told[1].1.contains("repos/acme/r1"), "{told:?}");
    }

    #[test]
    fn max_below_the_number_of_repositories_is_grave_where_each_should_have_a_runner() {
        let four = vec![Probe::Good; 4];
        let always = told(ONE, &seen("a", &four));
        assert_eq!((always.len(), always[0].0), (1, true), "{always:?}");
        assert!(always[0].1.contains("raise max to 4"), "{always:?}");
        let on_demand = "[pools.a]\norg = \"acme\"\ndemand = \"poll\"\nmin = 0\nmax = 3\n";
        let told = told(on_demand, &seen("a", &four));
        assert_eq!((told.len(), told[0].0), (1, false), "{told:?}");
    }

    #[test]
    fn a_min_that_max_does_not_reach_everywhere_is_worth_knowing() {
        let two_each = "[pools.a]\norg = \"acme\"\nmin = 2\nmax = 3\n";
        let told = told(two_each, &seen("a", &[Probe::Good, Probe::Good]));
        assert_eq!((told.len(), told[0].0), (1, false), "{told:?}");
    }

    #[test]
    fn more_than_the_host_may_have_is_worth_knowing() {
        let two =
            "[pools.a]\norg = \"acme\"\nmin = 1\nmax = 8\n[pools.b]\nrepo = \"acme/x\"\nmin = 1\nmax = 8\n";
        let told = told(two, &seen("a", &vec![Probe::Good; 8]));
        assert!(
            told.iter().any(|(grave, text)| !grave && text.contains("host.max_runners is 8")),
            "{told:?}"
        );
    }

    #[test]
    fn nothing_to_move_a_refused_file_and_unknown_places_are_grave() {
        let alone = "[pools.a]\nrepo = \"acme/app\"\n";
        assert!(told(alone, &BTreeMap::new())[0].1.contains("nothing to move"));
        let unknown = BTreeMap::from([(PoolName::parse("a").unwrap(), Err("away".to_owned()))]);
        assert!(told(ONE, &unknown)[0].0);
        assert!(told(ONE, &seen("a", &[]))[0].1.contains("stand nowhere"));
        let good = seen("a", &[Probe::Good]);
        let refused = obstacles(&config(ONE), Mode::Repository, &good, Some("line 3"), &BTreeSet::new());
        assert!(refused[0].grave && refused[0].text.contains("line 3"));
    }

    #[test]
    fn a_drained_pool_is_named() {
        let drained = BTreeSet::from([PoolName::parse("a").unwrap()]);
        let found = obstacles(&config(ONE), Mode::Repository, &seen("a", &[Probe::Good]), None, &drained);
        assert!(!found[0].grave && found[0].text.contains("pools resume a"), "{found:?}");
    }
}
