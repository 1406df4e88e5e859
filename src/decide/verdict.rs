//! What became of a runner, from how its container ended and what it printed.

use crate::model::Size;

/// What is known of an end.
#[derive(Debug, Default, Clone, Copy)]
pub struct Ending<'a> {
    /// The container's exit code.
    pub exit_code: Option<i64>,
    /// Whether the engine saw the kernel kill it for memory, which it may miss.
    pub oom_killed: bool,
    /// Whether we stopped it: then a kill is our own.
    pub stopped: bool,
    /// The engine's own word, such as a command that does not exist.
    pub engine_error: Option<&'a str>,
    /// What it printed last.
    pub output: &'a str,
    /// Whether a witness saw it in a job.
    pub seen_busy: bool,
    /// Its memory limit.
    pub memory: Option<Size>,
}

/// What became of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it ran a job.
    pub ran_job: bool,
    /// The job's name, as the runner printed it.
    pub job: Option<String>,
    /// Whether GitHub no longer accepts the runner's version.
    pub outdated: bool,
    /// One sentence.
    pub text: String,
}

/// The runner's exit code for "version deprecated", which it uses as ghrunner sets
/// `ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE` (`Constants.Runner.ReturnCode` in actions/runner).
const EXIT_DEPRECATED: i64 = 7;
/// Ended by SIGKILL: 128 and the signal's number.
const EXIT_KILLED: i64 = 128 + 9;

/// Exit code 0 does not mean that a job ran: `run.sh` ends with 0 for most failures of the listener, too. What it
/// printed, and the witnesses, tell.
pub fn verdict(end: Ending<'_>) -> Verdict {
    let job = last_after(end.output, "Running job: ");
    let ran_job = end.seen_busy || job.is_some();
    let outdated = end.exit_code == Some(EXIT_DEPRECATED)
        || end.output.contains("deprecated and cannot receive messages");
    let text = sentence(&end, ran_job, outdated, job.as_deref());
    Verdict { ran_job, job, outdated, text }
}

fn sentence(end: &Ending<'_>, ran_job: bool, outdated: bool, job: Option<&str>) -> String {
    let during = match (ran_job, job) {
        (true, Some(job)) => format!(" in job {job:?}"),
        (true, None) => " in a job".to_owned(),
        (false, _) => " before any job".to_owned(),
    };
    let limit = end.memory.map(|m| format!(" (its limit is {m})")).unwrap_or_default();
    if end.oom_killed {
        return format!("killed for lack of memory{during}{limit}");
    }
    if outdated {
        return "GitHub no longer accepts this runner version: update the image".to_owned();
    }
    if let Some(error) = end.engine_error.filter(|e| !e.is_empty()) {
        return format!("the engine could not run it: {error}");
    }
    match end.exit_code {
        Some(0) if ran_job => job.map_or_else(|| "ran its job".to_owned(), |job| format!("ran job {job:?}")),
        Some(EXIT_KILLED) if !end.stopped => format!(
            "killed (exit code {EXIT_KILLED}){during}: by the kernel for lack of memory{limit}, or from outside"
        ),
        Some(code) => {
            let last = end.output.lines().rev().map(str::trim).find(|line| !line.is_empty());
            let last = last.map(|line| format!("; it last said {line:?}")).unwrap_or_default();
            format!("ended with exit code {code}{during}{last}")
        }
        None => format!("ended{during}"),
    }
}

/// The rest of the last line that holds `marker`.
fn last_after(output: &str, marker: &str) -> Option<String> {
    let line = output.lines().rev().find(|line| line.contains(marker))?;
    let rest = line.split_once(marker)?.1.trim();
    (!rest.is_empty()).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exit_code: i64, output: &str) -> Verdict {
        verdict(Ending { exit_code: Some(exit_code), output, ..Ending::default() })
    }

    #[test]
    fn exit_code_zero_is_no_proof_of_a_job() {
        let barren = of(0, "Listening for Jobs\nRunner listener exited with error code 1\n");
        assert!(!barren.ran_job);
        assert_eq!(
            barren.text,
            "ended with exit code 0 before any job; it last said \"Runner listener exited with error code 1\""
        );
        let served = of(0, "2026-01-01 00:00:00Z: Running job: build (linux)\n2026: Job build completed\n");
        assert_eq!((served.ran_job, served.job.as_deref()), (true, Some("build (linux)")));
        assert_eq!(served.text, "ran job \"build (linux)\"");
    }

    #[test]
    fn names_memory_version_and_engine_as_causes() {
        let oom = Ending {
            exit_code: Some(137),
            oom_killed: true,
            memory: Some(Size(4 << 30)),
            ..Ending::default()
        };
        assert_eq!(verdict(oom).text, "killed for lack of memory before any job (its limit is 4GiB)");
        let unseen = Ending { oom_killed: false, ..oom };
        assert_eq!(
            verdict(unseen).text,
            "killed (exit code 137) before any job: by the kernel for lack of memory (its limit is 4GiB), or from outside"
        );
        let ours = Ending { stopped: true, ..unseen };
        assert_eq!(verdict(ours).text, "ended with exit code 137 before any job");
        assert!(of(7, "").outdated);
        assert!(of(1, "Runner version v2.1 is deprecated and cannot receive messages.").outdated);
        let absent = Ending { exit_code: Some(127), engine_error: Some("no such file"), ..Ending::default() };
        assert_eq!(verdict(absent).text, "the engine could not run it: no such file");
    }
}
