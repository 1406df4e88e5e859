//! The rooms put together for the commands that work without a daemon.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::CliError;
use super::doctor;
use super::doctor::Facts;
use super::org_status;
use super::org_status::Seen;
use super::verify;
use super::verify::Trial;
use super::verify::Verdict;
use crate::config;
use crate::config::Config;
use crate::control::Clock;
use crate::control::Loaded;
use crate::control::StateDir;
use crate::daemon;
use crate::model::InstanceId;
use crate::model::Plan;
use crate::systemd;
use crate::systemd::Secrets;

/// One look and one plan, without a daemon and without doing any of it. Mode and drains are those that a daemon left in
/// `state`, where they can be read.
pub(super) async fn plan(path: &Path, loaded: Loaded, state: PathBuf) -> Result<Plan, CliError> {
    Ok(daemon::preview(path, loaded, state).await?)
}

/// Looks at everything, for `doctor`.
pub(super) async fn facts(path: &Path, loaded: &config::Loaded, socket: &Path) -> Facts {
    let secrets = Arc::new(Secrets::for_operator());
    let ports = loaded.config.as_ref().map(|config| {
        let engine = daemon::engine(config, &secrets, Clock::system(), instance(config));
        let github = daemon::github(config, &secrets, Clock::system());
        (engine, github)
    });
    let ports = ports.as_ref().map(|(engine, github)| (engine, github));
    doctor::collect(path, loaded, &secrets, ports, socket).await
}

/// Looks at organizations, for `org-status`.
pub(super) async fn organizations(config: Config, socket: &Path, state: PathBuf, orgs: &[String]) -> Seen {
    let secrets = Arc::new(Secrets::for_operator());
    let github = daemon::github(&config, &secrets, Clock::system());
    let (instance, kept) = (instance(&config), StateDir::read_only(state).mode());
    org_status::collect(config, instance, &github, socket, kept, orgs).await
}

/// Tries a pool's image, telling `progress` how far its pull has come.
pub(super) async fn trial(
    config: &Config,
    trial: &Trial,
    progress: impl Fn(String) + Send + Sync,
) -> Result<Verdict, CliError> {
    let secrets = Arc::new(Secrets::for_operator());
    let engine = daemon::engine(config, &secrets, Clock::system(), trial.instance.clone());
    Ok(verify::verify(&engine, trial, progress).await?)
}

/// Which installation this is, by the file or the machine.
pub(super) fn instance(config: &Config) -> InstanceId {
    systemd::instance(config.host.instance.as_deref())
}
