//! What a runner's own last lines tell of its job: when it began, when it ended, and how.

use std::time::UNIX_EPOCH;

use crate::model::Time;
use crate::model::history::JobResult;

/// What was told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) started: Option<Time>,
    pub(super) ended: Option<Time>,
    pub(super) result: Option<JobResult>,
}

/// Reads `2026-01-31 12:00:00Z: Running job: build` and `… Job build completed with result: Succeeded`.
pub(super) fn read(lines: &[String]) -> Told {
    let mut told = Told::default();
    for line in lines {
        if line.contains("Running job: ") {
            told = Told { started: moment(line), ..Told::default() };
        }
        if let Some((_, result)) = line.split_once(" completed with result: ") {
            told.ended = moment(line);
            told.result = match result.trim() {
                "Succeeded" => Some(JobResult::Succeeded),
                "Failed" => Some(JobResult::Failed),
                "Canceled" => Some(JobResult::Cancelled),
                _ => None,
            };
        }
    }
    told
}

/// The moment with which a line begins.
fn moment(line: &str) -> Option<Time> {
    let (text, _) = line.trim_start().split_once(": ")?;
    let moment = humantime::parse_rfc3339_weak(text).ok()?;
    Some(Time::default() + moment.duration_since(UNIX_EPOCH).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_tells_of_begin_end_and_result() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let told = read(&lines(
            "Listening for Jobs\n2024-02-29 12:34:56Z: Running job: build: all (linux)\n\
             2024-02-29 12:35:26Z: Job build: all (linux) completed with result: Succeeded\n",
        ));
        let began = Time::from_secs(1_709_210_096);
        let ended = Time::from_secs(1_709_210_126);
        assert_eq!(
            told,
            Told { started: Some(began), ended: Some(ended), result: Some(JobResult::Succeeded) }
        );
        assert_eq!(read(&lines("Running job: x\nJob x completed with result: Odd")), Told::default());
        assert_eq!(read(&[]), Told::default());
    }
}
