//! Engine and GitHub as the configuration names them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use crate::config::AuthSource;
use crate::config::Config;
use crate::config::SecretSource;
use crate::control::Clock;
use crate::engine::DockerEngine;
use crate::engine::EngineSpec;
use crate::engine::JOURNAL_SOCKET;
use crate::github::Auth;
use crate::github::Client;
use crate::github::CredentialSpec;
use crate::github::SecretLoader;
use crate::github::Tuning;
use crate::model::InstanceId;
use crate::model::Meter;
use crate::systemd::Secrets;

/// Where the registries' credentials are by the configuration in force, which may change while the engine stays.
pub(super) type RegistrySource = Arc<RwLock<Option<SecretSource>>>;

/// The engine that the file names. Nothing is asked of it yet.
pub fn engine(config: &Config, secrets: &Arc<Secrets>, clock: Clock, instance: InstanceId) -> DockerEngine {
    let source = RegistrySource::new(RwLock::new(config.engine.registry_auth.clone()));
    engine_with(config, source, secrets, clock, instance, Arc::default())
}

/// The same, with registry credentials that are looked up where `source` says at that time, and with a meter.
pub(super) fn engine_with(
    config: &Config,
    source: RegistrySource,
    secrets: &Arc<Secrets>,
    clock: Clock,
    instance: InstanceId,
    meter: Arc<Meter>,
) -> DockerEngine {
    let secrets = Arc::clone(secrets);
    DockerEngine::connect(EngineSpec {
        endpoint: config.engine.endpoint.clone(),
        instance,
        registry_auth: Arc::new(move || {
            let source = source.read().unwrap_or_else(PoisonError::into_inner).clone();
            let found = source.map(|source| secrets.resolve(&source)).transpose();
            found.map(|found| found.map(|found| found.secret)).map_err(|error| error.to_string())
        }),
        clock: Arc::new(move || clock.now()),
        journal_socket: PathBuf::from(JOURNAL_SOCKET),
        meter,
    })
}

/// GitHub for all credentials of the file. Nothing is asked of it yet, and no secret is read.
pub fn github(config: &Config, secrets: &Arc<Secrets>, clock: Clock) -> Client {
    github_with(config, secrets, clock, &Arc::default())
}

/// The same, with a meter.
pub(super) fn github_with(
    config: &Config,
    secrets: &Arc<Secrets>,
    clock: Clock,
    meter: &Arc<Meter>,
) -> Client {
    let tuning = Tuning { meter: Arc::clone(meter), ..Tuning::default() };
    Client::tuned(credentials(config, secrets), Arc::new(move || clock.now()), tuning)
}

/// The file's credentials, each with a way to its secret.
pub(super) fn credentials(config: &Config, secrets: &Arc<Secrets>) -> Vec<CredentialSpec> {
    let spec = |c: &crate::config::Credentials| CredentialSpec {
        name: c.name.clone(),
        url: c.url.clone(),
        api_url: c.api_url.clone(),
        auth: auth(&c.auth, secrets),
        ca_file: c.ca_file.clone(),
        proxy: c.proxy.clone(),
    };
    config.credentials.values().map(spec).collect()
}

fn auth(source: &AuthSource, secrets: &Arc<Secrets>) -> Auth {
    match source {
        AuthSource::Token(source) => Auth::Token(secret(source, secrets)),
        AuthSource::App { id, installation_id, private_key } => Auth::App {
            id: id.clone(),
            installation_id: *installation_id,
            private_key: secret(private_key, secrets),
        },
    }
}

/// Reads the secret anew at each call, and tells what is unwise about the way it is kept.
fn secret(source: &SecretSource, secrets: &Arc<Secrets>) -> SecretLoader {
    let (source, secrets) = (source.clone(), Arc::clone(secrets));
    Arc::new(move || {
        let found = secrets.resolve(&source).map_err(|error| error.to_string())?;
        if let Some(warning) = found.warning {
            tracing::warn!("{warning}");
        }
        Ok(found.secret)
    })
}
