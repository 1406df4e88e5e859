//! Asking the daemon over its socket.

use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::Gid;
use nix::unistd::Group;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::Body;
use ureq::http::Response;

use super::CliError;
use super::transport::UnixConnector;
use super::transport::UnixResolver;
use crate::control::Question;
use crate::http::Problem;
use crate::http::dto;
use crate::model::Mode;

/// The most that an answer may hold: ten thousand runners need about 10 MB.
const MAX_ANSWER_BYTES: u64 = 256 * 1024 * 1024;

/// The most pages of one list: a million items.
const MAX_PAGES: usize = 1000;

/// How long the daemon may take. It answers from memory; only a plan or a new mode waits for a pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take where it asks GitHub about each repository of an organization first.
const PATIENCE_WITH_GITHUB: Duration = Duration::from_secs(300);

/// The daemon, as a command sees it.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    socket: PathBuf,
}

impl Client {
    /// Speaks to the daemon at this socket, once it is asked something.
    pub fn new(socket: &Path) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).build();
        let agent = Agent::with_parts(config, UnixConnector::new(socket), UnixResolver);
        Self { agent, socket: socket.to_owned() }
    }

    /// `GET /api/v1/status`.
    ///
    /// # Errors
    /// No daemon, not permitted, refused: as for all calls here.
    pub fn status(&self) -> Result<dto::Status, CliError> {
        self.get("/api/v1/status")
    }

    /// `GET /api/v1/plan`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn plan(&self) -> Result<dto::Plan, CliError> {
        self.get("/api/v1/plan")
    }

    /// `GET /api/v1/pools`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn pools(&self) -> Result<Vec<dto::Pool>, CliError> {
        self.list("/api/v1/pools")
    }

    /// `GET /api/v1/pools/NAME`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn pool(&self, name: &str) -> Result<dto::Pool, CliError> {
        self.get(&format!("/api/v1/pools/{}", segment(name)))
    }

    /// `POST /api/v1/pools/NAME/drain` or `…/resume`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn drain_pool(&self, name: &str, drain: bool) -> Result<dto::Done, CliError> {
        let verb = if drain { "drain" } else { "resume" };
        self.order(&format!("/api/v1/pools/{}/{verb}", segment(name)))
    }

    /// `POST /api/v1/pools/NAME/scale-up`; `…/scale-down` for a count of 0.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn boost_pool(&self, name: &str, count: u32, time: Duration) -> Result<dto::Done, CliError> {
        let pool = format!("/api/v1/pools/{}", segment(name));
        match count {
            0 => self.order(&format!("{pool}/scale-down")),
            _ => {
                let time = humantime::format_duration(time).to_string();
                self.post(&format!("{pool}/scale-up"), &dto::Boost { count, time })
            }
        }
    }

    /// `GET /api/v1/jobs`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn jobs(&self) -> Result<Vec<dto::Explanation>, CliError> {
        self.list("/api/v1/jobs")
    }

    /// `GET /api/v1/explain`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn explain(&self, question: &Question) -> Result<Vec<dto::Explanation>, CliError> {
        let labels: Vec<String> = question.labels.iter().map(|label| segment(label)).collect();
        let mut path = format!("/api/v1/explain?labels={}", labels.join(","));
        if let Some(repo) = &question.repo {
            path.push_str(&format!("&repo={}", segment(&repo.to_string())));
        }
        for (key, number) in [("run", question.run), ("job", question.job)] {
            if let Some(number) = number {
                path.push_str(&format!("&{key}={number}"));
            }
        }
        self.get(&path)
    }

    /// `GET /api/v1/runners`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn runners(&self) -> Result<Vec<dto::Runner>, CliError> {
        self.list("/api/v1/runners")
    }

    /// `GET /api/v1/runners/NAME`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn runner(&self, name: &str) -> Result<dto::Runner, CliError> {
        self.get(&format!("/api/v1/runners/{}", segment(name)))
    }

    /// `DELETE /api/v1/runners/NAME`; without `force` it is the same as a drain.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn stop_runner(&self, name: &str, force: bool) -> Result<dto::Done, CliError> {
        self.delete(&format!("/api/v1/runners/{}?force={force}", segment(name)))
    }

    /// `DELETE /api/v1/runners`; without `force` it is the same as draining each.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn stop_all(&self, force: bool) -> Result<dto::Done, CliError> {
        self.delete(&format!("/api/v1/runners?force={force}"))
    }

    /// `POST /api/v1/drain` and `…/resume`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn drain_all(&self, drain: bool) -> Result<dto::Done, CliError> {
        self.order(if drain { "/api/v1/drain" } else { "/api/v1/resume" })
    }

    /// `GET /api/v1/obstacles`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn obstacles(&self, mode: Mode) -> Result<Vec<dto::Obstacle>, CliError> {
        let mode = match mode {
            Mode::Organization => "organization",
            Mode::Repository => "repository",
        };
        self.get_in(&format!("/api/v1/obstacles?mode={mode}"), PATIENCE_WITH_GITHUB)
    }

    /// `GET /api/v1/ended`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn ended(&self) -> Result<Vec<dto::Ended>, CliError> {
        self.list("/api/v1/ended")
    }

    /// `POST /api/v1/reload`.
    ///
    /// # Errors
    /// As [`Client::status`]; the file is not good.
    pub fn reload(&self) -> Result<dto::Done, CliError> {
        self.order("/api/v1/reload")
    }

    /// `POST /api/v1/mode`.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn set_mode(&self, mode: Mode, dry_run: bool) -> Result<dto::Plan, CliError> {
        self.post("/api/v1/mode", &dto::SetMode { mode, dry_run })
    }

    /// `GET /api/v1/runners/NAME/logs`, as it comes.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn logs(&self, name: &str, tail: usize, follow: bool) -> Result<impl Read + use<>, CliError> {
        let path = format!("/api/v1/runners/{}/logs?tail={tail}&follow={follow}", segment(name));
        // A runner may be silent for as long as its job likes.
        let request = self.agent.get(uri(&path)).config().timeout_global(None).build();
        let response = request.call().map_err(|e| self.unreached(e))?;
        Ok(refusal(response)?.into_body().into_reader())
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.get_in(path, PATIENCE)
    }

    /// All pages of a list.
    fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, CliError> {
        let (mut all, mut path) = (Vec::new(), path.to_owned());
        for _ in 0..MAX_PAGES {
            let request = self.agent.get(uri(&path)).config().timeout_global(Some(PATIENCE)).build();
            let response = request.call().map_err(|e| self.unreached(e))?;
            let next = next_page(&response);
            all.append(&mut read(response)?);
            match next {
                Some(next) => path = next,
                None => return Ok(all),
            }
        }
        Err(CliError::Malformed(format!("{path}: the list has no end")))
    }

    pub(super) fn get_in<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> Result<T, CliError> {
        let request = self.agent.get(uri(path)).config().timeout_global(Some(patience)).build();
        read(request.call().map_err(|e| self.unreached(e))?)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        let request = self.agent.post(uri(path)).config().timeout_global(Some(PATIENCE)).build();
        read(request.send_json(body).map_err(|e| self.unreached(e))?)
    }

    /// Without a body: one that the daemon does not read could be cut off in the middle of being sent.
    pub(super) fn order(&self, path: &str) -> Result<dto::Done, CliError> {
        let request = self.agent.post(uri(path)).config().timeout_global(Some(PATIENCE)).build();
        read(request.send_empty().map_err(|e| self.unreached(e))?)
    }

    fn delete(&self, path: &str) -> Result<dto::Done, CliError> {
        let request = self.agent.delete(uri(path)).config().timeout_global(Some(PATIENCE)).build();
        read(request.call().map_err(|e| self.unreached(e))?)
    }

    /// A copy of the history, as it comes.
    pub(super) fn history_copy(&self) -> Result<impl Read + use<>, CliError> {
        let request = self.agent.post(uri("/api/v1/history/copy")).config().timeout_global(None).build();
        let response = request.send_empty().map_err(|e| self.unreached(e))?;
        Ok(refusal(response)?.into_body().into_reader())
    }

    /// What a failed connection means, and what to do about it.
    fn unreached(&self, error: ureq::Error) -> CliError {
        let socket = self.socket.display().to_string();
        match error {
            ureq::Error::Io(e) => match e.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => CliError::NotRunning { socket },
                io::ErrorKind::PermissionDenied => {
                    CliError::Permission { message: not_permitted(&self.socket) }
                }
                _ => CliError::Broken(e.to_string()),
            },
            other => CliError::Broken(other.to_string()),
        }
    }
}

