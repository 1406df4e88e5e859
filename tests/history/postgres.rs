//! PostgreSQL that is stopped, locked, full or damaged. `GHRUNNER_TEST_POSTGRES_CTL` is a command that takes `start`, `stop`
//! or `spoil TABLE`, and does that to the server.

use std::process::Command;

use ghrunner::control::Archive;
use ghrunner::model::history::HistoryQuery;

use crate::bench::Bench;
use crate::bench::ill;
use crate::bench::note;
use crate::bench::trail;
use crate::bench::well;

fn ctl(arguments: &[&str]) {
    let command = std::env::var("GHRUNNER_TEST_POSTGRES_CTL").expect("GHRUNNER_TEST_POSTGRES_CTL");
    let done = Command::new(command).args(arguments).status().unwrap();
    assert!(done.success(), "{arguments:?}");
}

/// One after another: they are the same server's troubles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs GHRUNNER_TEST_POSTGRES and GHRUNNER_TEST_POSTGRES_CTL; .ci/history runs it"]
async fn a_server_stopped_locked_full_or_damaged_is_told_and_written_to_again() {
    let bench = Bench::postgres().expect("GHRUNNER_TEST_POSTGRES");
    let (history, _snapshots) = bench.start();
    history.note(note("before"));
    trail(&history, "before").await;

    ctl(&["stop"]);
    (0..20).for_each(|n| history.note(note(&format!("stopped {n}"))));
    ill(&history, "").await;
    assert!(history.jobs(HistoryQuery::default()).await.is_err());
    ctl(&["start"]);
    trail(&history, "stopped 19").await;
    well(&history).await;

    let mut beside = bench.beside().await;
    bench.run(&mut beside, "BEGIN; LOCK TABLE audit IN EXCLUSIVE MODE").await;
    history.note(note("locked"));
    ill(&history, "statement timeout").await;
    // Reading goes on.
    assert!(history.audit(HistoryQuery::default()).await.is_ok());
    bench.run(&mut beside, "ROLLBACK").await;
    trail(&history, "locked").await;
    well(&history).await;

    // The error of a disk without room, as the server gives it.
    bench
        .run(
            &mut beside,
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION \
             'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER full_disk BEFORE INSERT ON audit EXECUTE FUNCTION no_room()",
        )
        .await;
    history.note(note("full"));
    ill(&history, "No space left on device").await;
    bench.run(&mut beside, "DROP TRIGGER full_disk ON audit; DROP FUNCTION no_room()").await;
    trail(&history, "full").await;
    well(&history).await;
    assert_eq!((history.verify().await.unwrap().broken, history.health().lost), (None, 0));
    drop(beside);

    ctl(&["stop"]);
    ctl(&["spoil", "audit"]);
    ctl(&["start"]);
    history.note(note("damaged"));
    ill(&history, "invalid page").await;
    history.end().await;
}
