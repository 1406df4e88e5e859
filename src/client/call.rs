//! Everything that can be asked of the daemon, each as a value that either client carries.
//!
//! ```
//! use ghrunner::client::call;
//!
//! assert_eq!(call::drain_pool("build").request().target(), "/api/v1/pools/build/drain");
//! ```
//!
//! What only looks needs the role `read`, everything else the role `operate`; [`health`], [`ready`] and [`openapi`] need
//! none. Names may be any text: one that is no name is refused by the daemon.

use std::time::Duration;

use http::Method;

use super::request::Call;
use super::request::List;
use super::request::Raw;
use super::request::Request;
use crate::http::dto;
use crate::model::Mode;
use crate::model::Repo;
use crate::model::history::AuditHead;
use crate::model::history::AuditVerdict;
use crate::model::history::JobResult;

/// Where GitHub is asked about each repository, or the history is read from end to end: a little longer than the daemon
/// itself waits, so that it is the daemon that says so.
const LONG: Duration = Duration::from_secs(310);

fn get(segments: &[&str]) -> Request {
    Request::v1(Method::GET, segments)
}

/// Without a body: one that the daemon does not read could be cut off in the middle of being sent.
fn post(segments: &[&str]) -> Request {
    Request::v1(Method::POST, segments)
}

fn delete(segments: &[&str]) -> Request {
    Request::v1(Method::DELETE, segments)
}

