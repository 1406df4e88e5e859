//! What a container takes of the machine.
//!
//! With cgroups of version 1 the engine knows the most memory that there ever was. With version 2 it tells what is there now;
//! pages of files that nobody used lately are no need of the job's, and are left out, as `docker stats` does.

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::TryStreamExt;

use super::EngineError;
use super::error::is_gone;
use super::link::LOOK;
use super::link::Link;
use crate::model::ContainerId;
use crate::model::Usage;

/// What it takes now; none if it does not run, or the engine does not tell.
pub(super) async fn usage(link: &Link, id: &ContainerId) -> Result<Option<Usage>, EngineError> {
    // One shot: without it the engine waits a second for a second reading, to tell a rate.
    let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
    let read = async |session: &super::link::Session| {
        let mut answers = std::pin::pin!(session.docker.stats(id.as_str(), Some(options)));
        answers.try_next().await
    };
    match link.call("measure a container", LOOK, read).await {
        Ok(found) => Ok(found.as_ref().and_then(of)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn of(told: &ContainerStatsResponse) -> Option<Usage> {
    let memory = told.memory_stats.as_ref()?;
    let now = || {
        let idle = memory.stats.as_ref().and_then(|stats| stats.get("inactive_file")).copied();
        Some(memory.usage?.saturating_sub(idle.unwrap_or(0)))
    };
    let memory = memory.max_usage.filter(|most| *most > 0).or_else(now)?;
    let cpu = told.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
    Some(Usage { memory, cpu_ms: cpu / 1_000_000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Usage> {
        of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn the_most_memory_is_taken_where_the_engine_knows_it() {
        let v1 = r#"{"memory_stats": {"usage": 5000, "max_usage": 9000, "stats": {"inactive_file": 100}},
                     "cpu_stats": {"cpu_usage": {"total_usage": 2500000000}}}"#;
        assert_eq!(read(v1), Some(Usage { memory: 9000, cpu_ms: 2500 }));
    }

    #[test]
    fn idle_pages_of_files_are_no_need_of_the_job() {
        let v2 = r#"{"memory_stats": {"usage": 5000, "stats": {"inactive_file": 1500}},
                     "cpu_stats": {"cpu_usage": {"total_usage": 999999}}}"#;
        assert_eq!(read(v2), Some(Usage { memory: 3500, cpu_ms: 0 }));
    }

    #[test]
    fn a_container_that_does_not_run_takes_nothing_that_could_be_told() {
        assert_eq!(read(r#"{"memory_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 0}}}"#), None);
        assert_eq!(read("{}"), None);
    }
}
