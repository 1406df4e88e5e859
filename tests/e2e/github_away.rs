//! A GitHub that is away, limits, or refuses.

use std::time::Duration;

use ghrunner::http::dto;

use crate::bench::Bench;
use crate::bench::PARTNER;
use crate::bench::idle;
use crate::bench::phases;

const ONE: &str = "[pools.a-{P}]\norg = \"acme\"\nlabels = [\"a-{P}\"]\nmin = 2\n";

fn credential<'s>(status: &'s dto::Status, name: &str) -> &'s dto::Credential {
    status.credentials.iter().find(|c| c.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_github_is_away() {
    let mut bench = Bench::new("github_away").await;
    bench.start(ONE).await;
    bench.idle("a", 2).await;
    let before = bench.fleet.ids().await.unwrap();
    bench.api.down();
    let away = |s: &dto::Status| {
        s.held.iter().chain(s.pools.iter().flat_map(|p| &p.held)).any(|h| h.why == "listing_incomplete")
    };
    bench.wait("that the listing fails shows", away).await;
    // A runner ends meanwhile. Runners reach GitHub by a way of their own.
    let job = bench.busy("acme/app", "a", 1).await;
    assert_eq!(bench.outcome(job).await, "success");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(bench.sim.counters().runners_deleted, 0);
    bench.api.up().await.unwrap();
    bench.idle("a", 2).await;
    bench.paired().await;
    let after = bench.fleet.ids().await.unwrap();
    assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 1, "the idle one stayed");
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_while_a_limit_holds_and_the_other_credential_goes_on() {
    let mut bench = Bench::new("rate_limited").await;
    let pools = format!(
        "{ONE}[pools.b-{{P}}]\nrepo = \"alice/tool\"\nlabels = [\"b-{{P}}\"]\ncredentials = \"partner\"\n"
    );
    bench.start(&pools).await;
    bench.idle("a", 2).await;
    bench.idle("b", 1).await;
    bench.sim.faults("* /orgs/** secondary=12 count=1").unwrap();
    let told = bench.wait("the limit shows", |s| credential(s, "default").limited.is_some()).await;
    let until = credential(&told, "default").limited.clone().unwrap().until;
    let sent = credential(&told, "default").requests;
    // Work comes up for both: one waits, the other does not.
    let b = bench.busy("alice/tool", "b", 1).await;
    let a = bench.busy("acme/app", "a", 1).await;
    assert_eq!((bench.outcome(a).await, bench.outcome(b).await), ("success", "success"));
    let [mine, other] = ["a", "b"].map(|name| bench.fleet.pool(name));
    let told = bench
        .wait("one waits, the other has a successor", |s| {
            let held = |name: &str| {
                s.pools.iter().any(|p| p.name == name && p.held.iter().any(|h| h.why == "github"))
            };
            held(&mine) && !held(&other) && phases(s, &other) == idle(1)
        })
        .await;
    assert!(told.as_of < until);
    assert_eq!(credential(&told, "default").requests, sent, "nothing was sent while the limit held");
    bench.idle("a", 2).await;
    bench.empty().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_stops_its_own_pools_only_and_is_told() {
    let mut bench = Bench::new("revoked").await;
    let pools = format!(
        "{ONE}[pools.b-{{P}}]\nrepo = \"alice/tool\"\nlabels = [\"b-{{P}}\"]\ncredentials = \"partner\"\n"
    );
    bench.start(&pools).await;
    bench.idle("a", 2).await;
    bench.idle("b", 1).await;
    bench.sim.with_world(|world, _| world.revoke_token(PARTNER));
    let told = bench.wait("the refusal shows", |s| credential(s, "partner").refused.is_some()).await;
    assert!(credential(&told, "default").refused.is_none());
    let a = bench.busy("acme/app", "a", 1).await;
    assert_eq!(bench.outcome(a).await, "success");
    bench.idle("a", 2).await;
    assert_eq!(bench.of_pool("b").await.len(), 1, "a credential that is refused costs no runner");
    let (code, said, _) = bench.cli(&["doctor"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("revoked"), "{said}");
    bench.no_secret_in("doctor", &said);
    bench.finish().await;
}
