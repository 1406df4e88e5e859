//! The intake of webhooks as the configuration names it.

use std::io;
use std::net::IpAddr;
use std::net::TcpListener;

use ipnet::IpNet;

use super::DaemonError;
use crate::config::Config;
use crate::config::Listen;
use crate::demand::HookSettings;
use crate::http::IntakeLimits;
use crate::http::IntakeSettings;
use crate::model::Secret;
use crate::systemd::Secrets;
use crate::systemd::Sockets;

/// By which names a socket unit may pass the intake's socket (`FileDescriptorName=`).
pub const SOCKET_NAMES: [&str; 2] = ["webhook", "http"];

/// What the intake keeps to, and what is wrong with its secrets, if something is. They are read anew each time.
pub fn intake_settings(config: &Config, secrets: &Secrets) -> (IntakeSettings, Option<String>) {
    let Some(webhook) = &config.webhook else { return (IntakeSettings::default(), None) };
    let (mut good, mut troubles): (Vec<Secret>, Vec<String>) = (Vec::new(), Vec::new());
    for source in [Some(&webhook.secret), webhook.old_secret.as_ref()].into_iter().flatten() {
        match secrets.resolve(source) {
            Ok(found) => {
                if let Some(warning) = found.warning {
                    tracing::warn!("{warning}");
                }
                good.push(found.secret);
            }
            Err(error) => troubles.push(format!("the webhook's secret: {error}")),
        }
    }
    let settings = IntakeSettings {
        path: webhook.path.clone(),
        secrets: good,
        only_github: webhook.only_github,
        trusted_proxies: config
            .http
            .iter()
            .flat_map(|http| http.trusted_proxies.iter())
            .filter_map(|text| network(text))
            .collect(),
        max_body: usize::try_from(webhook.max_body.0).unwrap_or(usize::MAX),
        rate: webhook.rate,
    };
    (settings, (!troubles.is_empty()).then(|| troubles.join("; ")))
}

/// What matters for having lost deliveries again.
pub fn hook_settings(config: &Config) -> HookSettings {
    match &config.webhook {
        None => HookSettings::default(),
        Some(webhook) => HookSettings { url: webhook.url.clone(), only_github: webhook.only_github },
    }
}

/// What all requests together may cost.
pub fn intake_limits(config: &Config) -> IntakeLimits {
    let limits = IntakeLimits::default();
    match &config.http {
        None => limits,
        Some(http) => IntakeLimits {
            connections: usize::try_from(http.connections).unwrap_or(limits.connections),
            ..limits
        },
    }
}

/// The intake's socket: the one that was passed, else one bound to the address that the file names; none where the file
/// names none.
///
/// # Errors
/// The address cannot be had, or a socket was to be passed and none was.
pub fn intake_listener(config: &Config, sockets: &mut Sockets) -> Result<Option<TcpListener>, DaemonError> {
    let Some(http) = &config.http else { return Ok(None) };
    let failed = |source| DaemonError::System { what: "listen for webhooks (http.listen)", source };
    if let Some(passed) = sockets.take_tcp(&SOCKET_NAMES).map_err(failed)? {
        return Ok(Some(passed));
    }
    match http.listen {
        Listen::Passed => {
            let why = "systemd passed no socket; a socket unit with ListenStream= and FileDescriptorName=webhook does";
            Err(failed(io::Error::other(why)))
        }
        Listen::Address(address) => {
            let listener = TcpListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(Some(listener))
        }
    }
}

/// The rules let nothing else pass.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
