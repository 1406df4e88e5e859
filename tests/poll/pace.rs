//! How often what is read.

use std::sync::Arc;
use std::time::Duration;

use ghrunner::demand::Poll;
use ghrunner::github::AccountRepo;
use ghrunner::model::Demand;
use ghrunner::model::Time;
use tokio::sync::watch;

use crate::fake::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_job_is_heard_of_within_the_quick_pace_and_its_end_too() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"]))]);
    pass(60).await;
    assert!(stand.jobs("acme/app").is_empty());
    stand.github.with("acme/app", |there| there.jobs = vec![job(1, "acme/app")]);
    let asked = stand.github.now();
    pass(16).await;
    assert_eq!(stand.jobs("acme/app"), [1]);
    assert!(stand.polled().repos[&repo("acme/app")].as_of.unwrap() >= asked);
    pass(60).await;
    let gaps = gaps(&stand.github.looks("acme/app"));
    assert!(gaps[..3].iter().all(|gap| (secs(12)..=secs(15)).contains(gap)), "{gaps:?}");
    assert!(gaps[gaps.len() - 3..].iter().all(|gap| (secs(8)..=secs(10)).contains(gap)), "{gaps:?}");
    stand.github.with("acme/app", |there| there.jobs.clear());
    pass(11).await;
    assert!(stand.jobs("acme/app").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_stays_quiet_is_read_once_a_minute_and_is_lively_again_after_a_job() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"]))]);
    pass(5 * 3600).await;
    let last = gaps(&stand.github.looks("acme/app")).pop().unwrap();
    assert!((secs(50)..=secs(60)).contains(&last), "{last:?}");
    stand.github.with("acme/app", |there| there.jobs = vec![job(1, "acme/app")]);
    pass(61).await;
    stand.github.with("acme/app", |there| there.jobs.clear());
    pass(61).await;
    let last = gaps(&stand.github.looks("acme/app")).pop().unwrap();
    assert!(last <= secs(15), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn the_file_sets_the_pace() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"]))]);
    let clock = stand.github.clone();
    let poll = Poll::new(
        stand.github.clone(),
        Arc::new(move || clock.now()),
        stand.wanted.subscribe(),
        stand.cancel.clone(),
        watch::channel(Arc::default()).0,
    );
    stand.task.abort();
    tokio::spawn(poll.paced(Arc::new(|_| secs(120))).run());
    pass(600).await;
    let gaps = gaps(&stand.github.looks("acme/app")[1..]);
    assert!(gaps.len() > 3 && gaps.iter().all(|gap| (secs(100)..=secs(120)).contains(gap)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn with_deliveries_it_is_read_slowly_and_with_a_scale_set_not_at_all() {
    let stand = Stand::new([
        ("hooks", pool(Demand::Webhook, &["acme/hooks"])),
        ("sets", pool(Demand::ScaleSet, &["acme/sets"])),
    ]);
    pass(1810).await;
    let looks = stand.github.looks("acme/hooks");
    assert!((7..=8).contains(&looks.len()), "{looks:?}");
    let polled = stand.polled();
    assert_eq!(polled.repos.keys().collect::<Vec<_>>(), [&repo("acme/hooks")]);
    // Whoever polls it needs it at the quick pace at once.
    stand.want("sets", |pool| {
        (pool.demand, pool.repos) = (Demand::Poll, vec![repo("acme/hooks"), repo("acme/sets")]);
    });
    pass(1).await;
    assert_eq!(stand.github.looks("acme/hooks").len(), looks.len() + 1);
    assert_eq!(stand.github.looks("acme/sets").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_nudge_is_followed_at_once_but_not_more_often_than_every_three_seconds() {
    let repos = ["acme/app", "acme/web"];
    let stand = Stand::new([("a", pool(Demand::Poll, &repos)), ("b", pool(Demand::Poll, &["acme/other"]))]);
    pass(100).await;
    let (before, other) = (stand.github.looks("acme/app").len(), stand.github.looks("acme/other").len());
    for _ in 0..100 {
        stand.want("a", |pool| pool.nudge += 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let looks = &stand.github.looks("acme/app")[before..];
    assert!(looks[0] <= secs(103), "{looks:?}");
    assert!((3..=5).contains(&looks.len()), "{looks:?}");
    assert!(gaps(looks).iter().all(|gap| *gap >= secs(3)), "{looks:?}");
    assert!(stand.github.looks("acme/other").len() <= other + 1);
    // Nothing more happens: back to the usual pace.
    pass(10).await;
    let calm = stand.github.looks("acme/app").len();
    pass(60).await;
    assert!((4..=5).contains(&(stand.github.looks("acme/app").len() - calm)));
}

#[tokio::test(start_paused = true)]
async fn where_deliveries_tell_of_jobs_a_nudge_reads_nothing() {
    let stand = Stand::new([("a", pool(Demand::Webhook, &["acme/app"]))]);
    pass(10).await;
    for _ in 0..50 {
        stand.want("a", |pool| pool.nudge += 1);
        pass(1).await;
    }
    assert_eq!(stand.github.looks("acme/app").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wanted_view_that_changes_without_a_nudge_reads_nothing_again() {
    let stand = Stand::new([("a", pool(Demand::Webhook, &["acme/app"]))]);
    pass(10).await;
    for n in 0..50 {
        stand.want("a", |pool| pool.labels = vec![n.to_string()]);
        pass(1).await;
    }
    assert_eq!(stand.github.looks("acme/app").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_wanted_any_more_is_forgotten() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app", "acme/web"]))]);
    stand.github.with("acme/app", |there| there.jobs = vec![job(1, "acme/app")]);
    pass(20).await;
    stand.want("a", |pool| pool.repos = vec![repo("acme/web")]);
    pass(1).await;
    assert_eq!(stand.polled().repos.keys().collect::<Vec<_>>(), [&repo("acme/web")]);
    let looks = stand.github.looks("acme/app").len();
    pass(100).await;
    assert_eq!(stand.github.looks("acme/app").len(), looks);
}

fn of_account(at: &str, days_ago: u64, archived: bool) -> AccountRepo {
    AccountRepo { repo: repo(at), pushed: Some(START - secs(days_ago * 86_400)), archived }
}

#[tokio::test(start_paused = true)]
async fn of_an_account_the_active_repositories_are_read() {
    let mut alice = pool(Demand::Poll, &[]);
    alice.accounts = vec!["alice".into()];
    let stand = Stand::new([("alice", alice)]);
    let never = AccountRepo { pushed: None, ..of_account("alice/never", 0, false) };
    stand.github.world.lock().unwrap().lists.insert(
        "alice".into(),
        Ok(vec![
            of_account("alice/app", 1, false),
            of_account("alice/old", 31, false),
            of_account("alice/archived", 1, true),
            never,
        ]),
    );
    pass(5).await;
    let view = &stand.polled().accounts["alice"];
    assert_eq!((view.repos.as_slice(), view.as_of), (&[repo("alice/app")][..], Some(START)));
    assert_eq!(stand.polled().repos.keys().collect::<Vec<_>>(), [&repo("alice/app")]);

    // A push to one that rested, and a job in one whose last push is just then too long ago.
    stand.github.with("alice/app", |there| there.jobs = vec![job(1, "alice/app")]);
    pass(60).await;
    let pushed = AccountRepo { pushed: Some(stand.github.now()), ..of_account("alice/old", 0, false) };
    let list = Ok(vec![of_account("alice/app", 40, false), pushed]);
    stand.github.world.lock().unwrap().lists.insert("alice".into(), list);
    pass(300).await;
    assert_eq!(stand.polled().accounts["alice"].repos, [repo("alice/app"), repo("alice/old")]);
    assert_eq!(stand.jobs("alice/app"), [1]);
    stand.github.with("alice/app", |there| there.jobs.clear());
    pass(600).await;
    assert_eq!(stand.polled().repos.keys().collect::<Vec<_>>(), [&repo("alice/old")]);
    let listed = stand.github.world.lock().unwrap().listed.clone();
    assert!(gaps(&listed).iter().all(|gap| *gap >= secs(250)), "{listed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_leaves_the_last_one() {
    let mut alice = pool(Demand::Poll, &[]);
    alice.accounts = vec!["alice".into()];
    let stand = Stand::new([("alice", alice)]);
    let lists = |list| stand.github.world.lock().unwrap().lists.insert("alice".into(), list);
    lists(Ok(vec![of_account("alice/app", 1, false)]));
    pass(5).await;
    lists(Err(retry()));
    pass(600).await;
    let view = stand.polled().accounts["alice"].clone();
    assert_eq!((view.repos.as_slice(), view.as_of), (&[repo("alice/app")][..], Some(START)));
    assert_eq!(view.error, Some(retry().to_string()));
    assert!(stand.github.looks("alice/app").len() > 9);
    lists(Ok(vec![of_account("alice/app", 1, false)]));
    pass(301).await;
    let view = stand.polled().accounts["alice"].clone();
    assert_eq!(view.error, None);
    assert!(view.as_of > Some(Time(START.0 + 600_000)));
}
