//! SQLite that is locked, full, damaged or gone.

use ghrunner::control::Archive;
use ghrunner::model::history::HistoryQuery;

use crate::bench::Bench;
use crate::bench::ill;
use crate::bench::note;
use crate::bench::spoil;
use crate::bench::trail;
use crate::bench::well;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_holds_the_lock_records_wait_and_none_is_lost() {
    let bench = Bench::sqlite();
    let (history, _snapshots) = bench.start();
    history.note(note("before"));
    trail(&history, "before").await;
    let mut beside = bench.beside().await;
    bench.run(&mut beside, "BEGIN EXCLUSIVE").await;
    (0..50).for_each(|n| history.note(note(&format!("meanwhile {n}"))));
    let health = ill(&history, "locked by another process").await;
    assert!(health.since.is_some() && health.lost == 0, "{health:?}");
    bench.run(&mut beside, "ROLLBACK").await;
    well(&history).await;
    trail(&history, "meanwhile 49").await;
    assert_eq!(history.verify().await.unwrap().broken, None);
    assert_eq!(history.health().lost, 0);
    history.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_file_is_told_and_what_finds_no_room_in_the_queue_is_counted() {
    let bench = Bench::sqlite_of(400 * 1024);
    let (history, _snapshots) = bench.start();
    history.note(note("before"));
    trail(&history, "before").await;
    let long = "x".repeat(1500);
    let mut sent = 0;
    while history.health().trouble.is_none() {
        history.note(note(&long));
        sent += 1;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        assert!(sent < 60_000, "it never fills up");
    }
    ill(&history, "the database is full").await;
    // More than may wait.
    for _ in 0..14_000 {
        history.note(note("too much"));
        tokio::task::yield_now().await;
    }
    // Reading goes on.
    assert!(!history.audit(HistoryQuery::default()).await.unwrap().items.is_empty());
    let lost = || async { history.health().lost > 0 };
    crate::bench::eventually("losses are counted", lost).await;
    history.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    for (from, length) in [(0, 100), (4096, 40_000)] {
        let bench = Bench::sqlite();
        let (history, snapshots) = bench.start();
        (0..200).for_each(|n| history.note(note(&format!("call {n}"))));
        trail(&history, "call 199").await;
        history.end().await;
        drop((history, snapshots));
        spoil(&bench.file(), from, length);
        let (history, _snapshots) = bench.start();
        history.note(note("in the new one"));
        let trail = trail(&history, "in the new one").await;
        let told = trail.iter().find(|record| record.entry.kind == "history").unwrap();
        assert!(told.entry.text.contains("set aside as"), "{}", told.entry.text);
        assert!(!trail.iter().any(|record| record.entry.text.starts_with("call")));
        let names = std::fs::read_dir(bench.dir.path()).unwrap();
        let kept = names.filter(|n| n.as_ref().unwrap().file_name().to_string_lossy().contains(".damaged-"));
        assert!(kept.count() >= 1, "the old one stays");
        assert_eq!(history.verify().await.unwrap().broken, None);
        history.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_removes_is_made_anew() {
    let bench = Bench::sqlite();
    let (history, _snapshots) = bench.start();
    history.note(note("before"));
    trail(&history, "before").await;
    for part in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{part}", bench.file().display()));
    }
    history.note(note("after"));
    let entries = trail(&history, "after").await;
    well(&history).await;
    let told = entries.iter().find(|record| record.entry.kind == "history").map(|record| &record.entry.text);
    assert!(told.is_some_and(|text| text.contains("the database does not have it")), "{told:?}");
    assert_eq!(history.verify().await.unwrap().broken, None, "the new one is whole");
    history.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_told_without_its_password() {
    let mut bench = Bench::sqlite();
    let url = "postgres://someone:s3cr3t-word@127.0.0.1:1/none";
    bench.place = ghrunner::history::Place::Server(ghrunner::model::Secret::new(url.to_owned()));
    let (history, _snapshots) = bench.start();
    history.note(note("lost"));
    let health = ill(&history, "").await;
    assert!(!format!("{health:?}{history:?}").contains("s3cr3t"), "{health:?}");
    let error = history.jobs(HistoryQuery::default()).await.unwrap_err().to_string();
    assert!(!error.contains("s3cr3t") && error.contains("cannot be read"), "{error}");
    history.end().await;
}
