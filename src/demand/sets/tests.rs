//! The work on scale sets by a paused clock, against sets in memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::SetDemand;
use super::Sets;
use super::fake::Fake;
use super::heard::tests::completed;
use super::heard::tests::job;
use super::heard::tests::started;
use super::target::tests::want;
use super::target::tests::wanted;
use crate::github::GitHubError;
use crate::github::SetError;
use crate::github::SetNews;
use crate::model::SetState;
use crate::model::SetStatistics;
use crate::model::SetView;
use crate::model::Time;
use crate::model::Wanted;

/// A running part, and all that is around it.
struct Bench {
    github: Arc<Fake>,
    wanted: watch::Sender<Arc<Wanted>>,
    told: watch::Receiver<Arc<Sets>>,
    cancel: CancellationToken,
    run: JoinHandle<()>,
}

fn one(capacity: u32) -> Wanted {
    wanted(&[("build", want(&[("orgs/acme", capacity)]))])
}

fn start(github: Arc<Fake>, dir: &Path, first: Wanted) -> Bench {
    let begun = Instant::now();
    let clock = Arc::new(move || Time::from_secs(1_700_000_000) + begun.elapsed());
    let (wanted, receiver) = watch::channel(Arc::new(first));
    let (out, told) = watch::channel(Arc::default());
    let cancel = CancellationToken::new();
    let part =
        SetDemand::new(github.clone(), clock, ("k7x2p".to_owned(), Some(dir)), receiver, cancel.clone(), out);
    Bench { github, wanted, told, cancel, run: tokio::spawn(part.run()) }
}

impl Bench {
    fn view(&self) -> SetView {
        self.told.borrow().sets.first().cloned().unwrap()
    }

    fn jobs(&self) -> Vec<String> {
        self.told.borrow().jobs.iter().map(|(_, _, job)| job.id.to_string()).collect()
    }

    fn assigned(&self) -> u32 {
        self.view().statistics.unwrap().0.assigned
    }

    fn error(&self) -> String {
        match self.view().state {
            SetState::Waiting { error, .. } => error,
            other => panic!("{other:?}"),
        }
    }

    async fn listens(&self) {
        settle().await;
        assert_eq!(self.view().state, SetState::Listening, "{:?}", self.github.state().log);
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.run.await.unwrap();
    }
}

async fn settle() {
    sleep(Duration::from_millis(10)).await;
}

async fn minutes(n: u64) {
    sleep(Duration::from_secs(n * 60)).await;
}

fn failed() -> SetError {
    GitHubError::Failed { call: "x".into(), status: 500 }.into()
}

fn assigned(id: i64) -> SetNews {
    SetNews::Assigned(job(id))
}

