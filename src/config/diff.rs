//! What changed from one configuration to the next, by the names that the file uses.
//!
//! **Knows** which settings take effect only when the service starts.
//! **Does not know** what is done about a change: pools converge by themselves.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::ApiSettings;
use super::Config;
use super::EngineSettings;
use super::HistorySettings;
use super::HostSettings;
use super::HttpSettings;
use super::TelemetrySettings;
use super::WebhookSettings;
use crate::model::CredentialName;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::PoolScope;
use crate::model::RunnerSpec;
use crate::model::Scaling;

/// What a change of these needs a restart for: the first two are part of what tells this installation's runners from all
/// others, and a listener that is swapped would lose the deliveries that come meanwhile.
const RESTART: [&str; 12] = [
    "engine.endpoint",
    "host.name",
    "http.listen",
    "http.connections",
    "api.listen",
    "api.connections",
    "api.read_group",
    "history.enabled",
    "history.url",
    "history.retention",
    "history.audit_retention",
    "history.max_size",
];

/// What changed. Its text is one line for the journal.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigDiff {
    /// Pools that are new.
    pub pools_added: Vec<PoolName>,
    /// Pools that are gone.
    pub pools_removed: Vec<PoolName>,
    /// Pools that changed, and which of their keys.
    pub pools_changed: BTreeMap<PoolName, Vec<&'static str>>,
    /// Credentials that are new, gone or changed.
    pub credentials_changed: Vec<CredentialName>,
    /// Other settings that changed and take effect at once, such as `host.max_runners`.
    pub settings_changed: Vec<&'static str>,
    /// Settings that changed, but take effect only when the service is restarted.
    pub needs_restart: Vec<&'static str>,
}

impl ConfigDiff {
    /// Whether nothing changed at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The names of all fields that differ. Naming every field makes the compiler ask for new ones.
macro_rules! changed {
    ($old:expr, $new:expr, $kind:ident { $($field:ident => $key:literal),* $(,)? }) => {{
        let $kind { $($field: _),* } = $old;
        let mut keys: Vec<&'static str> = Vec::new();
        $(if $old.$field != $new.$field { keys.push($key); })*
        keys
    }};
}

/// What changed from `old` to `new`.
pub fn diff(old: &Config, new: &Config) -> ConfigDiff {
    let settings = [
        engine(&old.engine, &new.engine),
        host(&old.host, &new.host),
        optional(&old.http, &new.http, "http.listen", http),
        optional(&old.api, &new.api, "api.listen", api),
        if old.read_group == new.read_group { Vec::new() } else { vec!["api.read_group"] },
        optional(&old.webhook, &new.webhook, "webhook.secret", webhook),
        history(&old.history, &new.history),
        optional(&old.telemetry, &new.telemetry, "telemetry.endpoint", telemetry),
    ]
    .concat();
    let (needs_restart, settings_changed) = settings.into_iter().partition(|key| RESTART.contains(key));
    let changed = old.pools.iter().filter_map(|(name, pool)| {
        let keys = pool_keys(pool, new.pools.get(name)?);
        (!keys.is_empty()).then(|| (name.clone(), keys))
    });
    ConfigDiff {
        pools_added: absent(&new.pools, &old.pools),
        pools_removed: absent(&old.pools, &new.pools),
        pools_changed: changed.collect(),
        credentials_changed: credentials(old, new),
        settings_changed,
        needs_restart,
    }
}

/// The keys of `here` that are not in `there`.
fn absent<K: Ord + Clone, V>(here: &BTreeMap<K, V>, there: &BTreeMap<K, V>) -> Vec<K> {
    here.keys().filter(|key| !there.contains_key(key)).cloned().collect()
}

fn credentials(old: &Config, new: &Config) -> Vec<CredentialName> {
    let kept = old.credentials.keys().filter(|name| old.credentials.get(name) != new.credentials.get(name));
    let mut names: Vec<_> = kept.cloned().chain(absent(&new.credentials, &old.credentials)).collect();
    names.sort();
    names
}

fn engine(old: &EngineSettings, new: &EngineSettings) -> Vec<&'static str> {
    changed!(old, new, EngineSettings {
        endpoint => "engine.endpoint",
        registry_auth => "engine.registry_auth",
        concurrency => "engine.concurrency",
    })
}

