//! Faults on request: which requests they hit, how often, and what they do.
//!
//! A fault is written as `METHOD PATH KIND [option]…`, several are parted by `;`:
//!
//! ```text
//! GET /orgs/*/actions/runners status=503 p=0.1
//! POST **/generate-jitconfig reset processed count=1
//! * ** latency=200ms after=10s for=30s
//! ```
//!
//! The method `HOOK` stands for webhook deliveries, whose path is `/hooks/ID/EVENT/ACTION`.
//!
//! In globs `*` stands for anything but `/`, `**` for anything.

use std::time::Duration;

use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::rest::Effects;
use crate::server::HOOK;

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `latency=DURATION`: answer later.
    Latency(Duration),
    /// `status=N`: answer with that status and GitHub's body for it.
    Status(u16),
    /// `primary` or `primary=429`: no requests are left until the hour is over.
    Primary(u16),
    /// `secondary` or `secondary=SECONDS`: slow down.
    Secondary(u64),
    /// `truncate`: the connection ends in the middle of the body.
    Truncate,
    /// `malformed`: the body is not JSON.
    Malformed,
    /// `reset`: the connection is reset before any answer.
    Reset,
    /// `omit-runner` or `omit-runner=NAMEGLOB`: listings leave those runners out.
    OmitRunner(String),
    /// `lie-busy`: busy runners are shown as idle.
    LieBusy,
    /// `delete-busy`: deleting a busy runner is accepted.
    DeleteBusy,
    /// `empty` or `empty=202`: a status of success without a body.
    Empty(u16),
    /// `bom`: the body starts with a byte order mark.
    Bom,
    /// `session-conflict`: somebody else is said to have the scale set's session.
    SessionConflict,
    /// `session-expired`: the scale set's session ends before the request.
    SessionExpired,
    /// `session-evicted`: the same, and nobody knows of it any more.
    SessionEvicted,
    /// `no-queue-url`: a session is opened without saying where its messages are.
    NoQueueUrl,
    /// `set-deleted`: the scale set is gone before the request.
    SetDeleted,
    /// `statistics=N`: each scale set is said to have N jobs.
    Statistics(u64),
    /// `withhold`: messages stay where they are.
    Withhold,
    /// `duplicate`: the last message comes again, deleted or not.
    Duplicate,
    /// `early-completed`: running jobs are said to be over.
    EarlyCompleted,
    /// `drop`: the delivery is never made.
    Drop,
    /// `reorder`: the delivery is made after the next one.
    Reorder,
    /// `mis-sign`: the delivery is signed with another secret.
    MisSign,
}

/// One fault.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    method: String,
    path: String,
    kind: Kind,
    probability: f64,
    /// How often it may still hit.
    left: Option<u64>,
    after: Duration,
    lasts: Option<Duration>,
    /// The request is carried out, only the answer is lost.
    processed: bool,
    /// How often it has hit.
    hits: u64,
}

