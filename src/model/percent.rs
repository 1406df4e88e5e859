//! Texts as parts of an address (RFC 3986, section 2.3: all but the unreserved characters are written by their bytes).

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::percent_decode_str;
use percent_encoding::percent_encode;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// A text as one segment of a path or one value of a query.
pub fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), SEGMENT).to_string()
}

/// A whole path, whose slashes stay what they are.
pub fn encode_path(path: &[u8]) -> String {
    percent_encode(path, PATH).to_string()
}

/// Undoes it. A percent sign that encodes nothing stays.
pub fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_segment_and_a_path_many() {
        assert_eq!(encode("ghrunner-a_0.b~c"), "ghrunner-a_0.b~c");
        assert_eq!(encode("a b/ü&?"), "a%20b%2F%C3%BC%26%3F");
        assert_eq!(encode_path("/var/lib/a b?#%".as_bytes()), "/var/lib/a%20b%3F%23%25");
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(decode("a%2Fb%zz%4"), b"a/b%zz%4");
    }
}