/// A span as the API takes it.
fn span(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// Whether the daemon answers. Needs no credential.
pub fn health() -> Call<dto::Health> {
    Call::json(Request::new(Method::GET, &["health"]))
}

/// Whether the daemon keeps the fleet already; until then the answer is a refusal that says why. Needs no credential.
pub fn ready() -> Call<dto::Ready> {
    Call::json(Request::new(Method::GET, &["ready"]))
}

/// The API's description, as OpenAPI has it. Needs no credential.
pub fn openapi() -> Call<serde_json::Value> {
    Call::json(Request::new(Method::GET, &["openapi.json"]))
}

/// The metrics, in Prometheus' text format.
pub fn metrics() -> Call<String> {
    Call::text(Request::new(Method::GET, &["metrics"]))
}

/// Who asks, and what they may do.
pub fn whoami() -> Call<dto::WhoAmI> {
    Call::json(get(&["whoami"]))
}

/// The daemon and its fleet, as of the end of the last pass.
pub fn status() -> Call<dto::Status> {
    Call::json(get(&["status"]))
}

/// What a pass would do now, and what it would hold back and why.
pub fn plan() -> Call<dto::Plan> {
    Call::json(get(&["plan"]))
}

/// What the fleet was like over the last hours, or after a moment.
pub fn trend(since: Option<dto::Timestamp>) -> Call<dto::Trend> {
    let since = since.and_then(|since| serde_json::to_value(since).ok());
    Call::json(get(&["trend"]).given("since", since.as_ref().and_then(|since| since.as_str())))
}

/// The fleet as it changes, as server-sent events. `events` of both clients reads them; `last` is the id of the last one
/// that was heard.
pub fn events(last: Option<&str>) -> Raw {
    // What is no header cannot have been an event's id.
    let last = last.filter(|last| last.bytes().all(|byte| byte.is_ascii_graphic()));
    Raw { request: get(&["events"]).behind(last) }
}

/// Reads the configuration file again.
pub fn reload() -> Call<dto::Done> {
    Call::json(post(&["reload"]))
}

/// Changes between organization and repository mode, or, with `dry_run`, says what that would do.
pub fn set_mode(mode: Mode, dry_run: bool) -> Call<dto::Plan> {
    Call::json(post(&["mode"]).body(&dto::SetMode { mode, dry_run }))
}

/// What speaks against a change to this mode. The daemon asks GitHub, which may take minutes.
pub fn obstacles(mode: Mode) -> Call<Vec<dto::Obstacle>> {
    let word = match mode {
        Mode::Organization => "organization",
        Mode::Repository => "repository",
    };
    Call::json(get(&["obstacles"]).given("mode", Some(word)).within(LONG))
}

/// How much is logged.
pub fn log_level() -> Call<dto::LogLevel> {
    Call::json(get(&["log-level"]))
}

/// Logs more or less: a level such as `debug`, or a filter by module. Until the daemon ends, or for a time.
pub fn set_log_level(level: impl Into<String>, time: Option<Duration>) -> Call<dto::LogLevel> {
    let body = dto::SetLogLevel { level: level.into(), time: time.map(span) };
    Call::json(Request::v1(Method::PUT, &["log-level"]).body(&body))
}

/// All pools.
pub fn pools() -> List<Vec<dto::Pool>> {
    List::new(get(&["pools"]))
}

/// One pool.
pub fn pool(name: &str) -> Call<dto::Pool> {
    Call::json(get(&["pools", name]))
}

/// Lets a pool's runners finish and starts no more.
pub fn drain_pool(name: &str) -> Call<dto::Done> {
    Call::json(post(&["pools", name, "drain"]))
}

/// Serves a drained pool again.
pub fn resume_pool(name: &str) -> Call<dto::Done> {
    Call::json(post(&["pools", name, "resume"]))
}

/// Keeps so many runners of a pool more than the file says, within its `max`, for a time of a week at most.
pub fn scale_up_pool(name: &str, count: u32, time: Duration) -> Call<dto::Done> {
    Call::json(post(&["pools", name, "scale-up"]).body(&dto::Boost { count, time: span(time) }))
}

/// Takes a pool's boost back, or so many of it.
pub fn scale_down_pool(name: &str, count: Option<u32>) -> Call<dto::Done> {
    Call::json(lower(post(&["pools", name, "scale-down"]), count))
}

/// Keeps so many runners of every pool more than the file says, within each one's `max`, for a time of a week at most.
pub fn scale_up_all(count: u32, time: Duration) -> Call<dto::Done> {
    Call::json(post(&["runners", "scale-up"]).body(&dto::Boost { count, time: span(time) }))
}

/// Takes the boosts of all pools back, or so many of each.
pub fn scale_down_all(count: Option<u32>) -> Call<dto::Done> {
    Call::json(lower(post(&["runners", "scale-down"]), count))
}

fn lower(request: Request, count: Option<u32>) -> Request {
    match count {
        None => request,
        count => request.body(&dto::Lower { count }),
    }
}

/// Lets the runners of all pools finish and starts no more.
pub fn drain_all() -> Call<dto::Done> {
    Call::json(post(&["drain"]))
}

/// Serves all drained pools again.
pub fn resume_all() -> Call<dto::Done> {
    Call::json(post(&["resume"]))
}

/// All runners.
pub fn runners() -> List<Vec<dto::Runner>> {
    List::new(get(&["runners"]))
}

/// One runner, by its name at GitHub or its container's.
pub fn runner(name: &str) -> Call<dto::Runner> {
    Call::json(get(&["runners", name]))
}

/// Lets a runner go as soon as it is surely idle; with `force`, at once, and a job that it has fails.
pub fn remove_runner(name: &str, force: bool) -> Call<dto::Removed> {
    Call::json(delete(&["runners", name]).given("force", Some(force)))
}

/// Lets all runners go as soon as they are surely idle; with `force`, at once, and jobs that they have fail.
pub fn remove_all_runners(force: bool) -> Call<dto::Done> {
    Call::json(delete(&["runners"]).given("force", Some(force)))
}

/// What a runner prints, as it comes, from so many lines back; with `follow`, until it ends. It may be silent for as long
/// as its job likes.
pub fn logs(name: &str, tail: usize, follow: bool) -> Raw {
    Raw { request: get(&["runners", name, "logs"]).given("tail", Some(tail)).given("follow", Some(follow)) }
}

/// Runners that are gone, the latest first, so many as the daemon has in memory.
pub fn ended() -> List<Vec<dto::Ended>> {
    List::new(get(&["ended"]))
}

/// All jobs that wait or run, those that come first first, each with its reason.
pub fn jobs() -> List<Vec<dto::Explanation>> {
    List::new(get(&["jobs"]))
}

/// Why a job waits, by its number at GitHub.
pub fn explain_job(id: u64) -> Call<dto::Explanation> {
    Call::json(get(&["jobs", &id.to_string(), "explain"]))
}

/// Which jobs are asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The repository.
    pub repo: Option<Repo>,
    /// All jobs of this run.
    pub run: Option<u64>,
    /// The job of this number.
    pub job: Option<u64>,
    /// Labels that a job would ask for, where no run and no job is meant. None of them has a comma.
    pub labels: Vec<String>,
}

