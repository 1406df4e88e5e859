//! Durations as people write them (`"90s"`, `"1h"`) in the state file and in requests.

use std::time::Duration;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serializer;

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Secs(f64),
    Text(String),
}

/// Writes a duration, for `#[serde(with = "human")]`.
pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&humantime::format_duration(*value).to_string())
}

/// Reads a duration: a number of seconds, or a text with units.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    match Written::deserialize(from)? {
        Written::Secs(secs) => Duration::try_from_secs_f64(secs).map_err(serde::de::Error::custom),
        Written::Text(text) => humantime::parse_duration(&text).map_err(serde::de::Error::custom),
    }
}