/// A fault that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("cannot understand the fault {0:?}: {1}")]
pub struct FaultError(String, &'static str);

impl Fault {
    fn parse(text: &str) -> Result<Self, FaultError> {
        let wrong = |why| FaultError(text.to_string(), why);
        let mut words = text.split_whitespace();
        let (Some(method), Some(path), Some(kind)) = (words.next(), words.next(), words.next()) else {
            return Err(wrong("it needs METHOD PATH KIND"));
        };
        let kind = Kind::parse(kind).ok_or_else(|| wrong("no such kind"))?;
        let mut fault = Self {
            method: method.to_string(),
            path: path.to_string(),
            kind,
            probability: 1.0,
            left: None,
            after: Duration::ZERO,
            lasts: None,
            processed: false,
            hits: 0,
        };
        for word in words {
            fault.option(word).ok_or_else(|| wrong("no such option"))?;
        }
        Ok(fault)
    }

    fn option(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            None if word == "processed" => self.processed = true,
            Some(("p", value)) => {
                self.probability = value.parse().ok().filter(|p| (0.0..=1.0).contains(p))?
            }
            Some(("count", value)) => self.left = Some(value.parse().ok()?),
            Some(("after", value)) => self.after = humantime::parse_duration(value).ok()?,
            Some(("for", value)) => self.lasts = Some(humantime::parse_duration(value).ok()?),
            _ => return None,
        }
        Some(())
    }

    fn fits(&self, method: &str, path: &str, up: Duration) -> bool {
        let timely = up >= self.after && self.lasts.is_none_or(|d| up < self.after + d);
        // Deliveries are the simulator's own requests: they are hit only where they are meant.
        let meant = method != HOOK || self.method == HOOK;
        timely && self.left != Some(0) && meant && glob(&self.method, method) && glob(&self.path, path)
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v)));
        Some(match (name, value) {
            ("latency", Some(value)) => Self::Latency(humantime::parse_duration(value).ok()?),
            ("status", Some(value)) => Self::Status(value.parse().ok().filter(|s| (400..600).contains(s))?),
            ("primary", None) => Self::Primary(403),
            ("primary", Some(value)) => Self::Primary(value.parse().ok()?),
            ("secondary", None) => Self::Secondary(60),
            ("secondary", Some(value)) => Self::Secondary(value.parse().ok()?),
            ("truncate", None) => Self::Truncate,
            ("malformed", None) => Self::Malformed,
            ("reset", None) => Self::Reset,
            ("omit-runner", value) => Self::OmitRunner(value.unwrap_or("**").to_string()),
            ("lie-busy", None) => Self::LieBusy,
            ("delete-busy", None) => Self::DeleteBusy,
            ("empty", None) => Self::Empty(200),
            ("empty", Some(value)) => Self::Empty(value.parse().ok().filter(|s| (200..300).contains(s))?),
            ("bom", None) => Self::Bom,
            ("session-conflict", None) => Self::SessionConflict,
            ("session-expired", None) => Self::SessionExpired,
            ("session-evicted", None) => Self::SessionEvicted,
            ("no-queue-url", None) => Self::NoQueueUrl,
            ("set-deleted", None) => Self::SetDeleted,
            ("statistics", Some(value)) => Self::Statistics(value.parse().ok()?),
            ("withhold", None) => Self::Withhold,
            ("duplicate", None) => Self::Duplicate,
            ("early-completed", None) => Self::EarlyCompleted,
            ("drop", None) => Self::Drop,
            ("reorder", None) => Self::Reorder,
            ("mis-sign", None) => Self::MisSign,
            _ => return None,
        })
    }
}

/// All faults in force.
#[derive(Debug)]
pub struct Faults {
    list: Vec<Fault>,
    rng: StdRng,
}

/// What is to happen to one request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) latency: Duration,
    pub(crate) effects: Effects,
    /// The answer's fault, and whether the request is carried out all the same.
    pub(crate) answer: Option<(Kind, bool)>,
    /// Whether the body starts with a byte order mark.
    pub(crate) bom: bool,
    /// Whether anything but the time changes.
    pub(crate) injected: bool,
}

impl Faults {
    /// No faults, with the seed of those to come.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { list: Vec::new(), rng: StdRng::seed_from_u64(seed) }
    }

    /// Adds the faults of a text; `up` is the moment from which `after` counts.
    ///
    /// # Errors
    /// When one of them cannot be understood; then none is added.
    pub fn add(&mut self, text: &str, up: Duration) -> Result<(), FaultError> {
        let parts = text.split([';', '\n']).map(str::trim).filter(|t| !t.is_empty());
        let mut new = parts.map(Fault::parse).collect::<Result<Vec<_>, _>>()?;
        for fault in &mut new {
            fault.after += up;
        }
        self.list.append(&mut new);
        Ok(())
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The faults in force.
    #[must_use]
    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// Decides about one request.
    pub(crate) fn plan(&mut self, method: &str, path: &str, up: Duration) -> Plan {
        let mut plan = Plan::default();
        for fault in &mut self.list {
            if !fault.fits(method, path, up) || !self.rng.random_bool(fault.probability) {
                continue;
            }
            fault.left = fault.left.map(|n| n - 1);
            fault.hits += 1;
            plan.take(fault);
        }
        plan
    }
}

