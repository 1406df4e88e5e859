use proptest::prelude::*;

use super::*;
use crate::model::RunnerName;

const NOW: Time = Time(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn news(id: u64, stage: Stage) -> JobNews {
    JobNews {
        id,
        run: 100,
        attempt: 1,
        repo: "acme/app".parse().unwrap(),
        repo_id: 3,
        workflow: "CI".to_owned(),
        name: format!("job {id}"),
        labels: vec!["self-hosted".to_owned()],
        branch: "main".to_owned(),
        created: Some(NOW),
        stage,
        runner: (stage == Stage::Running).then(|| RunnerName::new("r")),
    }
}

fn job(id: u64, stage: Stage) -> HookEvent {
    HookEvent::Job(news(id, stage))
}

fn run(attempt: u64, done: bool) -> HookEvent {
    let (event, workflow) = ("push".to_owned(), "CI".to_owned());
    HookEvent::Run(RunNews { id: 100, attempt, done, event, workflow })
}

fn book(events: &[HookEvent]) -> Book {
    let mut book = Book::default();
    events.iter().for_each(|event| book.hear(event, NOW));
    book
}

fn repos(book: &Book) -> Vec<String> {
    book.jobs.values().map(|heard| heard.job.repo.to_string()).collect()
}

#[test]
fn a_job_goes_from_queued_to_running_to_nothing() {
    let mut book = book(&[job(1, Stage::Queued)]);
    let heard = book.heard(NOW);
    assert_eq!(heard.jobs[&JobId::Job(1)].job.state, JobState::Queued);
    assert_eq!(heard.jobs[&JobId::Job(1)].job.queued, NOW);
    let later = NOW + Duration::from_secs(5);
    book.hear(&job(1, Stage::Running), later);
    let running = &book.jobs[&JobId::Job(1)];
    assert_eq!(running.job.state, JobState::Running { runner: Some(RunnerName::new("r")) });
    assert_eq!(running.at, later);
    book.hear(&job(1, Stage::Done), later);
    assert!(book.heard(later).jobs.is_empty());
    assert_eq!(book.heard(later).done[&JobId::Job(1)], later);
    assert!(book.heard(later + HOUR).done.is_empty(), "an old end is no news");
}

#[test]
fn what_comes_late_changes_nothing() {
    let book = book(&[job(1, Stage::Done), job(1, Stage::Running), job(1, Stage::Queued)]);
    assert!(book.jobs.is_empty());
}

#[test]
fn a_runner_that_is_told_later_is_filled_in() {
    let unnamed = HookEvent::Job(JobNews { runner: None, ..news(1, Stage::Running) });
    let book = book(&[unnamed, job(1, Stage::Running)]);
    assert_eq!(book.jobs[&JobId::Job(1)].job.state, JobState::Running { runner: Some(RunnerName::new("r")) });
}

#[test]
fn an_end_that_got_lost_comes_with_the_runs_end() {
    let mut book = book(&[job(1, Stage::Queued), job(2, Stage::Running), run(1, true)]);
    assert!(book.jobs.is_empty());
    book.hear(&job(1, Stage::Queued), NOW);
    book.hear(&job(3, Stage::Queued), NOW);
    assert!(book.jobs.is_empty(), "they belong to a try that is over");
    book.hear(&HookEvent::Job(JobNews { attempt: 2, ..news(4, Stage::Queued) }), NOW);
    assert_eq!(book.jobs.len(), 1, "the next try is another matter");
    book.hear(&run(1, true), NOW);
    assert_eq!(book.jobs.len(), 1);
}

#[test]
fn a_run_tells_what_started_its_jobs() {
    let nameless = |id| HookEvent::Job(JobNews { workflow: String::new(), ..news(id, Stage::Queued) });
    let book = book(&[nameless(1), run(1, false), nameless(2)]);
    for heard in book.jobs.values() {
        assert_eq!((heard.job.event.as_str(), heard.job.workflow.as_str()), ("push", "CI"));
    }
}

#[test]
fn a_check_ends_the_job_that_it_stands_for_and_no_other() {
    let book = book(&[job(1, Stage::Running), HookEvent::CheckEnded(1), HookEvent::CheckEnded(2)]);
    assert!(book.jobs.is_empty());
    assert_eq!(book.done.len(), 1);
}

#[test]
fn jobs_move_with_their_repository() {
    let moved =
        HookEvent::Moved { id: 3, from: "Acme/App".parse().unwrap(), to: "corp/app2".parse().unwrap() };
    let mut book = book(&[job(1, Stage::Queued), moved, job(2, Stage::Queued)]);
    assert_eq!(repos(&book), ["corp/app2", "corp/app2"], "late news names the old place");
    book.hear(&HookEvent::AccountMoved { from: "corp".to_owned(), to: "inc".to_owned() }, NOW);
    assert_eq!(repos(&book), ["inc/app2", "inc/app2"]);
    let other = JobNews { repo_id: 4, ..news(3, Stage::Queued) };
    book.hear(&HookEvent::Job(other), NOW);
    assert_eq!(repos(&book)[2], "acme/app", "a new repository may have the old name");
}

#[test]
fn jobs_go_with_their_repository_or_account() {
    let mut gone = book(&[job(1, Stage::Queued)]);
    gone.hear(&HookEvent::Gone("acme/other".parse().unwrap()), NOW);
    assert_eq!(gone.jobs.len(), 1);
    gone.hear(&HookEvent::Gone("acme/app".parse().unwrap()), NOW);
    assert!(gone.jobs.is_empty());
    assert!(book(&[job(1, Stage::Queued), HookEvent::AccountGone("ACME".to_owned())]).jobs.is_empty());
}

#[test]
fn what_an_app_no_longer_sees_is_told_until_it_sees_it_again() {
    let access =
        |lost: Option<&str>| HookEvent::Access { account: "acme".to_owned(), lost: lost.map(str::to_owned) };
    let mut book = book(&[access(Some("the App was uninstalled from acme"))]);
    assert!(book.lost().unwrap().contains("uninstalled"));
    book.hear(&access(None), NOW);
    assert_eq!(book.lost(), None);
}

#[test]
fn what_nobody_speaks_of_for_long_is_forgotten() {
    let mut book = book(&[job(1, Stage::Queued), job(2, Stage::Running), job(3, Stage::Done)]);
    book.prune(NOW + 23 * HOUR);
    assert_eq!((book.jobs.len(), book.done.len()), (2, 1));
    book.prune(NOW + 24 * HOUR);
    assert_eq!(book.jobs.keys().collect::<Vec<_>>(), [&JobId::Job(2)], "a job may run for days");
    assert!(book.done.is_empty());
    book.hear(&job(3, Stage::Queued), NOW + 24 * HOUR);
    assert_eq!(book.jobs.len(), 1, "what is made anew from a day ago has been cancelled since");
    book.prune(NOW + 5 * 24 * HOUR);
    assert!(book.jobs.is_empty());
}

#[test]
fn the_book_has_an_end() {
    let mut book = Book::default();
    for id in 0..=KEPT_AT_MOST as u64 {
        book.hear(&job(id, Stage::Queued), NOW + Duration::from_millis(id));
    }
    assert!(book.jobs.len() <= KEPT_AT_MOST);
    assert!(book.jobs.contains_key(&JobId::Job(KEPT_AT_MOST as u64)), "the latest stays");
    assert!(!book.jobs.contains_key(&JobId::Job(0)));
}

fn stages() -> impl Strategy<Value = Vec<(u64, Stage)>> {
    let stage = prop::sample::select(vec![Stage::Held, Stage::Queued, Stage::Running, Stage::Done]);
    prop::collection::vec((0..4_u64, stage), 0..24)
}

proptest! {
    /// Doubled or not, in whatever order: the furthest stage of each job is what is known in the end.
    #[test]
    fn the_order_of_deliveries_does_not_matter(told in stages(), seed in any::<u64>()) {
        let mut shuffled = told.clone();
        shuffled.extend(told.iter().copied());
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, (state >> 33) as usize % (at + 1));
        }
        let events: Vec<_> = shuffled.iter().map(|(id, stage)| job(*id, *stage)).collect();
        let found = book(&events).heard(NOW);
        for id in 0..4 {
            let furthest = told.iter().filter(|(other, _)| *other == id).map(|(_, stage)| *stage).max();
            let known = found.jobs.get(&JobId::Job(id)).map(|heard| stage(&heard.job.state));
            let done = found.done.contains_key(&JobId::Job(id));
            prop_assert_eq!(known, furthest.filter(|stage| *stage != Stage::Done));
            prop_assert_eq!(done, furthest == Some(Stage::Done));
        }
    }
}
