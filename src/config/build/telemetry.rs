//! `[telemetry]`.

use std::path::PathBuf;

use super::super::TelemetrySettings;
use super::super::fields::Fields;
use super::secret;

/// What the specification adds to an endpoint; people write it all the same.
const PATH: &str = "/v1/traces";

/// Where traces go, if anywhere.
pub(super) fn telemetry(fields: &Fields<'_>) -> Option<TelemetrySettings> {
    let endpoint = fields.text("endpoint")?.trim_end_matches('/');
    let headers = fields.table("headers").into_iter().flatten();
    Some(TelemetrySettings {
        endpoint: endpoint.strip_suffix(PATH).unwrap_or(endpoint).trim_end_matches('/').to_owned(),
        headers: headers
            .filter_map(|(name, entry)| Some((name.to_ascii_lowercase(), secret(entry.table()?)?)))
            .collect(),
        ca_file: fields.text("ca_file").map(PathBuf::from),
        service_name: fields.text("service_name")?.to_owned(),
        sample: fields.number("sample")?,
        timeout: fields.duration("timeout")?,
    })
}
