//! A pool's numbers at one moment: the file's, those of the hours in force, and the operator's boost.

use chrono::DateTime;
use chrono::Datelike;
use chrono::Timelike;

use crate::model::Book;
use crate::model::Pool;
use crate::model::Schedule;
use crate::model::Time;

/// How many runners a pool should have at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) min: u32,
    pub(super) min_idle: u32,
    pub(super) max: u32,
    /// What the operator wants beyond that.
    pub(super) boost: u32,
}

/// The pool's numbers at `now`.
pub(super) fn numbers(pool: &Pool, book: &Book, now: Time) -> Numbers {
    let hours = pool.scaling.schedule.iter().find(|schedule| in_force(schedule, now));
    let max = hours.and_then(|h| h.max).unwrap_or(pool.max).min(pool.max);
    let boost = book.boosts.get(&pool.name).filter(|(_, until)| *until > now).map_or(0, |(count, _)| *count);
    Numbers {
        min: hours.and_then(|h| h.min).unwrap_or(pool.min),
        min_idle: hours.and_then(|h| h.min_idle).unwrap_or(pool.min_idle),
        max,
        boost,
    }
}

/// Whether `now` lies in these hours, by the clocks of their zone. Hours past midnight belong to the day on which they
/// began.
pub(super) fn in_force(schedule: &Schedule, now: Time) -> bool {
    let Some(now) = i64::try_from(now.0).ok().and_then(DateTime::from_timestamp_millis) else { return false };
    let local = now.with_timezone(&schedule.zone.0);
    // A minute of a day is less than 1440.
    let minute = u16::try_from(local.hour() * 60 + local.minute()).unwrap_or(u16::MAX);
    let today = local.weekday().num_days_from_monday() as usize;
    let (from, to) = (schedule.hours.from, schedule.hours.to);
    if from < to {
        return schedule.days[today] && (from..to).contains(&minute);
    }
    (schedule.days[today] && minute >= from) || (schedule.days[(today + 6) % 7] && minute < to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(days: &str, hours: &str, zone: &str) -> Schedule {
        let days: Vec<bool> = days.chars().map(|c| c != '-').collect();
        Schedule {
            days: days.try_into().unwrap(),
            hours: hours.parse().unwrap(),
            zone: zone.parse().unwrap(),
            min: None,
            min_idle: None,
            max: None,
        }
    }

    fn at(text: &str) -> Time {
        let at = DateTime::parse_from_rfc3339(text).unwrap();
        Time(u64::try_from(at.timestamp_millis()).unwrap())
    }

    #[test]
    fn hours_are_read_off_the_zones_own_clocks() {
        let work = schedule("MTWTF--", "08:00-18:00", "Europe/Berlin");
        // A Monday in winter, and one in summer, when Berlin's clocks are two hours ahead of UTC.
        for (time, holds) in [
            ("2026-01-05T06:59:59Z", false),
            ("2026-01-05T07:00:00Z", true),
            ("2026-01-05T16:59:59Z", true),
            ("2026-01-05T17:00:00Z", false),
            ("2026-07-06T06:00:00Z", true),
            ("2026-07-06T16:00:00Z", false),
            ("2026-01-04T10:00:00Z", false),
        ] {
            assert_eq!(in_force(&work, at(time)), holds, "{time}");
        }
    }

    #[test]
    fn hours_past_midnight_belong_to_the_day_they_began_on() {
        let friday_night = schedule("----F--", "22:00-06:00", "UTC");
        for (time, holds) in [
            ("2026-01-09T21:59:00Z", false),
            ("2026-01-09T22:00:00Z", true),
            ("2026-01-10T05:59:00Z", true),
            ("2026-01-10T06:00:00Z", false),
            ("2026-01-09T03:00:00Z", false),
            ("2026-01-10T22:00:00Z", false),
        ] {
            assert_eq!(in_force(&friday_night, at(time)), holds, "{time}");
        }
    }
}
