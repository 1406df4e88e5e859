//! `[history]`.

use super::super::HistorySettings;
use super::super::fields::Fields;
use super::secret;

pub(super) fn history(fields: &Fields<'_>) -> Option<HistorySettings> {
    Some(HistorySettings {
        enabled: fields.bool("enabled")?,
        url: fields.table("url").and_then(secret),
        retention: fields.duration("retention")?,
        audit_retention: fields.duration("audit_retention")?,
        max_size: fields.size("max_size")?,
    })
}
