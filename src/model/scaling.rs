//! How a pool's number of runners follows what waits: thresholds, hours, caps, and whose jobs come first.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Job;
use super::Priority;

/// The layers between jobs that wait and runners that stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scaling {
    /// Jobs that wait before the first start beyond `min`.
    pub up_threshold: u32,
    /// Runners for each job that waits.
    pub up_factor: f64,
    /// Surplus idle runners before any of them goes.
    pub down_threshold: u32,
    /// Hours with numbers of their own; the first that is in force holds.
    pub schedule: Vec<Schedule>,
    /// Jobs of one repository that are served at a time.
    pub max_per_repository: Option<u32>,
    /// Jobs of one workflow that are served at a time.
    pub max_per_workflow: Option<u32>,
    /// Jobs that come before or after the pool's others; the first that fits holds.
    pub priority_rules: Vec<PriorityRule>,
    /// What is done about a job whose runner is gone.
    pub on_lost_job: OnLostJob,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            up_threshold: 1,
            up_factor: 1.0,
            down_threshold: 1,
            schedule: Vec::new(),
            max_per_repository: None,
            max_per_workflow: None,
            priority_rules: Vec::new(),
            on_lost_job: OnLostJob::Report,
        }
    }
}

/// What is done about a job whose runner is gone.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLostJob {
    /// It is told.
    #[default]
    Report,
    /// Its run is cancelled, too, so that nobody waits for GitHub to notice.
    Cancel,
}

/// Hours of some days in which a pool has other numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// On which days it begins, Monday first.
    pub days: [bool; 7],
    /// From when until when; past midnight where the end is not after the beginning.
    pub hours: Hours,
    /// Where these hours are read off a clock.
    pub zone: Zone,
    /// In place of the pool's `min`.
    pub min: Option<u32>,
    /// In place of the pool's `min_idle`.
    pub min_idle: Option<u32>,
    /// In place of the pool's `max`, and never above it.
    pub max: Option<u32>,
}

/// From when until when, in minutes since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first minute.
    pub from: u16,
    /// The minute after the last, 1440 at most.
    pub to: u16,
}

const DAY: u16 = 24 * 60;

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} are no hours; write \"08:00-18:00\"");
        let minute = |text: &str| {
            let (h, m) = text.trim().split_once(':')?;
            let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
            let (h, m): (u16, u16) =
                (digits(h).then(|| h.parse().ok())??, digits(m).then(|| m.parse().ok())??);
            (m < 60 && h * 60 + m <= DAY).then_some(h * 60 + m)
        };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
        if from == DAY || from == to || to == 0 {
            return Err(format!("{text:?} never begins or never ends; \"00:00-24:00\" is a whole day"));
        }
        Ok(Self { from, to })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl Serialize for Hours {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A time zone of the tz database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub chrono_tz::Tz);

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("{text:?} is no time zone; write one such as \"Europe/Berlin\""))
    }
}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

/// Which jobs have another priority than their pool. What is not said fits every job; `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PriorityRule {
    /// The workflow's name.
    pub workflow: Option<String>,
    /// The branch that the run is for.
    pub branch: Option<String>,
    /// What started the run.
    pub event: Option<String>,
    /// One of the job's labels.
    pub label: Option<String>,
    /// Their priority.
    pub priority: Priority,
}

impl PriorityRule {
    /// Whether it speaks of this job.
    pub fn fits(&self, job: &Job) -> bool {
        let fits = |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|p| like(p, text));
        fits(&self.workflow, &job.workflow)
            && fits(&self.branch, &job.branch)
            && fits(&self.event, &job.event)
            && self
                .label
                .as_ref()
                .is_none_or(|p| job.labels.iter().any(|label| like(&p.to_lowercase(), label)))
    }
}

/// Whether the text fits a pattern in which `*` stands for any text.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_shown() {
        for text in ["08:00-18:00", "22:00-06:00", "00:00-24:00"] {
            assert_eq!(text.parse::<Hours>().unwrap().to_string(), text);
        }
        for bad in [
            "8:00-18:00",
            "08:00",
            "08:00-08:00",
            "24:00-08:00",
            "10:00-00:00",
            "08:60-09:00",
            "08:00-24:01",
            "a-b",
        ] {
            assert!(bad.parse::<Hours>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in
            [("main", "main"), ("release/*", "release/1"), ("*", ""), ("a*b*c", "axxbc"), ("*-lts", "v1-lts")]
        {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("main", "mainline"), ("release/*", "main"), ("a*b", "ba"), ("a*a", "a"), ("ab*bc", "abc")]
        {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn zones_are_those_of_the_tz_database() {
        assert!("Europe/Berlin".parse::<Zone>().is_ok() && "UTC".parse::<Zone>().is_ok());
        assert!("Europe/Atlantis".parse::<Zone>().is_err());
    }
}
