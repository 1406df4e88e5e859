//! What a daemon would do, without one.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::control::Clock;
use crate::control::Control;
use crate::control::Loaded;
use crate::control::StateDir;
use crate::engine::Engine as _;
use crate::engine::EngineError;
use crate::execute::LogKeeper;
use crate::execute::Ports;
use crate::model::Plan;
use crate::systemd;
use crate::systemd::Secrets;

use super::ports;

/// How long it waits for GitHub.
const PATIENCE: Duration = Duration::from_secs(30);

/// The plan of a daemon that would start now, none of it done. Mode and drains are those that an earlier one left in
/// `state_dir`, where they can be read.
///
/// # Errors
/// The engine does not answer, and so there is nothing to plan from.
pub async fn preview(path: &Path, loaded: Loaded, state_dir: PathBuf) -> Result<Plan, EngineError> {
    let config = &loaded.config;
    let secrets = Arc::new(Secrets::for_operator());
    let (clock, instance) = (Clock::system(), systemd::instance(config.host.instance.as_deref()));
    let engine = ports::engine(config, &secrets, clock, instance.clone());
    engine.info().await?;
    let ports = Ports {
        engine: Arc::new(engine),
        github: Arc::new(ports::github(config, &secrets, clock)),
        instance,
        logs: LogKeeper::none(),
    };
    let state = StateDir::read_only(state_dir);
    let control = Control::new(ports, clock, super::seed(clock), state, path.display().to_string(), loaded);
    Ok(control.preview(PATIENCE).await)
}
