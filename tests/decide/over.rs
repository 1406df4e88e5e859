//! Jobs whose end nobody told.

use ghrunner::decide;
use ghrunner::model::JobId;

use crate::common::build;
use crate::common::build::NOW;
use crate::common::waiting;

/// The jobs that are left when their runner has been gone for so long.
fn left_after(gone_for: &str) -> Vec<JobId> {
    let config = build::config([build::pool("build")]);
    let mut world = build::world(&config);
    for line in ["job 1 acme/app build on=build/0 request", "job 2 acme/app build on=build/0"] {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(waiting::enter(words[0], &words[1..], &mut world));
    }
    assert!(waiting::enter("gone", &["build/0", gone_for], &mut world));
    decide::track(&build::policy(&config), &mut world, NOW);
    world.demand.jobs.iter().map(|job| job.id).collect()
}

#[test]
fn a_scale_sets_job_is_over_when_its_runner_has_been_gone_for_long_and_a_listed_one_when_the_listing_says_so()
{
    let (told, listed) = (JobId::Request(1), JobId::Job(2));
    assert_eq!(left_after("19m"), [listed, told]);
    assert_eq!(left_after("21m"), [listed]);
}
