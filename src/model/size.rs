//! Sizes with units.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A number of bytes, written `"512MiB"`, `"4GiB"`, `"1.5GB"` or as a plain number of bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Size(pub u64);

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSize(String);

impl fmt::Display for InvalidSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no size; write a number with KiB, MiB, GiB, TiB (or kB, MB, GB, TB), such as \"4GiB\"",
            self.0
        )
    }
}

impl std::error::Error for InvalidSize {}

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
];

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let fail = || InvalidSize(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fail)?;
        scaled(number, *factor).map(Self).ok_or_else(fail)
    }
}

/// `number` (with at most six decimals) times `factor`, exactly.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 6 || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let tens = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(part) * u128::from(factor) / u128::from(tens);
    whole.checked_mul(factor)?.checked_add(u64::try_from(part).ok()?)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= factor {
                let tenths = u128::from(self.0) * 10 / u128::from(factor);
                return match tenths % 10 {
                    0 => write!(f, "{}{unit}", tenths / 10),
                    rest => write!(f, "{}.{rest}{unit}", tenths / 10),
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [
            ("4GiB", 4 << 30),
            ("512 MiB", 512 << 20),
            ("1.5GB", 1_500_000_000),
            ("0.5GiB", 1 << 29),
            ("1024", 1024),
            ("10kb", 10_000),
        ] {
            assert_eq!(text.parse::<Size>().unwrap(), Size(bytes), "{text}");
        }
        for bad in ["", "GiB", "4 Gig", "-1GiB", "1..5GB", "4g", "99999999999TiB", "1.GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shows_the_largest_unit_that_fits() {
        assert_eq!(Size(4 << 30).to_string(), "4GiB");
        assert_eq!(Size(1_610_612_736).to_string(), "1.5GiB");
        assert_eq!(Size(12).to_string(), "12B");
    }
}
