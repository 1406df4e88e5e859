//! Traces as the file wants them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::watch;

use crate::config::Config;
use crate::config::TelemetrySettings;
use crate::control::Deeds;
use crate::control::DeedsTaken;
use crate::control::Snapshot;
use crate::model::InstanceId;
use crate::model::Meter;
use crate::systemd::Secrets;
use crate::telemetry::Options;
use crate::telemetry::Settings;
use crate::telemetry::Telemetry;

/// Telemetry that is not running yet.
pub(super) struct Prepared {
    wanted: Arc<AtomicBool>,
    taken: DeedsTaken,
}

/// Brings telemetry what the file says. Cheap to clone.
#[derive(Clone)]
pub(super) struct Traces {
    secrets: Arc<Secrets>,
    telemetry: Arc<Telemetry>,
}

/// What the control loop leaves its deeds with, and the telemetry to start. It is there even if the file wants none, since a
/// reload may want it.
pub(super) fn prepare(deeds: Deeds) -> (Deeds, Prepared) {
    let wanted = Arc::new(AtomicBool::new(false));
    let (deeds, taken) = deeds.shared(Arc::clone(&wanted));
    (deeds, Prepared { wanted, taken })
}

impl Prepared {
    /// Begins with what the file says.
    pub(super) fn start(
        self,
        (instance, meter): (&InstanceId, &Arc<Meter>),
        secrets: &Arc<Secrets>,
        config: &Config,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Traces {
        let options = Options { instance: instance.to_string(), meter: Arc::clone(meter) };
        let telemetry = Arc::new(Telemetry::start(&options, self.wanted, self.taken, snapshots));
        let traces = Traces { secrets: Arc::clone(secrets), telemetry };
        traces.bring(config);
        traces
    }
}

impl Traces {
    /// Takes what the file says now; secrets are read anew.
    pub(super) fn bring(&self, config: &Config) {
        let settings = config.telemetry.as_ref().map(|wanted| self.resolve(wanted));
        match settings.transpose() {
            Ok(settings) => self.telemetry.bring(settings),
            Err(why) => {
                tracing::error!("No traces are exported: {why}");
                self.telemetry.bring(None);
            }
        }
    }

    /// Sends what waits, and ends.
    pub(super) async fn end(&self) {
        self.telemetry.end().await;
    }

    fn resolve(&self, wanted: &TelemetrySettings) -> Result<Settings, String> {
        let headers = wanted.headers.iter().map(|(name, source)| {
            let found = self.secrets.resolve(source).map_err(|why| format!("header {name}: {why}"))?;
            if let Some(warning) = found.warning {
                tracing::warn!("{warning}");
            }
            Ok((name.clone(), found.secret))
        });
        Ok(Settings {
            endpoint: wanted.endpoint.clone(),
            headers: headers.collect::<Result<_, String>>()?,
            ca_file: wanted.ca_file.clone(),
            service_name: wanted.service_name.clone(),
            sample: wanted.sample,
            timeout: wanted.timeout,
        })
    }
}
