//! Who asks, what that one may do, and the journal's line of everything that was done.
//!
//! Every request passes [`guard`]. What may be asked follows from the method alone, so that a new route cannot forget to
//! ask: `GET` needs [`Role::Read`], everything else [`Role::Operate`], and a few paths that tell nothing are open. Agents
//! speak by `POST` throughout: what their tools ask comes here once more, as the call that it is ([`Gate::Inside`]).

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::header::RETRY_AFTER;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use tokio::sync::watch;
use tokio::time::Instant;

use super::ApiSettings;
use super::Operators;
use super::Peer;
use super::Problem;
use super::agents;
use super::body;
use super::dashboard;
use super::envelope::RequestId;
use super::guesses;
use super::guesses::Guesses;
use super::guesses::Look;
use super::history;
use crate::control::Facade;

/// What may be asked of the network without a credential: it tells nothing of the fleet.
pub(super) const OPEN: [&str; 4] = ["/health", "/ready", "/openapi.json", "/docs"];

/// Whether a path is open: those above, and the files of the dashboard, which asks for a credential itself.
fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || dashboard::is_file(path)
}

/// As much of a path or body as the journal shows.
const SHOWN: usize = 300;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Look and steer.
    Operate,
}

/// Who asks. Each request carries it, for whoever keeps a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// A process of this host, over the socket.
    Process {
        /// Which one.
        peer: Peer,
        /// What it may do.
        role: Role,
    },
    /// Somebody with a credential, over TCP.
    Bearer {
        /// The credential's name.
        name: Arc<str>,
        /// What it may do.
        role: Role,
    },
    /// Somebody without one.
    Nobody,
}

impl Caller {
    /// What they may do; nothing where it is not known who they are.
    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Self::Process { role, .. } | Self::Bearer { role, .. } => Some(*role),
            Self::Nobody => None,
        }
    }

    /// The name that a record has.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Process { peer, .. } => peer.name(),
            Self::Bearer { name, .. } => format!("credential {name}"),
            Self::Nobody => "nobody".to_owned(),
        }
    }
}

/// By what a request is let in.
#[derive(Clone)]
pub(super) enum Gate {
    /// By the process at the other end.
    Socket(Operators),
    /// By its credential.
    Tcp(watch::Receiver<Arc<ApiSettings>>, Arc<Guesses>),
    /// By what an earlier gate found: a part of this program asks on behalf of whoever passed that.
    Inside,
}

/// Where a request over TCP came from. Each carries it.
#[derive(Debug, Clone, Copy)]
pub(super) struct CameFrom(pub(super) IpAddr);

/// The role that a request needs; none for what is open.
fn needed(method: &Method, path: &str) -> Option<Role> {
    match *method {
        Method::GET | Method::HEAD if is_open(path) => None,
        Method::GET | Method::HEAD => Some(Role::Read),
        _ if path == agents::PATH => Some(Role::Read),
        _ => Some(Role::Operate),
    }
}

impl Gate {
    /// The origins whose pages may ask, where that is for this gate to say: the socket has a guard of its own before it.
    pub(super) fn knows_origins(&self) -> Option<Vec<String>> {
        match self {
            Self::Tcp(settings, _) => Some(settings.borrow().origins.clone()),
            Self::Socket(_) | Self::Inside => None,
        }
    }

    /// Who asks, or why the request goes no further.
    fn judge(&self, head: &Parts) -> Result<Caller, Box<Response>> {
        let need = needed(&head.method, head.uri.path());
        match self {
            Self::Socket(operators) => {
                let peer = head.extensions.get::<Peer>().copied().unwrap_or(Peer::UNKNOWN);
                match operators.role(&peer) {
                    None => Err(refuse_process(operators, &peer, head)),
                    Some(role) if need.is_none_or(|need| role >= need) => Ok(Caller::Process { peer, role }),
                    Some(_) => Err(Box::new(operators.only_looks(&peer).into_response())),
                }
            }
            Self::Tcp(settings, guesses) => {
                let given = head.headers.get(AUTHORIZATION);
                let known = given.map(|given| recognize(settings, guesses, head, given.as_bytes()));
                let known = known.transpose()?.flatten();
                match (known, need) {
                    (None, Some(_)) => Err(Box::new(unknown(given.is_some()))),
                    (None, None) => Ok(Caller::Nobody),
                    (Some((name, role)), need) => may(Caller::Bearer { name, role }, need),
                }
            }
            Self::Inside => {
                let caller = head.extensions.get::<Caller>().cloned().unwrap_or(Caller::Nobody);
                may(caller, need)
            }
        }
    }
}