/// Why the jobs of a run wait, or why one with these labels would.
pub fn explain(question: &Question) -> Call<Vec<dto::Explanation>> {
    let Question { repo, run, job, labels } = question;
    let labels = (!labels.is_empty()).then(|| labels.join(","));
    Call::json(
        get(&["explain"])
            .given("labels", labels)
            .given("repo", repo.as_ref())
            .given("run", *run)
            .given("job", *job),
    )
}

/// Which part of the past is asked about; of all of it without any. Moments are RFC 3339, or a time back from now such as
/// `7d`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this pool's.
    pub pool: Option<String>,
    /// Only this repository's, `owner/name`, with its case.
    pub repo: Option<String>,
    /// Only jobs that came to this.
    pub result: Option<JobResult>,
    /// Not before this moment.
    pub since: Option<String>,
    /// Before this moment.
    pub until: Option<String>,
    /// Behind this place: `next` of the page before.
    pub after: Option<String>,
    /// How many a page holds at most.
    pub limit: Option<u32>,
}

impl Filter {
    fn of(&self, segments: &[&str]) -> Request {
        get(segments)
            .given("pool", self.pool.as_ref())
            .given("repo", self.repo.as_ref())
            .given("since", self.since.as_ref())
            .given("until", self.until.as_ref())
            .given("result", self.result)
            .given("after", self.after.as_ref())
            .given("limit", self.limit)
    }
}

/// Jobs that ended, the latest first.
pub fn past_jobs(filter: &Filter) -> List<dto::Page<dto::PastJob>> {
    List::new(filter.of(&["history"]))
}

/// Runners that are gone, the latest first.
pub fn past_runners(filter: &Filter) -> List<dto::Page<dto::PastRunner>> {
    List::new(filter.of(&["history", "runners"]))
}

/// A runner that is gone, with its post-mortem, by its name at GitHub.
pub fn past_runner(name: &str) -> Call<dto::PastRunner> {
    Call::json(get(&["history", "runners", name]))
}

/// Changes of what pools want, the latest first.
pub fn past_decisions(filter: &Filter) -> List<dto::Page<dto::Decision>> {
    List::new(filter.of(&["history", "decisions"]))
}

/// What the history comes to, since a moment (a week ago unless the filter says otherwise), of one pool or repository or of
/// all.
pub fn stats(filter: &Filter) -> Call<dto::Stats> {
    Call::json(filter.of(&["stats"]))
}

/// What the history came to over time, in steps of whole hours: a day back unless the filter says otherwise, of one pool or
/// repository or of all. The filter's other fields say nothing here.
pub fn stats_series(filter: &Filter, step: Option<Duration>) -> Call<dto::Series> {
    let filter = Filter { result: None, after: None, limit: None, ..filter.clone() };
    Call::json(filter.of(&["stats", "series"]).given("step", step.map(span)))
}

/// The audit trail, the latest first.
pub fn audit(filter: &Filter) -> List<dto::Page<dto::AuditEntry>> {
    List::new(filter.of(&["audit"]))
}

/// The digest of one entry of the audit trail, by its number.
pub fn audit_entry(seq: u64) -> Call<AuditHead> {
    Call::json(get(&["audit", "entries", &seq.to_string()]))
}

/// Has the daemon look through the whole audit trail. One of millions of entries takes minutes.
pub fn verify_audit() -> Call<AuditVerdict> {
    Call::json(get(&["audit", "verify"]).within(LONG))
}

/// A copy of the history's database: a file of SQLite's.
pub fn copy_history() -> Raw {
    Raw { request: post(&["history", "copy"]).within(LONG) }
}
