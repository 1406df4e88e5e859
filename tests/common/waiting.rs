//! Lines of a written-down world that speak of jobs.
//!
//! ```text
//! job 7 acme/app linux,build queued=30s       # also: held, on=build/0, on=RUNNER, request
//!                                             # wf="CI" branch=main event=push, without blanks
//! queue acme/app 5s | failed 5m | never       # when its queue was last read
//! account alice 1m | failed | never
//! set build orgs/acme id=5 assigned=2 heard=5s | opening | failed
//! worked build/0 orgs/acme began=1m ended=5s [told]
//! hooks failed
//! gone build/0 3m ; boost build 2 2h
//! ```

use std::time::Duration;

use ghrunner::model::AccountView;
use ghrunner::model::Job;
use ghrunner::model::JobId;
use ghrunner::model::JobState;
use ghrunner::model::Repo;
use ghrunner::model::RepoView;
use ghrunner::model::RunnerName;
use ghrunner::model::SetId;
use ghrunner::model::SetState;
use ghrunner::model::SetStatistics;
use ghrunner::model::SetView;
use ghrunner::model::Slot;
use ghrunner::model::Time;
use ghrunner::model::Worked;
use ghrunner::model::World;

use super::build;
use super::build::NOW;

/// Reads one line, if it speaks of jobs.
pub(crate) fn enter(verb: &str, words: &[&str], world: &mut World) -> bool {
    let line = Line { words };
    match verb {
        "job" => line.job(world),
        "queue" => {
            let (as_of, error) = line.heard();
            world.demand.repos.insert(line.repo(0), RepoView { as_of, error });
        }
        "account" => {
            let (as_of, error) = line.heard();
            let view = AccountView { repos: Vec::new(), as_of, error };
            world.demand.accounts.insert(line.word(0).to_owned(), view);
        }
        "set" => line.set(world),
        "hooks" => world.demand.hooks.error = Some("the secret cannot be read".to_owned()),
        "gone" => drop(world.book.gone_since.insert(runner(line.word(0)), NOW - span(line.word(1)))),
        "worked" => line.worked(world),
        "boost" => {
            let boost = (line.word(1).parse().unwrap(), NOW + span(line.word(2)));
            world.book.boosts.insert(build::pool_name(line.word(0)), boost);
        }
        _ => return false,
    }
    true
}

/// The name of the runner in a slot such as `build/0`, or a name as it is.
fn runner(text: &str) -> RunnerName {
    let Some((pool, slot)) = text.split_once('/') else { return RunnerName::new(text) };
    let slot = Slot(slot.parse().unwrap());
    RunnerName::compose(&build::pool_name(pool), slot, &build::instance(), &format!("n{slot}"))
}

fn span(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap()
}

struct Line<'a> {
    words: &'a [&'a str],
}

impl Line<'_> {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).unwrap_or_else(|| panic!("{:?} is too short", self.words))
    }

    fn repo(&self, at: usize) -> Repo {
        self.word(at).parse().unwrap()
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// When something was heard last, and why not since.
    fn heard(&self) -> (Option<Time>, Option<String>) {
        match self.word(1) {
            "never" => (None, None),
            "failed" => {
                let ago = self.words.get(2).map(|ago| NOW - span(ago));
                (ago, Some("status 502".to_owned()))
            }
            ago => (Some(NOW - span(ago)), None),
        }
    }

    fn job(&self, world: &mut World) {
        let number: u64 = self.word(0).parse().unwrap();
        let text = |key: &str| self.value(key).unwrap_or_default().to_owned();
        let state = match self.value("on") {
            Some(name) => JobState::Running { runner: Some(runner(name)) },
            None if self.has("held") => JobState::Held,
            None => JobState::Queued,
        };
        let request = i64::try_from(number).unwrap();
        world.demand.jobs.push(Job {
            id: if self.has("request") { JobId::Request(request) } else { JobId::Job(number) },
            run: 1000 + number,
            repo: self.repo(1),
            workflow: self.value("wf").unwrap_or("CI").to_owned(),
            name: format!("job-{number}"),
            labels: self.word(2).split(',').map(str::to_owned).collect(),
            event: text("event"),
            branch: text("branch"),
            state,
            queued: NOW - self.value("queued").map_or(Duration::from_secs(30), span),
        });
        world.demand.jobs.sort_by_key(|job| job.id);
    }

    fn worked(&self, world: &mut World) {
        let ago = |key: &str| NOW - span(self.value(key).unwrap());
        let (pool, _) = self.word(0).split_once('/').unwrap();
        let worked = Worked {
            pool: build::pool_name(pool),
            scope: build::scope(self.word(1)),
            began: ago("began"),
            ended: ago("ended"),
            told: self.has("told"),
        };
        world.book.worked.insert(runner(self.word(0)), worked);
    }

    fn set(&self, world: &mut World) {
        let number = |key: &str| self.value(key).map(|n| n.parse::<u32>().unwrap());
        let heard = NOW - self.value("heard").map_or(Duration::ZERO, span);
        let statistics = number("assigned")
            .map(|assigned| (SetStatistics { assigned, ..SetStatistics::default() }, heard));
        let state = match () {
            () if self.has("opening") => SetState::Opening,
            () if self.has("failed") => {
                SetState::Waiting { until: NOW + Duration::from_secs(60), error: "status 502".to_owned() }
            }
            () => SetState::Listening,
        };
        world.demand.sets.push(SetView {
            pool: build::pool_name(self.word(0)),
            scope: build::scope(self.word(1)),
            id: number("id").map(|id| SetId(u64::from(id))),
            state,
            statistics,
            disagreement: None,
            sessions: 1,
        });
    }
}
