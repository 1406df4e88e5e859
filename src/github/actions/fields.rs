//! JSON read as the service's own client reads it: keys in any case, what is absent, null or of another kind is not there.

use serde_json::Map;
use serde_json::Value;

use super::super::answer::rfc_3339;
use crate::model::Time;

/// What some of the service's answers begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The body without a mark in front.
pub(super) fn plain(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// Whether a body says nothing.
pub(super) fn is_blank(body: &[u8]) -> bool {
    plain(body).iter().all(u8::is_ascii_whitespace)
}

/// Reads a body; the error tells where, not what stands there, which may be a secret.
pub(super) fn read(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(plain(body)).map_err(|why| {
        if why.is_eof() {
            "it is cut off".to_owned()
        } else {
            format!("line {} column {} is no JSON", why.line(), why.column())
        }
    })
}

/// An object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// A value's fields, if it is an object.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// The same, or an error.
    pub(super) fn must(value: &'a Value) -> Result<Self, String> {
        Self::of(value).ok_or_else(|| "it is no object".to_owned())
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        let any_case = || self.0.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        self.0.get(key).or_else(any_case).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// A text with something in it.
    pub(super) fn words(&self, key: &str) -> Option<&'a str> {
        self.text(key).map(str::trim).filter(|text| !text.is_empty())
    }

    /// A whole number, written as one or as text.
    pub(super) fn int(&self, key: &str) -> Option<i64> {
        let value = self.get(key)?;
        value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// A count; below none is none.
    pub(super) fn count(&self, key: &str) -> u32 {
        u32::try_from(self.int(key).unwrap_or(0).max(0)).unwrap_or(u32::MAX)
    }

    /// Another object.
    pub(super) fn object(&self, key: &str) -> Option<Self> {
        self.get(key).and_then(Self::of)
    }

    /// A list.
    pub(super) fn list(&self, key: &str) -> Option<&'a [Value]> {
        self.get(key)?.as_array().map(Vec::as_slice)
    }

    /// A moment; .NET's "not set", the year 1, is none.
    pub(super) fn time(&self, key: &str) -> Option<Time> {
        let text = self.words(key)?;
        // .NET leaves the zone out where it does not know it, and means UTC.
        rfc_3339(text).or_else(|| rfc_3339(&format!("{text}Z")))
    }
}

/// The entries of `{"count": n, "value": […]}`: as many as it counts.
pub(super) fn entries(value: &Value) -> Result<&[Value], String> {
    let fields = Fields::must(value)?;
    let Some(all) = fields.list("value") else {
        return if fields.int("count") == Some(0) { Ok(&[]) } else { Err("it holds no list".to_owned()) };
    };
    let count = fields.int("count").and_then(|count| usize::try_from(count).ok()).unwrap_or(all.len());
    Ok(&all[..count.min(all.len())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_found_in_any_case_and_the_exact_one_first() {
        let value = json!({ "ENCODEDJITCONFIG": "a", "encodedJITConfig": "b", "Id": "17", "n": null });
        let fields = Fields::of(&value).unwrap();
        assert_eq!(fields.text("encodedJITConfig"), Some("b"));
        assert!(fields.text("encodedjitconfig").is_some());
        assert_eq!((fields.int("id"), fields.int("n"), fields.int("gone")), (Some(17), None, None));
        assert_eq!(fields.text("Id").map(str::len), Some(2));
    }

    #[test]
    fn moments_are_read_as_dotnet_writes_them() {
        let value = json!({
            "seven": "2026-05-05T12:00:00.1234567Z", "zone": "2026-05-05T14:00:00+02:00", "bare": "2026-05-05T12:00:00.5",
            "unset": "0001-01-01T00:00:00Z", "empty": "", "null": null, "number": 5,
        });
        let fields = Fields::of(&value).unwrap();
        let noon = 1_777_982_400_000;
        assert_eq!(fields.time("seven"), Some(Time(noon + 123)));
        assert_eq!(fields.time("zone"), Some(Time(noon)));
        assert_eq!(fields.time("bare"), Some(Time(noon + 500)));
        for none in ["unset", "empty", "null", "number", "absent"] {
            assert_eq!(fields.time(none), None, "{none}");
        }
    }

    #[test]
    fn a_list_has_as_many_entries_as_it_counts() {
        assert_eq!(entries(&json!({ "count": 0, "value": [1, 2] })).unwrap().len(), 0);
        assert_eq!(entries(&json!({ "count": 1, "value": [1, 2] })).unwrap().len(), 1);
        assert_eq!(entries(&json!({ "Count": 9, "Value": [1, 2] })).unwrap().len(), 2);
        assert_eq!(entries(&json!({ "value": [1] })).unwrap().len(), 1);
        assert_eq!(entries(&json!({ "count": 0, "value": null })).unwrap().len(), 0);
        for bad in [json!([]), json!({}), json!({ "count": 2 }), json!(5)] {
            assert!(entries(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mark_in_front_and_an_empty_body_are_known() {
        assert_eq!(read(b"\xEF\xBB\xBF{\"a\":1}").unwrap(), json!({ "a": 1 }));
        assert!(is_blank(b"") && is_blank(b" \r\n") && is_blank(b"\xEF\xBB\xBF") && !is_blank(b"{}"));
        for bad in [&b""[..], b"s3cret", b"{\"s3cret\":", b"\xFF\xFE"] {
            let why = read(bad).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