/// Whose credential this is, if it may be looked at.
fn recognize(
    settings: &watch::Receiver<Arc<ApiSettings>>,
    guesses: &Guesses,
    head: &Parts,
    given: &[u8],
) -> Result<Option<(Arc<str>, Role)>, Box<Response>> {
    // Of whom nothing is known all count as one.
    let address = head.extensions.get::<CameFrom>().map_or(Ipv4Addr::UNSPECIFIED.into(), |from| from.0);
    let look = guesses.looks(address, Instant::now());
    if look == Look::Unread {
        return Err(Box::new(too_many()));
    }
    match settings.borrow().recognize(given) {
        Some(known) => {
            guesses.good(address, look, Instant::now());
            Ok(Some(known))
        }
        None if look == Look::Trusted => Err(Box::new(too_many())),
        None => Ok(None),
    }
}

/// Lets somebody through whose role is enough.
fn may(caller: Caller, need: Option<Role>) -> Result<Caller, Box<Response>> {
    match (caller.role(), need) {
        (role, need) if role >= need => Ok(caller),
        (None, _) => Err(Box::new(unknown(false))),
        (Some(_), _) => Err(Box::new(not_allowed(&caller))),
    }
}

fn refuse_process(operators: &Operators, peer: &Peer, head: &Parts) -> Box<Response> {
    tracing::warn!(uid = peer.uid, pid = peer.pid, path = head.uri.path(), "Refused a control request");
    Box::new(operators.refusal(peer).into_response())
}

fn unknown(given: bool) -> Response {
    let (challenge, detail) = match given {
        true => (
            "Bearer realm=\"ghrunner\", error=\"invalid_token\"",
            "this credential is not known here; it may have been changed",
        ),
        false => (
            "Bearer realm=\"ghrunner\"",
            "send a credential: Authorization: Bearer …, one of those that [api] names in pools.toml",
        ),
    };
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn too_many() -> Response {
    let detail = "too many wrong credentials came from this address; wait, and look at the one that is sent";
    let mut response =
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_guesses", detail).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(guesses::AGAIN));
    response
}

fn not_allowed(caller: &Caller) -> Response {
    let takes = match caller {
        Caller::Process { .. } => "root, or a member of the control socket's own group",
        Caller::Bearer { .. } | Caller::Nobody => "one of api.operate",
    };
    let detail = format!("the {} may look and not steer: that takes {takes}", caller.name());
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response()
}

/// Lets nobody through who may not, reads the body, and tells of what changed something.
pub(super) async fn guard(
    State((gate, facade)): State<(Gate, Facade)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, sent) = request.into_parts();
    let caller = match gate.judge(&head) {
        Ok(caller) => caller,
        Err(refusal) => {
            // Closing on a body that is still being sent would cut off the refusal too.
            let _ = body::read(sent).await;
            return *refusal;
        }
    };
    let bytes = match body::read(sent).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.into_response(),
    };
    head.extensions.insert(caller.clone());
    if needed(&head.method, head.uri.path()) != Some(Role::Operate) {
        return next.run(Request::from_parts(head, Body::from(bytes))).await;
    }
    let steering = Steering::new(caller, &head, &bytes);
    let response = next.run(Request::from_parts(head, Body::from(bytes))).await;
    steering.tell(&facade, response.status());
    response
}

/// A call that may change something. Every such call passes here, and nowhere else.
struct Steering {
    caller: Caller,
    request: String,
    path: String,
    what: String,
    body: String,
}

impl Steering {
    fn new(caller: Caller, head: &Parts, body: &Bytes) -> Self {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let short = |text: &str| text.chars().take(SHOWN).collect::<String>();
        Self {
            caller,
            request: head.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default(),
            path: short(head.uri.path()),
            what: short(&format!("{} {target}", head.method)),
            body: short(&String::from_utf8_lossy(body)),
        }
    }

    fn tell(&self, facade: &Facade, status: StatusCode) {
        let (caller, request, body, code) = (self.caller.name(), &self.request, &self.body, status.as_u16());
        tracing::info!(caller, request, body, status = code, "{caller} asked: {} ({code})", self.what);
        let text = if body.is_empty() { self.what.clone() } else { format!("{} {body}", self.what) };
        history::note(facade, &caller, &self.path, text, status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_says_which_role_is_needed() {
        assert_eq!(needed(&Method::GET, "/api/v1/status"), Some(Role::Read));
        assert_eq!(needed(&Method::HEAD, "/api/v1/status"), Some(Role::Read));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            assert_eq!(needed(&method, "/api/v1/status"), Some(Role::Operate), "{method}");
            assert_eq!(needed(&method, "/health"), Some(Role::Operate), "{method}");
        }
        assert!(OPEN.iter().all(|path| needed(&Method::GET, path).is_none()));
        assert_eq!((needed(&Method::GET, "/"), needed(&Method::POST, "/")), (None, Some(Role::Operate)));
        assert_eq!(needed(&Method::GET, "/dashboard/other.js"), Some(Role::Read));
        assert_eq!(needed(&Method::GET, "/health/"), Some(Role::Read));
        assert_eq!(needed(&Method::POST, "/mcp"), Some(Role::Read));
        assert_eq!(needed(&Method::POST, "/mcp/"), Some(Role::Operate));
    }
}