/// Sets and sessions.
fn left_at(github: &Fake) -> (usize, usize) {
    let state = github.state();
    (state.sets.len(), state.sessions.len())
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_set_is_made_listened_to_and_its_session_closed_at_the_end() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    bench.listens().await;
    github.send(1, 2, &[assigned(7), assigned(8)]);
    settle().await;
    github.send(2, 1, &[started(7), completed(8)]);
    settle().await;
    assert_eq!((bench.assigned(), bench.jobs()), (1, vec!["request 7".to_owned()]));
    minutes(2).await;
    assert_eq!((bench.assigned(), bench.jobs().len()), (1, 1), "a wait without news changes nothing");
    bench.stop().await;
    let log = github.state().log.clone();
    let begin = [
        "ensure build build,self-hosted,linux",
        "open 1 k7x2p",
        "offers ",
        "poll 0 3",
        "ack 1",
        "poll 1 3",
        "ack 2",
        "poll 2 3",
    ];
    assert_eq!(log[..8], begin);
    assert_eq!(log.last().unwrap(), "close 1 s1");
    assert_eq!(github.state().sets.len(), 1, "the set stays");
    assert!(!std::fs::read_to_string(dir.path().join("sets.toml")).unwrap().contains("session"));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_another_has_is_asked_for_until_it_is_free() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    github.fail("open", SetError::SessionTaken("already has an active session".into()), 12);
    let bench = start(github.clone(), dir.path(), one(3));
    minutes(3).await;
    let words = bench.error();
    assert!(
        words.starts_with("another ghrunner, or another listener, has the session of scale set \"build\""),
        "{words}"
    );
    assert!((7..=11).contains(&github.calls("open")), "{:?}", github.log("open"));
    minutes(4).await;
    bench.listens().await;
    assert_eq!(github.calls("ensure"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_is_followed_by_another_at_the_same_place() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    github.send(41, 1, &[assigned(7)]);
    settle().await;
    for round in 1..=3 {
        github.fail("poll", SetError::SessionGone("expired".into()), 1);
        bench.listens().await;
        assert_eq!(github.calls("open"), 1 + round);
        minutes(1).await;
    }
    assert_eq!(github.log("poll").last().unwrap(), "poll 41 3");
    assert_eq!(bench.jobs(), ["request 7"], "what was heard still holds");
    minutes(10).await;
    assert_eq!(github.calls("open"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_session_evicted_between_handling_and_acknowledging_costs_nothing() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    github.state().repeats = true;
    github.fail("ack", SetError::SessionGone("session ID that doesn't exist in redis".into()), 1);
    github.send(1, 1, &[SetNews::Available(job(7)), assigned(8), completed(9)]);
    settle().await;
    bench.listens().await;
    assert_eq!((github.calls("acquire"), github.calls("ack"), github.calls("open")), (1, 2, 2));
    assert_eq!(bench.jobs(), ["request 7", "request 8"]);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_github_drops_is_made_anew_and_read_from_its_beginning() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    github.send(41, 1, &[assigned(7)]);
    settle().await;
    for (round, kind) in ["poll", "offers", "open", "ack"].into_iter().enumerate() {
        let made = bench.view().id.unwrap().0;
        github.state().count.assigned = 0;
        github.fail(kind, SetError::SetGone, 1);
        if kind != "poll" {
            github.fail("poll", SetError::SessionGone("gone".into()), 1);
        }
        github.send(50 + i64::try_from(round).unwrap(), 0, &[]);
        minutes(2).await;
        bench.listens().await;
        assert_eq!(bench.view().id.unwrap().0, made + 1, "{kind}");
        assert_eq!((bench.assigned(), bench.jobs().len()), (0, 0), "{kind}");
    }
    let polls = github.log("poll");
    assert!(polls.iter().filter(|poll| *poll == "poll 0 3").count() >= 4, "{polls:?}");
}

#[tokio::test(start_paused = true)]
async fn empty_answers_at_once_are_no_reason_to_ask_in_a_circle() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    github.state().hasty = true;
    github.state().count.assigned = 2;
    let bench = start(github.clone(), dir.path(), one(3));
    minutes(10).await;
    let polls = github.calls("poll");
    assert!((100..200).contains(&polls), "{polls}");
    assert_eq!((github.calls("open"), bench.assigned()), (1, 2));
    github.send(1, 3, &[assigned(7)]);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(bench.assigned(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_failures_is_outlasted() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    github.send(1, 2, &[assigned(7)]);
    settle().await;
    let polls = github.calls("poll");
    github.fail("poll", failed(), u32::MAX);
    minutes(60).await;
    assert!(bench.error().contains("status 500"), "{}", bench.error());
    let asked = github.calls("poll") - polls;
    assert!((60..90).contains(&asked), "{asked}");
    assert_eq!((bench.assigned(), github.calls("open")), (2, 1), "count and session are kept");
    github.state().clear_faults();
    minutes(2).await;
    bench.listens().await;
}

#[tokio::test(start_paused = true)]
async fn failures_before_the_first_message_are_outlasted_too() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    github.fail("ensure", failed(), 5);
    github.fail("open", failed(), 3);
    let refused = GitHubError::Refused { call: "x".into(), status: 400, message: String::new() };
    github.fail("offers", refused.into(), 9);
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    assert!(bench.error().starts_with("scale set \"build\": GitHub failed"), "{}", bench.error());
    minutes(5).await;
    bench.listens().await;
    assert_eq!(github.calls("offers"), 2, "a service without the list is listened to all the same");
}

#[tokio::test(start_paused = true)]
async fn a_count_that_is_stuck_is_told_and_what_was_heard_stays_known() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    github.send(1, 0, &[assigned(7), assigned(8)]);
    minutes(2).await;
    assert_eq!(bench.view().disagreement, None);
    minutes(6).await;
    let words = bench.view().disagreement.unwrap();
    assert!(words.contains("messages told of 2 jobs") && words.contains("counted only 0"), "{words}");
    assert_eq!(bench.jobs().len(), 2);
    github.send(2, 2, &[]);
    settle().await;
    assert_eq!(bench.view().disagreement, None);
    github.send(3, 34, &[started(7)]);
    minutes(7).await;
    let words = bench.view().disagreement.unwrap();
    assert!(words.contains("counted 34 jobs, but its messages told of 2"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn an_old_count_is_followed_by_a_new_one_before_anybody_is_told_of_it() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    github.send(1, 2, &[]);
    github.state().count = SetStatistics::default();
    minutes(1).await;
    assert_eq!((bench.assigned(), github.calls("renew")), (2, 0));
    minutes(3).await;
    assert_eq!((bench.assigned(), github.calls("renew")), (0, 1));
    minutes(60).await;
    assert_eq!((bench.view().disagreement, github.calls("renew")), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_twice_is_acknowledged_twice_and_counted_once() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(9));
    settle().await;
    let batch = [SetNews::Available(job(1)), assigned(2), started(3)];
    github.send(1, 3, &batch);
    settle().await;
    github.send(2, 1, &[completed(2), completed(3)]);
    settle().await;
    github.state().repeats = true;
    github.send(1, 3, &batch);
    settle().await;
    assert_eq!(bench.jobs(), ["request 1"]);
    assert_eq!(bench.assigned(), 1, "an old count is no news");
    assert_eq!((github.calls("acquire"), github.log("ack").len()), (1, 3));
    minutes(1).await;
    assert_eq!(github.log("poll").last().unwrap(), "poll 2 9");
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_handling_and_acknowledging_loses_nothing() {
    for hangs in ["acquire", "ack"] {
        let (github, dir) = (Arc::new(Fake::default()), dir());
        let bench = start(github.clone(), dir.path(), one(9));
        settle().await;
        github.state().hangs = Some(hangs);
        github.send(41, 2, &[SetNews::Available(job(1)), assigned(2)]);
        settle().await;
        assert_eq!(github.calls(hangs), 1);
        bench.run.abort();
        let _ = bench.run.await;
        {
            let mut state = github.state();
            (state.hangs, state.repeats) = (None, true);
            state.log.clear();
        }
        let bench = start(github.clone(), dir.path(), one(9));
        bench.listens().await;
        let log = github.state().log.clone();
        assert_eq!(log[1], "close 1 s1", "our own session is closed, not waited for: {log:?}");
        assert_eq!((github.calls("open"), github.calls("ack")), (1, 1), "{hangs}");
        assert_eq!((bench.jobs().len(), bench.assigned()), (2, 2), "{hangs}");
        let place = if hangs == "ack" { "poll 41 9" } else { "poll 0 9" };
        assert_eq!(github.log("poll")[0], place);
        assert!(github.state().stored.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_level_is_github_s_count() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(9));
    settle().await;
    github.send(1, 2, &[assigned(1), assigned(2)]);
    settle().await;
    bench.stop().await;
    let bench = start(github.clone(), dir.path(), one(9));
    bench.listens().await;
    assert_eq!((bench.assigned(), bench.jobs().len()), (2, 0));
    assert_eq!(github.log("poll").last().unwrap(), "poll 1 9");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_an_earlier_run_that_comes_again_counts_nothing() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(9));
    settle().await;
    github.send(7, 2, &[assigned(1), assigned(2)]);
    settle().await;
    bench.stop().await;
    github.state().count = SetStatistics::default();
    let bench = start(github.clone(), dir.path(), one(9));
    bench.listens().await;
    assert_eq!(bench.assigned(), 0);
    github.state().repeats = true;
    github.send(7, 2, &[]);
    settle().await;
    assert_eq!(
        (bench.assigned(), github.log("ack").len()),
        (0, 2),
        "it was counted before this session began"
    );
    github.send(8, 1, &[]);
    settle().await;
    assert_eq!(bench.assigned(), 1);
}

#[tokio::test(start_paused = true)]
async fn less_room_is_said_at_once_and_more_with_the_next_wait() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(5));
    settle().await;
    let said = |capacity: u32| {
        bench.wanted.send_replace(Arc::new(one(capacity)));
        async {
            settle().await;
            github.log("poll").last().unwrap().clone()
        }
    };
    assert_eq!(said(0).await, "poll 0 0");
    assert_eq!(said(2).await, "poll 0 2");
    assert_eq!(said(4).await, "poll 0 2");
    minutes(1).await;
    assert_eq!(github.log("poll").last().unwrap(), "poll 0 4");
    assert_eq!(said(3).await, "poll 0 3");
    assert_eq!((github.calls("open"), github.calls("ensure")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn offers_are_taken_as_far_as_there_is_room() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    github.state().offered = vec![job(1), job(2), job(3)];
    github.state().count.assigned = 1;
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    assert_eq!(github.log("acquire"), ["acquire 1,2"]);
    assert_eq!(bench.jobs(), ["request 1", "request 2"]);
    github.state().offered.push(job(4));
    github.send(1, 3, &[SetNews::Available(job(4))]);
    minutes(2).await;
    assert_eq!(github.calls("acquire"), 1, "there is no room");
    github.send(2, 1, &[completed(1), completed(2)]);
    minutes(2).await;
    assert_eq!(github.log("acquire"), ["acquire 1,2", "acquire 3,4"]);
    assert_eq!((bench.jobs(), github.calls("ack")), (vec!["request 3".into(), "request 4".into()], 2));
}

#[tokio::test(start_paused = true)]
async fn what_there_was_no_room_for_is_taken_however_often_that_fails_at_first() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(1));
    settle().await;
    github.state().offered = vec![job(1), job(2)];
    github.send(1, 0, &[SetNews::Available(job(1)), SetNews::Available(job(2))]);
    settle().await;
    assert_eq!(bench.jobs(), ["request 1"]);
    github.fail("offers", failed(), 5);
    github.fail("acquire", failed(), 3);
    github.send(2, 0, &[completed(1)]);
    minutes(10).await;
    assert_eq!((bench.jobs(), github.calls("offers")), (vec!["request 2".to_owned()], 10));
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_leaves_takes_its_set_with_it_once_no_jobs_are_assigned() {
    for (count, left) in [(0, 0), (2, 1)] {
        let (github, dir) = (Arc::new(Fake::default()), dir());
        github.state().count.assigned = count;
        let bench = start(github.clone(), dir.path(), one(3));
        bench.listens().await;
        bench.wanted.send_replace(Arc::default());
        settle().await;
        assert!(bench.told.borrow().sets.is_empty());
        minutes(4 * 60).await;
        assert_eq!(left_at(&github), (left, 0));
        github.state().count.assigned = 0;
        minutes(15).await;
        assert_eq!(left_at(&github), (0, 0));
        assert!(github.calls("open") < 25, "{:?}", github.state().log);
        assert!(!std::fs::read_to_string(dir.path().join("sets.toml")).unwrap().contains("build"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_failures_kept_is_deleted_once_they_end_by_another_run_too() {
    for restarts in [false, true] {
        let (github, dir) = (Arc::new(Fake::default()), dir());
        let mut bench = start(github.clone(), dir.path(), one(3));
        bench.listens().await;
        for call in ["close", "delete", "open"] {
            github.fail(call, failed(), u32::MAX);
        }
        bench.wanted.send_replace(Arc::default());
        minutes(60).await;
        if restarts {
            bench.stop().await;
            bench = start(github.clone(), dir.path(), Wanted::default());
            settle().await;
            bench.wanted.send_replace(Arc::default());
        }
        github.state().clear_faults();
        minutes(16).await;
        assert_eq!(left_at(&github), (0, 0));
        bench.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_comes_back_keeps_the_set_that_stayed() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    github.state().count.assigned = 2;
    let bench = start(github.clone(), dir.path(), one(3));
    bench.listens().await;
    bench.wanted.send_replace(Arc::default());
    minutes(30).await;
    bench.wanted.send_replace(Arc::new(one(3)));
    settle().await;
    bench.listens().await;
    github.state().count.assigned = 0;
    minutes(60).await;
    bench.listens().await;
    assert_eq!((github.calls("delete"), github.state().sets.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_places_are_not_known_keeps_its_sets_across_a_restart_too() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    bench.listens().await;
    let unplaced = Arc::new(wanted(&[("build", want(&[]))]));
    bench.wanted.send_replace(unplaced.clone());
    settle().await;
    bench.listens().await;
    bench.run.abort();
    let bench = start(github.clone(), dir.path(), wanted(&[("build", want(&[]))]));
    settle().await;
    assert_eq!((github.calls("delete"), github.state().sets.len()), (0, 1));
    bench.wanted.send_replace(Arc::new(one(3)));
    minutes(5).await;
    bench.listens().await;
    assert_eq!((github.calls("delete"), github.state().sets.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_set_whose_session_another_has_is_never_deleted() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    github.fail("open", SetError::SessionTaken("x".into()), u32::MAX);
    let bench = start(github.clone(), dir.path(), one(3));
    minutes(1).await;
    bench.wanted.send_replace(Arc::default());
    settle().await;
    assert!(bench.told.borrow().sets.is_empty());
    minutes(16).await;
    github.state().clear_faults();
    minutes(60).await;
    assert_eq!((github.calls("delete"), github.state().sets.len()), (0, 1), "it is another's by then");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_comes_back_or_changes_its_set_begins_anew() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    let mut other = want(&[("orgs/acme", 3)]);
    other.set = Some("GPU".into());
    bench.wanted.send_replace(Arc::new(wanted(&[("build", other)])));
    settle().await;
    bench.listens().await;
    let names: Vec<String> = github.state().sets.keys().map(|(_, name)| name.clone()).collect();
    assert_eq!(names, ["GPU"]);
    bench.wanted.send_replace(Arc::default());
    bench.wanted.send_replace(Arc::new(one(3)));
    settle().await;
    bench.listens().await;
    let names: Vec<String> = github.state().sets.keys().map(|(_, name)| name.clone()).collect();
    assert_eq!(names, ["build"]);
}

#[tokio::test(start_paused = true)]
async fn what_left_the_file_while_nobody_looked_is_cleared_out() {
    for (taken, assigned, left) in [(0, 0, 0), (0, 2, 1), (4, 0, 0), (5, 0, 1)] {
        let (github, dir) = (Arc::new(Fake::default()), dir());
        let bench = start(github.clone(), dir.path(), one(3));
        settle().await;
        bench.stop().await;
        github.state().count.assigned = assigned;
        github.fail("open", SetError::SessionTaken("x".into()), taken);
        let bench = start(github.clone(), dir.path(), Wanted::default());
        minutes(5).await;
        assert_eq!(github.state().sets.len(), 1, "nothing is known to be unwanted yet");
        bench.wanted.send_replace(Arc::default());
        minutes(60).await;
        assert_eq!(github.state().sets.len(), left, "taken {taken}, assigned {assigned}");
        let kept = std::fs::read_to_string(dir.path().join("sets.toml")).unwrap().contains("build");
        assert_eq!(kept, assigned > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_whose_making_was_never_answered_goes_with_its_pool() {
    for (crashes, replaced) in [(false, false), (true, false), (false, true)] {
        let (github, dir) = (Arc::new(Fake::default()), dir());
        github.state().loses_made = true;
        let mut bench = start(github.clone(), dir.path(), one(3));
        settle().await;
        assert_eq!((github.calls("ensure"), github.state().sets.len()), (1, 1));
        if crashes {
            bench.run.abort();
            bench = start(github.clone(), dir.path(), Wanted::default());
            settle().await;
        }
        let mut other = want(&[("orgs/acme", 3)]);
        other.set = Some("GPU".into());
        let next = if replaced { wanted(&[("build", other)]) } else { Wanted::default() };
        bench.wanted.send_replace(Arc::new(next));
        minutes(1).await;
        let names: Vec<String> = github.state().sets.keys().map(|(_, name)| name.clone()).collect();
        assert_eq!(names, if replaced { vec!["GPU"] } else { vec![] }, "crashes {crashes}");
        bench.stop().await;
        assert_eq!(github.state().sessions.len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn labels_are_mended_in_place_and_those_refused_are_told() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    let mut other = want(&[("orgs/acme", 3)]);
    other.labels = vec!["gpu".into(), "big".into()];
    github.state().refuses = vec!["big".into()];
    bench.wanted.send_replace(Arc::new(wanted(&[("build", other)])));
    settle().await;
    bench.listens().await;
    assert_eq!(github.log("ensure").last().unwrap(), "ensure build build,gpu,big");
    assert_eq!((github.calls("open"), github.calls("delete")), (1, 0));
    let words = bench.view().disagreement.unwrap();
    assert!(words.starts_with("GitHub did not take the labels big:"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_message_in_hand_but_not_for_ever() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let bench = start(github.clone(), dir.path(), one(3));
    settle().await;
    github.state().hangs = Some("ack");
    github.send(1, 1, &[assigned(7)]);
    settle().await;
    let begun = Instant::now();
    bench.stop().await;
    assert!((2..=4).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(github.log("close"), ["close 1 s1"]);
}

#[tokio::test(start_paused = true)]
async fn pools_and_scopes_do_not_wait_for_each_other() {
    let (github, dir) = (Arc::new(Fake::default()), dir());
    let pools = [
        ("build", want(&[("repos/acme/app", 1), ("repos/acme/web", 2)])),
        ("gpu", want(&[("orgs/acme", 1)])),
    ];
    github.fail("open", SetError::SessionTaken("x".into()), 1);
    let bench = start(github.clone(), dir.path(), wanted(&pools));
    settle().await;
    let told = bench.told.borrow().clone();
    let listening = told.sets.iter().filter(|set| set.state == SetState::Listening).count();
    assert_eq!((told.sets.len(), listening), (3, 2));
}