fn host(old: &HostSettings, new: &HostSettings) -> Vec<&'static str> {
    changed!(old, new, HostSettings {
        instance => "host.name",
        max_runners => "host.max_runners",
        reserve_cpus => "host.reserve.cpus",
        reserve_memory => "host.reserve.memory",
        reserve_disk => "host.reserve.disk",
        keep_logs => "host.keep_logs",
        keep_images => "host.keep_images",
    })
}

/// What changed in a table that may be absent: `presence` names its coming and going.
fn optional<T>(
    old: &Option<T>,
    new: &Option<T>,
    presence: &'static str,
    keys: fn(&T, &T) -> Vec<&'static str>,
) -> Vec<&'static str> {
    match (old, new) {
        (None, None) => Vec::new(),
        (Some(old), Some(new)) => keys(old, new),
        _ => vec![presence],
    }
}

fn http(old: &HttpSettings, new: &HttpSettings) -> Vec<&'static str> {
    changed!(old, new, HttpSettings {
        listen => "http.listen",
        trusted_proxies => "http.trusted_proxies",
        connections => "http.connections",
    })
}

fn api(old: &ApiSettings, new: &ApiSettings) -> Vec<&'static str> {
    changed!(old, new, ApiSettings {
        listen => "api.listen",
        tls => "api.tls",
        read => "api.read",
        operate => "api.operate",
        cors_origins => "api.cors_origins",
        connections => "api.connections",
    })
}

fn webhook(old: &WebhookSettings, new: &WebhookSettings) -> Vec<&'static str> {
    changed!(old, new, WebhookSettings {
        secret => "webhook.secret",
        old_secret => "webhook.old_secret",
        path => "webhook.path",
        url => "webhook.url",
        only_github => "webhook.addresses",
        max_body => "webhook.max_body",
        rate => "webhook.rate",
    })
}

fn history(old: &HistorySettings, new: &HistorySettings) -> Vec<&'static str> {
    changed!(old, new, HistorySettings {
        enabled => "history.enabled",
        url => "history.url",
        retention => "history.retention",
        audit_retention => "history.audit_retention",
        max_size => "history.max_size",
    })
}

fn telemetry(old: &TelemetrySettings, new: &TelemetrySettings) -> Vec<&'static str> {
    changed!(old, new, TelemetrySettings {
        endpoint => "telemetry.endpoint",
        headers => "telemetry.headers",
        ca_file => "telemetry.ca_file",
        service_name => "telemetry.service_name",
        sample => "telemetry.sample",
        timeout => "telemetry.timeout",
    })
}

fn pool_keys(old: &Pool, new: &Pool) -> Vec<&'static str> {
    let keys = changed!(old, new, Pool {
        name => "name",
        credentials => "credentials",
        scope => "scope",
        labels => "labels",
        demand => "demand",
        scale_set => "scale_set",
        registration => "registration",
        min => "min",
        max => "max",
        min_idle => "min_idle",
        idle_timeout => "idle_timeout",
        start_timeout => "start_timeout",
        job_timeout => "job_timeout",
        failed_starts_per_hour => "failed_starts_per_hour",
        priority => "priority",
        scaling => "scaling",
        pull => "pull",
        rollback => "rollback",
        active_within => "active_within",
        spec => "spec",
    });
    keys.into_iter()
        .flat_map(|key| match key {
            "scope" => scope_keys(&old.scope, &new.scope),
            "scaling" => scaling_keys(&old.scaling, &new.scaling),
            "spec" => spec_keys(&old.spec, &new.spec),
            key => vec![key],
        })
        .collect()
}

fn scope_keys(old: &PoolScope, new: &PoolScope) -> Vec<&'static str> {
    let part = |scope: &PoolScope| match scope {
        PoolScope::Enterprise { slug, .. } => ("enterprise", slug.clone()),
        PoolScope::Organization { org, .. } => ("org", org.clone()),
        PoolScope::Repositories(patterns) => ("repos", format!("{patterns:?}")),
    };
    let ((old_key, old_value), (key, value)) = (part(old), part(new));
    if old_key != key {
        return vec![old_key, key];
    }
    let changed = [(key, old_value != value), ("group", old.group() != new.group())];
    changed.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
}

