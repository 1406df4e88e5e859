//! What passed, and who wants to be called when what passes.

use std::fmt;
use std::time::SystemTime;

/// A request that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it came, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its method.
    pub method: String,
    /// Its path, without the engine's version prefix and without the query.
    pub path: String,
    /// Its query, without the question mark.
    pub query: String,
    /// The answer's status; none yet, or never.
    pub status: Option<u16>,
    /// How long the answer's head took, in milliseconds.
    pub took_ms: Option<u64>,
}

impl Record {
    /// A request that has just come; `target` is path and query as it stands in the request.
    #[expect(clippy::disallowed_methods, reason = "a log of when things happened needs the wall clock")]
    pub(super) fn now(method: &str, target: &str) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            method: method.to_owned(),
            path: unversioned(path).to_owned(),
            query: query.to_owned(),
            status: None,
            took_ms: None,
        }
    }

    /// Whether it has this method (`*` is any) and path, where `*` stands for anything within a segment.
    pub fn fits(&self, method: &str, path: &str) -> bool {
        let (mine, wanted) = (self.path.split('/'), path.split('/'));
        (method == "*" || self.method == method)
            && mine.clone().count() == wanted.clone().count()
            && mine.zip(wanted).all(|(segment, pattern)| glob(pattern, segment))
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "at_ms": self.at_ms, "method": self.method, "path": self.path, "query": self.query,
            "status": self.status, "took_ms": self.took_ms,
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

fn unversioned(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v1.") else { return path };
    rest.find('/').map_or(path, |at| &rest[at..])
}

/// One `*` is enough here.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

/// On which side of the request a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The server has not heard of it.
    Before,
    /// The server has answered it; the client has not heard of that.
    After,
}

/// What becomes of a request whose hook was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It, or its answer, passes.
    Pass,
    /// Its connection is cut: the server does not hear of it, or the client not of the answer.
    Cut,
}

/// What is called with the request.
pub(super) type Hook = Box<dyn FnOnce(&Record) -> Verdict + Send>;

/// What each answered request is told to.
type Teller = Box<dyn FnMut(&Record) + Send>;

struct Waiting {
    when: When,
    method: String,
    path: String,
    left: u32,
    hook: Hook,
}

/// Records and hooks.
#[derive(Default)]
pub(super) struct Watch {
    records: Vec<Record>,
    waiting: Vec<Waiting>,
    tell: Option<Teller>,
}

impl Watch {
    pub(super) fn add(&mut self, when: When, method: &str, path: &str, nth: u32, hook: Hook) {
        let (method, path) = (method.to_owned(), path.to_owned());
        self.waiting.push(Waiting { when, method, path, left: nth.max(1), hook });
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn tell(&mut self, tell: Teller) {
        self.tell = Some(tell);
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Enters a request; gives its place, and the hooks to call.
    pub(super) fn begin(&mut self, record: &Record) -> (usize, Vec<Hook>) {
        self.records.push(record.clone());
        (self.records.len() - 1, self.due(When::Before, record))
    }

    /// Enters its answer; gives the whole record, and the hooks to call.
    pub(super) fn answered(&mut self, place: usize, status: u16, took_ms: u64) -> (Record, Vec<Hook>) {
        let record = &mut self.records[place];
        (record.status, record.took_ms) = (Some(status), Some(took_ms));
        let record = record.clone();
        if let Some(tell) = &mut self.tell {
            tell(&record);
        }
        let due = self.due(When::After, &record);
        (record, due)
    }

    fn due(&mut self, when: When, record: &Record) -> Vec<Hook> {
        let fits = |w: &Waiting| w.when == when && record.fits(&w.method, &w.path);
        self.waiting.iter_mut().filter(|w| fits(w)).for_each(|w| w.left -= 1);
        self.waiting.extract_if(.., |w| w.left == 0).map(|w| w.hook).collect()
    }
}

/// Calls hooks, without any lock held: they may use the proxy.
pub(super) fn call(hooks: Vec<Hook>, record: &Record) -> Verdict {
    let verdicts: Vec<Verdict> = hooks.into_iter().map(|hook| hook(record)).collect();
    if verdicts.contains(&Verdict::Cut) { Verdict::Cut } else { Verdict::Pass }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({} requests)", self.records.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_method_and_path() {
        let record = Record::now("POST", "/v1.41/containers/abc/start?x=1");
        assert_eq!((record.path.as_str(), record.query.as_str()), ("/containers/abc/start", "x=1"));
        assert!(record.fits("POST", "/containers/*/start"));
        assert!(record.fits("*", "/containers/a*c/start"));
        assert!(!record.fits("GET", "/containers/*/start"));
        assert!(!record.fits("POST", "/containers/*"));
    }

    #[test]
    fn a_hook_is_called_once_at_the_nth_request() {
        let mut watch = Watch::default();
        watch.add(When::Before, "GET", "/a", 2, Box::new(|_| Verdict::Cut));
        let record = Record::now("GET", "/a");
        let verdicts: Vec<Verdict> = (0..3).map(|_| call(watch.begin(&record).1, &record)).collect();
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Cut, Verdict::Pass]);
    }
}
