//! What is refused before it costs anything: by address, pace, size and time.

use std::time::Duration;

use ghrunner::http::IntakeLimits;
use ghrunner::http::IntakeSettings;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::bench::*;

#[tokio::test]
async fn what_is_declared_too_large_is_not_read() {
    let bench = Bench::start(IntakeSettings { max_body: 100_000, ..settings() });
    let mut stream = connect("127.0.0.1", bench.address).await;
    let head = format!("{}content-length: 100001\r\n\r\n", Post::job(1).head());
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(status(&mut stream).await, Some(413), "not a byte of the body was sent");
}

#[tokio::test]
async fn what_turns_out_too_large_is_not_read_to_its_end() {
    let bench = Bench::start(IntakeSettings { max_body: 1000, ..settings() });
    let mut stream = connect("127.0.0.1", bench.address).await;
    let head = format!("{}transfer-encoding: chunked\r\n\r\n", Post::job(1).head());
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..10 {
        stream.write_all(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes()).await.unwrap();
    }
    stream.write_all(b"1\r\nx\r\n").await.unwrap();
    assert_eq!(status(&mut stream).await, Some(413), "the body's end was not sent");
}

#[tokio::test]
async fn a_chunked_delivery_is_taken() {
    let bench = Bench::start(settings());
    let post = Post::job(1);
    let mut stream = connect("127.0.0.1", bench.address).await;
    stream.write_all(format!("{}transfer-encoding: chunked\r\n\r\n", post.head()).as_bytes()).await.unwrap();
    for part in post.body.chunks(7) {
        let chunk = format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part));
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut stream).await, Some(202));
}

#[tokio::test]
async fn who_sends_slowly_is_sent_away() {
    let limits = IntakeLimits {
        head_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        ..IntakeLimits::default()
    };
    let bench = Bench::without_book(settings(), limits);
    let mut in_body = connect("127.0.0.1", bench.address).await;
    let bytes = Post::job(1).bytes();
    in_body.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    assert_eq!(status(&mut in_body).await, Some(408));
    for part in ["", "POST /webhook HTTP/1.1\r\nhost: x\r\n"] {
        let mut in_head = connect("127.0.0.1", bench.address).await;
        in_head.write_all(part.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = in_head.read_to_end(&mut answer).await;
        assert!(!String::from_utf8_lossy(&answer).contains(" 202"), "{part}");
    }
}

#[tokio::test]
async fn an_address_may_be_refused_so_often_and_no_more() {
    let bench = Bench::start(IntakeSettings { rate: 1, ..settings() });
    for id in 0..100 {
        assert_eq!(bench.send(Post::job(id)).await, 202, "good ones are not counted");
    }
    let bad = Post::unsigned("workflow_job", &queued(1));
    let mut refused = 0;
    while bench.send(bad.clone()).await == 401 {
        refused += 1;
        assert!(refused < 1000, "there is no end to it");
    }
    assert!(refused >= 10, "{refused}");
    assert_eq!(bench.send(bad.from("127.0.0.2")).await, 401, "others have their own");
    assert_eq!(bench.send(Post::job(200).from("127.0.0.2")).await, 202);
}

#[tokio::test]
async fn only_githubs_networks_may_deliver_if_the_file_says_so() {
    let mut bench =
        Bench::without_book(IntakeSettings { only_github: true, ..settings() }, IntakeLimits::default());
    assert_eq!(bench.send(Post::job(1).from("127.0.0.2")).await, 503, "the networks are not known yet");
    bench.open_book();
    while bench.inlet.networks().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.send(Post::job(1).from("127.0.0.2")).await, 202);
    assert_eq!(bench.send(Post::job(2).from("127.0.0.1")).await, 403);
    let behind = Post::job(3).with("x-forwarded-for", "6.6.6.6, 127.0.0.2");
    assert_eq!(bench.send(behind.clone()).await, 403, "nobody is believed who is not trusted");
    bench.change(|settings| settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]);
    assert_eq!(bench.send(behind).await, 202);
    assert_eq!(bench.send(Post::job(4).with("x-forwarded-for", "127.0.0.2, 6.6.6.6")).await, 403);
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let limits = IntakeLimits { connections: 8, ..IntakeLimits::default() };
    let bench = Bench::without_book(settings(), limits);
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = connect("127.0.0.1", bench.address).await;
        // An answer shows that the connection was taken.
        stream.write_all(&Post::job(1).bytes()).await.unwrap();
        assert_eq!(status(&mut stream).await, Some(202));
        idle.push(stream);
    }
    let mut one_more = connect("127.0.0.1", bench.address).await;
    assert_eq!(status(&mut one_more).await, None, "it is closed without a word");
    assert_eq!(bench.send(Post::job(2).from("127.0.0.2")).await, 202);
    drop(idle);
    let mut closed = 0;
    loop {
        let mut again = connect("127.0.0.1", bench.address).await;
        let _ = again.write_all(&Post::job(3).bytes()).await;
        if status(&mut again).await == Some(202) {
            break;
        }
        closed += 1;
        assert!(closed < 10_000, "places are given back");
    }
}

#[tokio::test]
async fn all_bodies_together_have_a_bound() {
    let limits = IntakeLimits { bodies: 64 * 1024, ..IntakeLimits::default() };
    let bench = Bench::without_book(settings(), limits);
    let large = |id| {
        let body = format!("{}{}", queued(id), " ".repeat(40 * 1024));
        Post::unsigned("workflow_job", &body).signed(SECRET)
    };
    let mut first = connect("127.0.0.1", bench.address).await;
    let bytes = large(1).bytes();
    first.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    // The other one finds no room once the first one's bytes were read.
    let mut tries = 0;
    while bench.send(large(2)).await != 503 {
        tries += 1;
        assert!(tries < 10_000);
    }
    first.write_all(&bytes[bytes.len() - 1..]).await.unwrap();
    assert_eq!(status(&mut first).await, Some(202));
    assert_eq!(bench.send(large(3)).await, 202);
}
