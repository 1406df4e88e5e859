//! Looking. Every call is made even where an earlier one failed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::Gid;
use nix::unistd::Group;

use super::ConfigFacts;
use super::DaemonFacts;
use super::Facts;
use super::ImageFacts;
use super::ScopeFacts;
use super::SecretFacts;
use super::SocketFacts;
use super::demand;
use crate::cli::CliError;
use crate::cli::text::now;
use crate::client::ClientError;
use crate::client::blocking::Client;
use crate::client::call;
use crate::config::AuthSource;
use crate::config::Config;
use crate::config::Loaded;
use crate::config::SecretSource;
use crate::decide;
use crate::engine::Engine;
use crate::github::GitHub;
use crate::github::Hooks;
use crate::github::Queue;
use crate::http;
use crate::model::DockerMode;
use crate::model::Mode;
use crate::model::Pool;
use crate::model::PullPolicy;
use crate::model::Size;
use crate::systemd::Secrets;

/// Looks at everything. `engine` and `github` are none where the file is too wrong to say which.
pub async fn collect<E: Engine, G: GitHub + Queue + Hooks>(
    path: &Path,
    loaded: &Loaded,
    secrets: &Secrets,
    ports: Option<(&E, &G)>,
    socket: &Path,
) -> Facts {
    let config = loaded.config.as_ref();
    let mut facts = Facts {
        now: now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config: ConfigFacts {
            path: path.display().to_string(),
            pools: config.map_or(0, |c| c.pools.len()),
            errors: loaded.report.error_lines(),
            warnings: loaded.report.warning_lines(),
        },
        secrets: config.map(|c| look_at_secrets(c, secrets)).unwrap_or_default(),
        scopes: Vec::new(),
        demand: Vec::new(),
        engine: None,
        reserve_disk: config.map_or(Size::default(), |c| c.host.reserve_disk),
        images: Vec::new(),
        runtimes: config.map(runtimes).unwrap_or_default(),
        socket: look_at_socket(socket, config),
        daemon: look_at_daemon(socket),
    };
    if let (Some(config), Some((engine, github))) = (config, ports) {
        facts.engine = Some(engine.info().await);
        facts.images = look_at_images(config, engine).await;
        facts.scopes = look_at_scopes(config, github).await;
        facts.demand = demand::look(config, github, facts.now).await;
    }
    facts
}

fn look_at_secrets(config: &Config, secrets: &Secrets) -> Vec<SecretFacts> {
    let look = |name: String, source: &SecretSource| SecretFacts {
        credential: name,
        outcome: secrets.resolve(source).map(|found| found.warning).map_err(|e| e.to_string()),
    };
    let credentials = config.credentials.values().map(|c| match &c.auth {
        AuthSource::Token(source) => look(c.name.to_string(), source),
        AuthSource::App { private_key, .. } => look(c.name.to_string(), private_key),
    });
    let registry = config.engine.registry_auth.iter().map(|source| look("registry_auth".to_owned(), source));
    let webhook = config.webhook.iter().flat_map(|webhook| {
        let old = webhook.old_secret.iter().map(|source| look("webhook.old_secret".to_owned(), source));
        std::iter::once(look("webhook.secret".to_owned(), &webhook.secret)).chain(old)
    });
    credentials.chain(registry).chain(webhook).collect()
}

async fn look_at_scopes<G: GitHub>(config: &Config, github: &G) -> Vec<ScopeFacts> {
    let mut seen = Vec::new();
    for pool in config.pools.values() {
        let group = pool.scope.group();
        for scope in decide::places(pool, Mode::Organization, None) {
            let access = github.access(&pool.credentials, &scope, group).await;
            let (pool, credential) = (pool.name.clone(), pool.credentials.to_string());
            seen.push(ScopeFacts { pool, credential, scope, group: group.cloned(), access });
        }
    }
    seen
}

/// Each image once, with the pools that name it.
async fn look_at_images<E: Engine>(config: &Config, engine: &E) -> Vec<ImageFacts> {
    let mut named: BTreeMap<&str, Vec<(&Pool, PullPolicy)>> = BTreeMap::new();
    for pool in config.pools.values() {
        named.entry(&pool.spec.image).or_default().push((pool, pool.pull));
        if pool.spec.docker == DockerMode::Dind {
            named.entry(&pool.spec.dind_image).or_default().push((pool, pool.pull));
        }
    }
    let mut images = Vec::new();
    for (reference, pools) in named {
        let never = pools.iter().any(|(_, pull)| *pull == PullPolicy::Never);
        images.push(ImageFacts {
            reference: reference.to_owned(),
            pools: pools.iter().map(|(pool, _)| pool.name.clone()).collect(),
            pull: if never { PullPolicy::Never } else { PullPolicy::Missing },
            present: engine.image(reference).await.map(|image| image.is_some()),
        });
    }
    images
}

fn runtimes(config: &Config) -> Vec<(crate::model::PoolName, String)> {
    let asked = config.pools.values().filter_map(|p| Some((p.name.clone(), p.spec.runtime.clone()?)));
    asked.collect()
}

fn look_at_socket(path: &Path, config: Option<&Config>) -> SocketFacts {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok().map(|meta| {
        let group = Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten();
        (meta.permissions().mode() & 0o7777, group.map_or_else(|| meta.gid().to_string(), |g| g.name))
    });
    let readers = config.and_then(|config| config.read_group.clone());
    let readers = readers.map(|name| (name.clone(), http::group(&name).is_some()));
    SocketFacts { path: path.display().to_string(), file, readers }
}

fn look_at_daemon(socket: &Path) -> DaemonFacts {
    match Client::at_socket(socket).ask(call::status()) {
        Ok(status) => DaemonFacts::Running(Box::new(status)),
        Err(ClientError::NotRunning { .. }) => DaemonFacts::NotRunning,
        Err(e) => DaemonFacts::NotAsked { why: CliError::from(e).to_string() },
    }
}
