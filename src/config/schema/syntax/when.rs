//! Forms of days, hours and time zones.

use super::super::Syntax;
use crate::model::Hours;
use crate::model::Zone;

pub(crate) static DAYS: Syntax =
    Syntax { what: "a day or days such as \"mon\" or \"mon-fri\"", check: |text| days(text).map(drop) };
pub(crate) static HOURS: Syntax =
    Syntax { what: "hours such as \"08:00-18:00\"", check: |text| text.parse::<Hours>().map(drop) };
pub(crate) static ZONE: Syntax =
    Syntax { what: "a time zone such as \"Europe/Berlin\"", check: |text| text.parse::<Zone>().map(drop) };

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The days that a text such as `fri-mon` names, Monday first.
pub(crate) fn days(text: &str) -> Result<[bool; 7], String> {
    let wrong =
        || format!("{text:?} is no day; write \"mon\", \"tue\", … \"sun\", or several as \"mon-fri\"");
    let day = |name: &str| NAMES.iter().position(|known| *known == name).ok_or_else(wrong);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let mut days = [false; 7];
    for ahead in 0..=(last + 7 - first) % 7 {
        days[(first + ahead) % 7] = true;
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_named_alone_or_in_a_row() {
        assert_eq!(days("wed").unwrap().map(u8::from), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(days("mon-fri").unwrap().map(u8::from), [1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(days("sat-mon").unwrap().map(u8::from), [1, 0, 0, 0, 0, 1, 1]);
        assert_eq!(days("mon-sun").unwrap().map(u8::from), [1; 7]);
        for bad in ["", "Mon", "monday", "mon-", "mon-fri-sun"] {
            assert!(days(bad).is_err(), "{bad}");
        }
    }
}