impl Plan {
    fn take(&mut self, fault: &Fault) {
        self.injected |= !matches!(fault.kind, Kind::Latency(_));
        match &fault.kind {
            Kind::Latency(by) => self.latency += *by,
            Kind::OmitRunner(name) => self.effects.omit = Some(name.clone()),
            Kind::LieBusy => self.effects.hide_busy = true,
            Kind::DeleteBusy => self.effects.delete_busy = true,
            Kind::Bom => self.bom = true,
            Kind::SessionExpired => self.effects.end_session = Some(false),
            Kind::SessionEvicted => self.effects.end_session = Some(true),
            Kind::NoQueueUrl => self.effects.no_queue_url = true,
            Kind::SetDeleted => self.effects.drop_set = true,
            Kind::Statistics(assigned) => self.effects.statistics = Some(*assigned),
            Kind::Withhold => self.effects.withhold = true,
            Kind::Duplicate => self.effects.duplicate = true,
            Kind::EarlyCompleted => self.effects.early_completed = true,
            Kind::Drop => self.effects.lose = true,
            Kind::Reorder => self.effects.reorder = true,
            Kind::MisSign => self.effects.mis_sign = true,
            // A cut or spoilt body needs a body: the request is carried out.
            kind @ (Kind::Truncate | Kind::Malformed) => self.answer = Some((kind.clone(), true)),
            kind => self.answer = Some((kind.clone(), fault.processed)),
        }
    }
}

/// Whether `text` fits `pattern`: `*` is anything but `/`, `**` is anything.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    fits(pattern.as_bytes(), text.as_bytes())
}

fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|n| fits(rest, &text[n..])),
        [b'*', rest @ ..] => {
            let end = text.iter().position(|b| *b == b'/').unwrap_or(text.len());
            (0..=end).any(|n| fits(rest, &text[n..]))
        }
        [first, rest @ ..] => text.first() == Some(first) && fits(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_stop_at_slashes_unless_doubled() {
        assert!(glob("/orgs/*/actions/runners", "/orgs/acme/actions/runners"));
        assert!(!glob("/orgs/*/actions/runners", "/orgs/acme/x/actions/runners"));
        assert!(glob("**/runners/*", "/repos/a/b/actions/runners/7"));
        assert!(glob("**", "/anything/at/all"));
        assert!(!glob("GET", "POST"));
    }

    #[test]
    fn a_counted_fault_hits_that_often_and_no_more() {
        let mut faults = Faults::new(1);
        faults.add("GET /x status=503 count=2", Duration::ZERO).unwrap();
        let hits = (0..5).filter(|_| faults.plan("GET", "/x", Duration::ZERO).answer.is_some()).count();
        assert_eq!(hits, 2);
        assert!(faults.plan("POST", "/x", Duration::ZERO).answer.is_none());
    }

    #[test]
    fn a_window_opens_and_closes() {
        let mut faults = Faults::new(1);
        faults.add("* ** reset after=10s for=5s", Duration::from_secs(100)).unwrap();
        let hit = |f: &mut Faults, up| f.plan("GET", "/", Duration::from_secs(up)).answer.is_some();
        assert!(!hit(&mut faults, 109));
        assert!(hit(&mut faults, 110));
        assert!(!hit(&mut faults, 115));
    }

    #[test]
    fn probability_is_seeded() {
        let run = |seed| {
            let mut faults = Faults::new(seed);
            faults.add("* ** status=500 p=0.5", Duration::ZERO).unwrap();
            (0..64).map(|_| faults.plan("GET", "/", Duration::ZERO).answer.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn nonsense_is_refused_whole() {
        let mut faults = Faults::new(1);
        for bad in ["GET /x", "GET /x boom", "GET /x status=200", "GET /x reset p=2", "GET /x reset; GET"] {
            assert!(faults.add(bad, Duration::ZERO).is_err(), "{bad}");
        }
        assert!(faults.list().is_empty());
    }
}
