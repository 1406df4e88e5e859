//! Deliveries that are taken, and what is told of those that are not.

use ghrunner::model::JobId;
use ghrunner::model::Secret;

use crate::bench::*;

#[tokio::test]
async fn a_signed_delivery_is_in_the_book() {
    let mut bench = Bench::start(settings());
    assert_eq!(bench.send(Post::job(1)).await, 202);
    let heard = bench.until(|heard| heard.hooks.accepted == 1).await;
    assert!(heard.jobs.contains_key(&JobId::Job(1)));
    assert!(heard.hooks.heard.is_some());
    assert_eq!(bench.send(Post::unsigned("ping", "{}").signed(SECRET)).await, 202);
    assert_eq!(bench.send(Post::unsigned("star", "{}").signed(SECRET)).await, 202);
    bench.until(|heard| heard.hooks.accepted == 3).await;
}

#[tokio::test]
async fn without_a_good_signature_nothing_is_taken_and_nothing_told() {
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;
    let bench = Bench::start(settings());
    let unsigned = Post::unsigned("workflow_job", &queued(1));
    let mut tampered = Post::job(1);
    tampered.body[10] ^= 1;
    for post in [
        unsigned.clone(),
        unsigned.clone().signed("another secret"),
        unsigned.clone().with("x-hub-signature-256", "sha256="),
        unsigned.clone().with("x-hub-signature-256", &format!("sha256={}", "0".repeat(64))),
        unsigned.clone().with("x-hub-signature", "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        tampered,
    ] {
        assert_eq!(bench.send(post).await, 401);
    }
    let mut stream = connect("127.0.0.1", bench.address).await;
    stream.write_all(&unsigned.with("connection", "close").bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n"), "no body: {answer}");
    assert!(!answer.to_lowercase().contains("server"), "{answer}");
    assert_eq!(bench.view.borrow().hooks.accepted, 0);
}

#[tokio::test]
async fn two_secrets_are_good_while_one_takes_over_from_the_other() {
    let bench = Bench::start(settings());
    let with = |secret| Post::unsigned("ping", "{}").signed(secret);
    bench.change(|settings| settings.secrets = vec![Secret::new("new"), Secret::new(SECRET)]);
    assert_eq!((bench.send(with("new")).await, bench.send(with(SECRET)).await), (202, 202));
    bench.change(|settings| settings.secrets = vec![Secret::new("new")]);
    assert_eq!((bench.send(with("new")).await, bench.send(with(SECRET)).await), (202, 401));
    bench.change(|settings| settings.secrets = vec![]);
    assert_eq!(bench.send(with("new")).await, 503, "without a secret GitHub has to try again later");
}

#[tokio::test]
async fn a_delivery_that_comes_twice_is_taken_once() {
    let mut bench = Bench::start(settings());
    for _ in 0..3 {
        assert_eq!(bench.send(Post::job(1)).await, 202);
    }
    assert_eq!(bench.send(Post::job(2)).await, 202);
    let heard = bench.until(|heard| heard.jobs.len() == 2).await;
    assert_eq!(heard.hooks.accepted, 2);
}

#[tokio::test]
async fn what_finds_no_room_is_refused_and_taken_when_it_comes_again() {
    let mut bench = Bench::without_book(settings(), ghrunner::http::IntakeLimits::default());
    let event = ghrunner::demand::parse_hook("workflow_job", queued(1).as_bytes()).unwrap();
    let offered = (0..).find(|_| bench.inlet.offer(event.clone()).is_err()).unwrap();
    assert_eq!(bench.send(Post::job(7)).await, 503);
    bench.open_book();
    bench.until(|heard| heard.hooks.accepted == offered).await;
    assert_eq!(bench.send(Post::job(7)).await, 202, "the refused one does not count as seen");
    bench.until(|heard| heard.jobs.contains_key(&JobId::Job(7))).await;
}

#[tokio::test]
async fn only_posts_of_json_to_the_one_path_are_taken() {
    let bench = Bench::start(settings());
    for (post, status) in [
        (Post::job(1).line("GET /webhook"), 405),
        (Post::job(1).line("PUT /webhook"), 405),
        (Post::job(1).line("POST /"), 404),
        (Post::job(1).line("GET /v1/status"), 404),
        (Post::job(1).with("content-type", "application/x-www-form-urlencoded"), 415),
        (Post::unsigned("workflow_job", "no JSON").signed(SECRET), 400),
        (Post::unsigned("workflow_job", "{}").signed(SECRET), 400),
        (Post::job(1).line("POST /webhook?x=y"), 202),
    ] {
        let line = post.line.clone();
        assert_eq!(bench.send(post).await, status, "{line}");
    }
    let mut nameless = Post::job(1);
    nameless.headers.retain(|(name, _)| name != "x-github-event");
    assert_eq!(bench.send(nameless).await, 400);
}

#[tokio::test]
async fn one_connection_may_bring_many() {
    use tokio::io::AsyncWriteExt as _;
    let mut bench = Bench::start(settings());
    let mut stream = connect("127.0.0.1", bench.address).await;
    for id in 0..50 {
        stream.write_all(&Post::job(id).bytes()).await.unwrap();
        assert_eq!(status(&mut stream).await, Some(202));
    }
    bench.until(|heard| heard.jobs.len() == 50).await;
}
