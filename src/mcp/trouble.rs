//! What an agent is told that did not get what it asked for: what happened, and what to do next.

use std::fmt;

use crate::http::Problem;

/// Why a tool has no answer.
#[derive(Debug)]
pub(super) struct Trouble {
    code: String,
    what: String,
    next: Option<String>,
}

impl Trouble {
    /// The call itself makes no sense.
    pub(super) fn bad_call(what: impl Into<String>) -> Self {
        Self { code: "bad_call".to_owned(), what: what.into(), next: None }
    }

    /// Something else, with what to do about it.
    pub(super) fn new(code: &str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: code.to_owned(), what: what.into(), next: Some(next.into()) }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        let next = next(&problem.code).map(str::to_owned);
        Self { code: problem.code, what: problem.detail, next }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.what, self.code)?;
        match &self.next {
            Some(next) => write!(f, "\nNext: {next}"),
            None => Ok(()),
        }
    }
}

/// What to do about a refusal of the API.
fn next(code: &str) -> Option<&'static str> {
    Some(match code {
        "no_such_pool" => "call runner_get_status for the names of the pools there are.",
        "no_such_runner" => "call runner_list_containers: it may have ended, or has another name.",
        "no_such_job" => {
            "call runner_list_workflows for the jobs that are known. One that GitHub has only just queued may be \
                          known in some seconds, and one for which no pool's source of demand listens never."
        }
        "forbidden" | "read_only" => {
            "do not try again. Tell the operator what you would have done and why; the tools that \
                                      only look work."
        }
        "unauthorized" => "ask the operator for a credential that the API knows.",
        "no_history" => {
            "the daemon keeps none; the operator can have one by a [history] table in pools.toml."
        }
        "history" | "closing" | "not_running" | "broken" => {
            "try again in a minute; if it stays so, tell the operator."
        }
        "engine" => {
            "the container engine does not answer: runner_get_status says since when. Tell the operator."
        }
        "too_slow" => "look before you ask again: what was asked for may have happened.",
        "bad_query" | "bad_body" | "bad_request" => "correct the arguments and call again.",
        "too_large" => "ask for less in one call.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_happened_and_what_to_do() {
        let problem = Problem {
            status: 404,
            code: "no_such_pool".to_owned(),
            detail: "there is no pool bild; did you mean build?".to_owned(),
            request_id: None,
        };
        assert_eq!(
            Trouble::from(problem).to_string(),
            "there is no pool bild; did you mean build? [no_such_pool]\n\
             Next: call runner_get_status for the names of the pools there are."
        );
        assert_eq!(Trouble::bad_call("no").to_string(), "no [bad_call]");
    }
}
