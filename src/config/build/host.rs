//! `[engine]` and `[host]`.

use super::super::EngineSettings;
use super::super::HostSettings;
use super::super::fields::EMPTY;
use super::super::fields::Fields;
use super::super::fields::RESERVE_DEFAULTS;
use super::secret;

pub(super) fn engine(fields: &Fields<'_>) -> Option<EngineSettings> {
    Some(EngineSettings {
        endpoint: fields.text("endpoint")?.to_owned(),
        registry_auth: fields.table("registry_auth").and_then(secret),
        concurrency: fields.count("concurrency")?,
    })
}

pub(super) fn host(fields: &Fields<'_>) -> Option<HostSettings> {
    let own = fields.table("reserve").unwrap_or(&EMPTY);
    let reserve = Fields::new(fields.place("reserve"), own, None, &RESERVE_DEFAULTS);
    Some(HostSettings {
        instance: fields.optional_text("name"),
        max_runners: fields.count("max_runners")?,
        reserve_cpus: reserve.number("cpus"),
        reserve_memory: reserve.size("memory"),
        reserve_disk: reserve.size("disk")?,
        keep_logs: fields.duration("keep_logs")?,
        keep_images: fields.duration("keep_images")?,
    })
}