/// Any host does: the connector knows only one place.
fn uri(path: &str) -> String {
    format!("http://ghrunner{path}")
}

/// The path of the next page, where there is one (`Link: </path>; rel="next"`).
fn next_page(response: &Response<Body>) -> Option<String> {
    let link = response.headers().get("link")?.to_str().ok()?;
    let (path, rest) = link.strip_prefix('<')?.split_once('>')?;
    (path.starts_with('/') && rest.contains("rel=\"next\"")).then(|| path.to_owned())
}

/// A name as one segment of a path (RFC 3986: everything but the unreserved characters is escaped).
pub(super) fn segment(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut text, b| {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            text.push(char::from(b));
        } else {
            let _ = write!(text, "%{b:02X}");
        }
        text
    })
}

fn refusal(mut response: Response<Body>) -> Result<Response<Body>, CliError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
    let body = body.map_err(|e| CliError::Broken(e.to_string()))?;
    match serde_json::from_str::<Problem>(&body) {
        Ok(problem) => Err(CliError::Refused { status: problem.status, detail: problem.detail }),
        Err(_) => Err(CliError::Malformed(format!("status {status}"))),
    }
}

fn read<T: DeserializeOwned>(response: Response<Body>) -> Result<T, CliError> {
    let mut response = refusal(response)?;
    let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
    let body = body.map_err(|e| CliError::Broken(e.to_string()))?;
    serde_json::from_slice(&body).map_err(|e| CliError::Malformed(e.to_string()))
}

fn not_permitted(socket: &Path) -> String {
    let group = std::fs::metadata(socket).ok().map(|m| m.gid());
    let group = group.and_then(|gid| Group::from_gid(Gid::from_raw(gid)).ok().flatten());
    let socket = socket.display();
    match group.map(|g| g.name) {
        Some(group) if group != "root" => format!(
            "you may not open {socket}: it is for root and the group {group}\nuse sudo, or `sudo usermod -aG {group} \
             $USER` and log in again"
        ),
        _ => format!("you may not open {socket}: it is for root\nuse sudo"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("ghrunner-build-3"), "ghrunner-build-3");
        assert_eq!(segment("../mode?x=1 %ü"), "..%2Fmode%3Fx%3D1%20%25%C3%BC");
    }
}