fn scaling_keys(old: &Scaling, new: &Scaling) -> Vec<&'static str> {
    changed!(old, new, Scaling {
        up_threshold => "scale_up_threshold",
        up_factor => "scale_up_factor",
        down_threshold => "scale_down_threshold",
        schedule => "schedule",
        max_per_repository => "max_per_repository",
        max_per_workflow => "max_per_workflow",
        priority_rules => "priority_rule",
        on_lost_job => "on_lost_job",
    })
}

fn spec_keys(old: &RunnerSpec, new: &RunnerSpec) -> Vec<&'static str> {
    changed!(old, new, RunnerSpec {
        image => "image",
        command => "command",
        user => "user",
        env => "env",
        work_folder => "work_folder",
        cpus => "cpus",
        memory => "memory",
        pids => "pids",
        disk => "disk",
        shm_size => "shm_size",
        sudo => "sudo",
        privileged => "privileged",
        cap_add => "cap_add",
        network => "network",
        volumes => "volumes",
        cgroup_parent => "cgroup_parent",
        runtime => "runtime",
        gpus => "gpus",
        extra_hosts => "extra_hosts",
        dns => "dns",
        proxy => "proxy",
        no_proxy => "no_proxy",
        docker => "docker",
        dind_image => "dind_image",
        log_driver => "log_driver",
    })
}

impl fmt::Display for ConfigDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        let mut parts = Vec::new();
        parts.extend(self.pools_added.iter().map(|name| format!("pool {name} added")));
        parts.extend(self.pools_removed.iter().map(|name| format!("pool {name} removed")));
        let changed = self.pools_changed.iter();
        parts.extend(changed.map(|(name, keys)| format!("pool {name} changed: {}", keys.join(", "))));
        parts.extend(self.credentials_changed.iter().map(|name| format!("credentials {name} changed")));
        parts.extend(self.settings_changed.iter().map(|key| format!("{key} changed")));
        parts.extend(self.needs_restart.iter().map(|key| format!("{key} changes with a restart only")));
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let github = "[github]\ntoken = { credential = \"t\" }\n";
        Config::from_text("t", &format!("{github}{text}")).into_result().unwrap()
    }

    #[test]
    fn the_same_file_changes_nothing() {
        let one = config("[pools.a]\norg = \"a\"\n");
        assert!(diff(&one, &one).is_empty());
    }

    #[test]
    fn changes_are_named_as_in_the_file() {
        let old = config("[pools.a]\norg = \"a\"\nmax = 2\n[pools.b]\norg = \"b\"\n");
        let new = config(
            "[credentials.x]\ntoken = { file = \"/x\" }\n[engine]\nendpoint = \"unix:///x\"\n[host]\nmax_runners = 7\nname = \"zz\"\n\
             [pools.a]\norg = \"a\"\nmax = 3\ngroup = \"g\"\nmemory = \"1GiB\"\n[pools.c]\norg = \"c\"\ncredentials = \"x\"\n",
        );
        assert_eq!(
            diff(&old, &new).to_string(),
            "pool c added; pool b removed; pool a changed: group, max, memory; credentials x changed; \
             host.max_runners changed; engine.endpoint changes with a restart only; \
             host.name changes with a restart only"
        );
    }

    #[test]
    fn what_listens_changes_with_a_restart_and_what_is_let_in_at_once() {
        let none = config("[pools.a]\norg = \"a\"\n");
        let secret = "[webhook]\nsecret = { credential = \"s\" }\n";
        let old = config(&format!("[http]\nlisten = \"127.0.0.1:1\"\n{secret}"));
        let new = config(&format!(
            "[http]\nlisten = \"systemd\"\ntrusted_proxies = [\"::1\"]\n{secret}path = \"/x\"\n"
        ));
        assert_eq!(diff(&none, &old).needs_restart, ["http.listen"]);
        assert_eq!(diff(&none, &old).settings_changed, ["webhook.secret"]);
        assert_eq!(diff(&old, &new).needs_restart, ["http.listen"]);
        assert_eq!(diff(&old, &new).settings_changed, ["http.trusted_proxies", "webhook.path"]);
    }
}
