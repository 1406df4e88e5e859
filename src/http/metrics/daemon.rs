//! The daemon itself: its file, its loop, its engine, its credentials.

use std::time::Duration;

use super::Exposition;
use super::catalogue as of;
use crate::control::ConfigState;
use crate::control::Snapshot;
use crate::github::CredentialState;
use crate::model::Mode;
use crate::model::Time;

pub(super) fn put(out: &mut Exposition, snapshot: &Snapshot, watchdog: Option<Duration>, now: Time) {
    out.put(&of::BUILD, &[&snapshot.version, &snapshot.instance], true);
    out.put(&of::STARTED, &[], snapshot.started);
    out.put(&of::READY, &[], snapshot.ready);
    out.put(&of::REPOSITORY_MODE, &[], snapshot.mode == Mode::Repository);
    out.put(&of::LAST_PASS, &[], snapshot.as_of);
    out.put_some(&of::WATCHDOG, &[], watchdog.map(|interval| interval.as_secs_f64()));
    let age = now.since(snapshot.as_of).as_secs_f64();
    out.put_some(&of::WATCHDOG_MARGIN, &[], watchdog.map(|interval| interval.as_secs_f64() - age));
    out.put(&of::ADVICE, &[], snapshot.plan.report.advice.len());
    config(out, &snapshot.config);
    engine(out, snapshot);
    for credential in &snapshot.credentials {
        github(out, credential);
    }
}

fn config(out: &mut Exposition, config: &ConfigState) {
    out.put(&of::CONFIG_VALID, &[], config.error.is_none());
    out.put(&of::CONFIG_LOADED, &[], config.loaded);
    out.put_some(&of::CONFIG_REFUSED, &[], config.error_since);
    out.put(&of::CONFIG_WARNINGS, &[], config.warnings.len());
    out.put(&of::CONFIG_RESTART, &[], config.needs_restart.len());
}

fn engine(out: &mut Exposition, snapshot: &Snapshot) {
    out.put(&of::ENGINE_UP, &[], snapshot.engine.is_some() && snapshot.engine_error.is_none());
    let Some(engine) = &snapshot.engine else { return };
    out.put(&of::ENGINE, &[&engine.product, &engine.version, &engine.api_version], true);
    out.put_some(&of::ENGINE_DISK, &[], engine.disk_free.map(|size| size.0));
}

fn github(out: &mut Exposition, credential: &CredentialState) {
    let name = [credential.name.as_str()];
    out.put(&of::GITHUB_REQUESTS, &name, credential.requests);
    out.put(&of::GITHUB_UNCHANGED, &name, credential.not_modified);
    out.put(&of::LIMITED, &name, credential.limited.is_some());
    out.put(&of::REFUSED, &name, credential.refused.is_some());
    if let Some(quota) = &credential.quota {
        out.put(&of::QUOTA, &name, quota.remaining);
        out.put(&of::QUOTA_LIMIT, &name, quota.limit);
        out.put(&of::QUOTA_RESET, &name, quota.reset);
    }
}
