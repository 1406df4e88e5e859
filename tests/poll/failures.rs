//! What happens when a look fails.

use std::time::Duration;

use ghrunner::github::GitHubError;
use ghrunner::model::CredentialName;
use ghrunner::model::Demand;
use ghrunner::model::WantedPool;

use crate::fake::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_keeps_what_the_last_good_one_saw() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"]))]);
    stand.github.with("acme/app", |there| there.jobs = vec![job(1, "acme/app")]);
    pass(5).await;
    stand.github.with("acme/app", |there| (there.error, there.jobs) = (Some(retry()), vec![]));
    pass(11).await;
    let read = stand.polled().repos[&repo("acme/app")].clone();
    assert_eq!((read.jobs.len(), read.as_of, read.error), (1, Some(START), Some(retry().to_string())));
    pass(900).await;
    let gaps = gaps(&stand.github.looks("acme/app"));
    assert!(gaps.windows(2).skip(1).all(|pair| pair[1] >= pair[0].min(secs(299))), "{gaps:?}");
    assert!(*gaps.last().unwrap() >= secs(240), "{gaps:?}");
    stand.github.with("acme/app", |there| there.error = None);
    pass(301).await;
    let read = stand.polled().repos[&repo("acme/app")].clone();
    assert_eq!((read.jobs.len(), read.error), (0, None));
}

#[tokio::test(start_paused = true)]
async fn one_repository_that_fails_leaves_the_others_at_their_pace() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app", "acme/gone"]))]);
    stand.github.with("acme/gone", |there| there.error = Some(gone()));
    pass(600).await;
    assert!(stand.github.looks("acme/app").len() > 600 / 15);
    assert!(stand.github.looks("acme/gone").len() < 6);
    assert!(stand.error("acme/gone").unwrap().contains("cannot see it"));
}

fn other(repos: &[&str]) -> WantedPool {
    WantedPool { credentials: named("other"), ..pool(Demand::Poll, repos) }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_hangs_or_is_limited_leaves_the_others_alone() {
    let repos = ["acme/a", "acme/b", "acme/c", "acme/d", "acme/e", "acme/f"];
    let stand = Stand::new([("a", pool(Demand::Poll, &repos)), ("b", other(&["bob/app"]))]);
    stand.github.account(&CredentialName::default_name(), |account| account.hangs = true);
    pass(600).await;
    assert!(stand.github.looks("bob/app").len() > 600 / 15);

    let stand = Stand::new([("a", pool(Demand::Poll, &repos)), ("b", other(&["bob/app"]))]);
    let until = START + secs(605);
    pass(5).await;
    stand.github.account(&CredentialName::default_name(), |account| {
        account.limited = Some((until, "slow down".into()))
    });
    pass(300).await;
    let looks = stand.github.looks("acme/a").len();
    let said = stand.error("acme/a").unwrap();
    assert!(said.contains("limited until") && said.contains("slow down"), "{said}");
    pass(295).await;
    assert_eq!(stand.github.looks("acme/a").len(), looks, "nothing is sent while limited");
    pass(20).await;
    assert!(stand.github.looks("acme/a").len() > looks);
    assert_eq!(stand.error("acme/a"), None);
    assert!(stand.github.looks("bob/app").len() > 600 / 15);
}

#[tokio::test(start_paused = true)]
async fn where_one_credential_is_refused_the_next_one_asks() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"])), ("b", other(&["acme/app"]))]);
    let why = "the file is gone".to_owned();
    let refused = GitHubError::Unusable { credential: CredentialName::default_name(), why };
    stand.github.with("acme/app", |there| there.error = Some(refused));
    pass(30).await;
    let spent = || (stand.github.spent(&CredentialName::default_name()), stand.github.spent(&named("other")));
    assert_eq!(spent(), (1, 1));
    stand.github.with("acme/app", |there| there.error = None);
    pass(200).await;
    assert!(spent().0 > 1 || spent().1 > 1);
    assert_eq!(stand.error("acme/app"), None);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_stops_nothing() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"]))]);
    pass(100).await;
    *stand.github.set_back.lock().unwrap() = secs(3000);
    let before = stand.github.looks("acme/app").len();
    pass(60).await;
    assert!(stand.github.looks("acme/app").len() >= before + 3);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_cancelled_and_when_nobody_wants_anything_any_more() {
    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"]))]);
    pass(1).await;
    stand.cancel.cancel();
    stand.task.await.unwrap();

    let stand = Stand::new([("a", pool(Demand::Poll, &["acme/app"]))]);
    pass(1).await;
    drop(stand.wanted);
    stand.task.await.unwrap();
}
