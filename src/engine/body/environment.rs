//! The environment of a runner.

use std::collections::BTreeMap;

use crate::model::DockerMode;
use crate::model::Scope;

use super::Admission;
use super::NewRunner;
use super::has_sidecar;

/// How long `run.sh` asks its inner engine each second before it goes on without.
const WAIT_FOR_DOCKER_SECS: &str = "120";

/// Where a job finds its engine.
const DOCKER_HOST: &str = "unix:///var/run/docker.sock";

/// `NAME=value` lines in the order of their names. What the file says wins over defaults; the registration wins over all.
pub(super) fn of(new: &NewRunner) -> Vec<String> {
    let mut env = defaults(new);
    env.extend(new.plan.spec.env.clone());
    match &new.admission {
        Admission::Jit(config) => {
            // `ACTIONS_RUNNER_INPUT_<ARGUMENT>` is taken as `--<argument>` and removed from the environment that jobs see.
            env.insert("ACTIONS_RUNNER_INPUT_JITCONFIG".to_owned(), config.reveal().to_owned());
        }
        Admission::Token { token, url } => {
            env.extend(registers_itself(new, url));
            env.insert("RUNNER_TOKEN".to_owned(), token.reveal().to_owned());
        }
        Admission::Nothing => {}
    }
    env.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn defaults(new: &NewRunner) -> BTreeMap<String, String> {
    let spec = &new.plan.spec;
    let mut env = BTreeMap::new();
    let mut put = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    // Else a runner too old for GitHub ends with 0, as if it had done its work.
    put("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE", "1");
    put("GITHUB_ACTIONS_RUNNER_EXTRA_USER_AGENT", concat!("ghrunner/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &spec.proxy {
        put("http_proxy", proxy);
        put("https_proxy", proxy);
    }
    if let Some(hosts) = &spec.no_proxy {
        put("no_proxy", hosts);
    }
    if has_sidecar(new) {
        put("DOCKER_HOST", DOCKER_HOST);
        put("RUNNER_WAIT_FOR_DOCKER_IN_SECONDS", WAIT_FOR_DOCKER_SECS);
    } else if spec.docker == DockerMode::Socket {
        put("DOCKER_HOST", DOCKER_HOST);
    }
    env
}

/// The names that the common community image (`myoung34/github-runner`) reads.
fn registers_itself(new: &NewRunner, url: &str) -> BTreeMap<String, String> {
    let plan = &new.plan;
    let mut env = BTreeMap::new();
    let mut put = |name: &str, value: String| env.insert(name.to_owned(), value);
    match &plan.scope {
        Scope::Enterprise(slug) => {
            put("RUNNER_SCOPE", "ent".to_owned());
            put("ENTERPRISE_NAME", slug.clone());
        }
        Scope::Organization(org) => {
            put("RUNNER_SCOPE", "org".to_owned());
            put("ORG_NAME", org.clone());
        }
        Scope::Repository(repo) => {
            put("RUNNER_SCOPE", "repo".to_owned());
            put("REPO_URL", format!("{}/{repo}", url.trim_end_matches('/')));
        }
    }
    put("RUNNER_NAME", plan.name.to_string());
    put("LABELS", plan.labels.join(","));
    put("NO_DEFAULT_LABELS", "1".to_owned());
    put("EPHEMERAL", "1".to_owned());
    put("DISABLE_AUTO_UPDATE", "1".to_owned());
    put("RUNNER_WORKDIR", plan.spec.work_folder.clone());
    if let Some(group) = &plan.group {
        put("RUNNER_GROUP", group.to_string());
    }
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    if host != "github.com" {
        put("GITHUB_HOST", host.to_owned());
    }
    env
}
