//! A moment as the API writes it.

use std::time::Duration;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;
use utoipa::ToSchema;

use crate::model::Time;

/// The end of the year 9999, which is where RFC 3339 ends. A label or a header may hold any number.
const LAST_MILLIS: u64 = 253_402_300_799_999;

/// A moment, written `2026-01-31T12:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00.000Z")]
pub struct Timestamp(pub Time);

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        Self(time)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let moment = UNIX_EPOCH + Duration::from_millis(self.0.0.min(LAST_MILLIS));
        serializer.collect_str(&humantime::format_rfc3339_millis(moment))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = humantime::parse_rfc3339(&text).map_err(D::Error::custom)?;
        let since = moment.duration_since(UNIX_EPOCH).map_err(D::Error::custom)?;
        Ok(Self(Time::default() + since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_its_text() {
        let moment = Timestamp(Time(1_709_210_096_789));
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(text, "\"2024-02-29T12:34:56.789Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), moment);
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
        let beyond = serde_json::to_string(&Timestamp(Time(u64::MAX))).unwrap();
        assert_eq!(beyond, "\"9999-12-31T23:59:59.999Z\"");
    }
}
