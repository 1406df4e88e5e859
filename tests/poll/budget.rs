//! What polling takes of the hourly budget.

use std::time::Duration;

use ghrunner::model::CredentialName;
use ghrunner::model::Demand;

use crate::fake::*;

fn many(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("acme/r{n}")).collect()
}

fn stand(repos: &[String]) -> Stand {
    let repos: Vec<&str> = repos.iter().map(String::as_str).collect();
    Stand::new([("a", pool(Demand::Poll, &repos))])
}

fn name() -> CredentialName {
    CredentialName::default_name()
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_of_twenty_repositories_costs_nothing_after_the_first_look() {
    let repos = many(20);
    let stand = stand(&repos);
    pass(10).await;
    assert_eq!(stand.github.spent(&name()), 40);
    pass(3500).await;
    assert_eq!(stand.github.spent(&name()), 40);
    for at in &repos {
        let looks = stand.github.looks(at);
        assert!(looks.len() > 3500 / 15, "{at}: {}", looks.len());
        assert!(gaps(&looks).iter().all(|gap| *gap <= Duration::from_secs(16)), "{at}");
    }
    assert!(stand.github.world.lock().unwrap().busiest <= 4);
}

#[tokio::test(start_paused = true)]
async fn busy_repositories_share_a_fifth_of_the_hour_fairly() {
    let repos = many(60);
    let stand = stand(&repos);
    for at in &repos {
        stand.github.with(at, |there| there.restless = true);
    }
    pass(3595).await;
    let spent = stand.github.spent(&name());
    assert!((500..=1000).contains(&spent), "{spent}");
    let looks: Vec<usize> = repos.iter().map(|at| stand.github.looks(at).len()).collect();
    let (least, most) = (looks.iter().min().unwrap(), looks.iter().max().unwrap());
    assert!(most - least <= 3, "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn where_others_spend_the_budget_polling_takes_a_fifth_of_what_they_leave() {
    let repos = many(10);
    let stand = stand(&repos);
    stand.github.account(&name(), |account| account.drain = 1);
    for at in &repos {
        stand.github.with(at, |there| there.restless = true);
    }
    // 5,000 an hour, of which others leave 1,400.
    pass(3595).await;
    let spent = stand.github.spent(&name());
    assert!((200..=1000).contains(&spent), "{spent}");
}

#[tokio::test(start_paused = true)]
async fn one_busy_repository_keeps_its_pace_for_a_while() {
    let stand = stand(&many(1));
    pass(60).await;
    stand.github.with("acme/r0", |there| (there.restless, there.jobs) = (true, vec![job(1, "acme/r0")]));
    pass(600).await;
    let looks = stand.github.looks("acme/r0");
    let last = gaps(&looks[looks.len() - 10..]);
    assert!(last.iter().all(|gap| *gap <= Duration::from_secs(10)), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_is_waited_for_and_said() {
    let stand = stand(&many(3));
    stand.github.account(&name(), |account| account.limit = 4);
    stand.github.with("acme/r0", |there| there.restless = true);
    pass(600).await;
    let said = stand.error("acme/r0").unwrap();
    assert!(said.contains("polling has used its part"), "{said}");
    let looks = stand.github.looks("acme/r0").len();
    pass(1800).await;
    assert_eq!(stand.github.looks("acme/r0").len(), looks);
    stand.github.account(&name(), |account| account.limit = 5000);
    pass(1800).await;
    assert!(stand.github.looks("acme/r0").len() > looks);
    assert_eq!(stand.error("acme/r0"), None);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_limits_has_none() {
    let stand = stand(&many(30));
    stand.github.account(&name(), |account| account.limit = 0);
    for at in many(30) {
        stand.github.with(&at, |there| there.restless = true);
    }
    pass(3600).await;
    assert!(stand.github.looks("acme/r29").len() > 200);
}

#[tokio::test(start_paused = true)]
async fn three_hundred_repositories_stay_below_the_secondary_limit_from_the_first_minute_on() {
    let repos = many(300);
    let stand = stand(&repos);
    pass(900).await;
    let looks: Vec<Duration> = repos.iter().flat_map(|at| stand.github.looks(at)).collect();
    let of_minute = |minute| 2 * looks.iter().filter(|at| at.as_secs() / 60 == minute).count();
    let minutes: Vec<usize> = (0..15).map(of_minute).collect();
    assert!(minutes.iter().all(|requests| (200..=620).contains(requests)), "{minutes:?}");
    let counts: Vec<usize> = repos.iter().map(|at| stand.github.looks(at).len()).collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least >= 7 && most - least <= 3, "{least} to {most}");
}
